package catalog

import (
	"bytes"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/blocks"
	"github.com/sydradb/sydradb/internal/dict"
)

// Options of a Catalog. The zero value is what a database uses.
type Options struct {
	// Hash replaces xxHash64 over canonical keys, so that tests can force collisions.
	Hash func(key []byte) uint64

	// MaxSeries is how many series Resolve and ResolveID make room for, 0 for no limit.
	// Series that come from the log or from disk count, and are never refused.
	MaxSeries int
}

// maxSeries bounds the ordinals: the highest uint32 stays free.
const maxSeries = math.MaxUint32

// Catalog is the registry of series. Make one with New. Safe for concurrent use.
type Catalog struct {
	dict *dict.Dict
	opts Options

	unloggedCount atomic.Int64
	shapes        shapes

	// The lock is taken before that of the dictionary.
	mu struct {
		sync.RWMutex
		store
		next     uint32               // the ordinal given next
		changes  uint64               // counts series and names added
		dead     int                  // series that became holes
		refusal  error                // why no series is made or named any more: ErrRenewed, ErrSealed
		unlogged blocks.Array[uint64] // bit set: no log record has introduced the series

		// displaced lists, by the hash of their key, series whose id is another (C3).
		displaced map[base.SeriesID][]base.Ordinal
	}
}

// New returns an empty registry that keeps its tags in d.
func New(d *dict.Dict, opts Options) *Catalog {
	c := &Catalog{dict: d, opts: opts}
	c.mu.store = newStore(0)
	c.mu.displaced = map[base.SeriesID][]base.Ordinal{}
	return c
}

// Len returns the number of series.
func (c *Catalog) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.mu.count
}

// Limit returns 1 + the highest ordinal, 0 if there is none. Below it are all series,
// and perhaps holes: ordinals that were given but never reached the log, and those of
// series that are dead. Holes may be many more than series: see Living.
func (c *Catalog) Limit() base.Ordinal {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return base.Ordinal(c.mu.next)
}

// ByID returns the series with this id, if it is known.
func (c *Catalog) ByID(id base.SeriesID) (base.Ordinal, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.mu.byID(id)
}

// ID returns the id of a series, 0 if o stands for none.
func (c *Catalog) ID(o base.Ordinal) base.SeriesID {
	c.mu.RLock()
	defer c.mu.RUnlock()
	row, _ := c.mu.get(o)
	return row.id
}

// Known reports whether o stands for a series.
func (c *Catalog) Known(o base.Ordinal) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, ok := c.mu.get(o)
	return ok
}

// FirstUnknown returns the first series of rows that does not exist.
func (c *Catalog) FirstUnknown(rows []base.Row) (base.Ordinal, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for i := range rows {
		if _, ok := c.mu.get(rows[i].Ordinal); !ok {
			return rows[i].Ordinal, true
		}
	}
	return 0, false
}

// Name returns the name of a series, "" if it is known by its id alone.
func (c *Catalog) Name(o base.Ordinal) string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	row, _ := c.mu.get(o)
	return c.nameLocked(row)
}

// nameLocked returns the name of a series, "" if it has none. Requires: c.mu, for reading
// at least.
func (c *Catalog) nameLocked(row series) string {
	pair, named := c.mu.name(row)
	if !named {
		return ""
	}
	_, name := c.dict.Pair(pair)
	return name
}

// Lookup returns the id of a series and whether it has a name, with alive false if o
// stands for none.
func (c *Catalog) Lookup(o base.Ordinal) (id base.SeriesID, named, alive bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	row, alive := c.mu.get(o)
	_, named = c.mu.name(row)
	return row.id, named, alive
}

// Describe returns the name of a series, "" if it is known by its id alone, and
// appends its tags to dst, sorted by key. The strings stay valid for ever.
func (c *Catalog) Describe(dst []base.Tag, o base.Ordinal) (name string, tags []base.Tag) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.describeLocked(dst, o)
}

// Get returns all that is known of a series, false if o stands for none: what ID and
// Describe say, at one moment, for callers on whom a series may die in between. The
// strings stay valid for ever, and the slice is the caller's.
func (c *Catalog) Get(o base.Ordinal) (base.Registration, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	row, ok := c.mu.get(o)
	if !ok {
		return base.Registration{}, false
	}
	name, tags := c.describeLocked(nil, o)
	return base.Registration{Ordinal: o, ID: row.id, Name: name, Tags: tags}, true
}

func (c *Catalog) describeLocked(dst []base.Tag, o base.Ordinal) (name string, tags []base.Tag) {
	var buf [stackPairs]uint32
	pairs, named := c.pairsLocked(buf[:0], o)
	if named {
		_, name = c.dict.Pair(pairs[0])
		pairs = pairs[1:]
	}
	return name, c.dict.AppendTags(dst, pairs)
}

// Pairs appends the pair numbers of a series to dst, that of its name first: what the
// tag index wants to know.
func (c *Catalog) Pairs(dst []uint32, o base.Ordinal) []uint32 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	dst, _ = c.pairsLocked(dst, o)
	return dst
}

// AppendPairs is Pairs for several series: their pairs follow one another in dst, and where
// those of each end is appended to ends.
func (c *Catalog) AppendPairs(dst []uint32, ends []int, ordinals []base.Ordinal) ([]uint32, []int) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, o := range ordinals {
		dst, _ = c.pairsLocked(dst, o)
		ends = append(ends, len(dst))
	}
	return dst, ends
}

// AppendTags appends the pair numbers of a series' tags to dst, by rising key, and returns
// its name, "" if it is known by its id alone. alive is false if o stands for none.
func (c *Catalog) AppendTags(dst []uint32, o base.Ordinal) (name string, pairs []uint32, alive bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	row, alive := c.mu.get(o)
	if !alive {
		return "", dst, false
	}
	return c.nameLocked(row), c.mu.tags(dst, row), true
}

// stackPairs is how many pairs of a series are handled without an allocation.
const stackPairs = 40

func (c *Catalog) pairsLocked(dst []uint32, o base.Ordinal) (_ []uint32, named bool) {
	row, ok := c.mu.get(o)
	if !ok {
		return dst, false
	}
	return c.mu.pairs(dst, row)
}

// keyBuffer is how long a key may be to be hashed without an allocation.
const keyBuffer = 512

// keyID hashes the canonical key of a series. Tags are in normal form.
func (c *Catalog) keyID(name string, tags []base.Tag) base.SeriesID {
	var buf [keyBuffer]byte
	return c.hashKey(AppendKey(buf[:0], name, tags))
}

func (c *Catalog) hashKey(key []byte) base.SeriesID {
	if c.opts.Hash != nil {
		return base.SeriesID(c.opts.Hash(bytes.Clone(key))) // the copy keeps keys on the stack
	}
	return KeyID(key)
}

// findLocked returns the series with this name and these tags; id is the hash of its
// key. Requires: c.mu, for reading at least.
func (c *Catalog) findLocked(id base.SeriesID, name string, tags []base.Tag) (base.Ordinal, bool) {
	if o, ok := c.mu.byID(id); ok && c.isSeriesLocked(o, name, tags) {
		return o, true
	}
	if len(c.mu.displaced) == 0 {
		return 0, false
	}
	for _, o := range c.mu.displaced[id] {
		if c.isSeriesLocked(o, name, tags) {
			return o, true
		}
	}
	return 0, false
}

func (c *Catalog) isSeriesLocked(o base.Ordinal, name string, tags []base.Tag) bool {
	var buf [stackPairs]uint32
	pairs, named := c.pairsLocked(buf[:0], o)
	return named && c.dict.IsSeries(pairs, name, tags)
}

// Verify checks C3 for every series: that its id is the hash of its key, or that it is
// found under it. It reports the first that is not.
func (c *Catalog) Verify() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var tags []base.Tag
	var name string
	for o, row := range c.mu.from(0) {
		if !c.mu.named(row) {
			continue
		}
		name, tags = c.describeLocked(tags[:0], o)
		if found, ok := c.findLocked(c.keyID(name, tags), name, tags); !ok || found != o {
			return fmt.Errorf("series %x (ordinal %d, %s) is not found by its key", uint64(row.id), o,
				AppendKey(nil, name, tags))
		}
	}
	return nil
}
