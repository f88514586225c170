package lineproto

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/sydradb/sydradb"
)

// Bounds of a Table that is asked for none.
const (
	DefaultEntries = 1 << 20
	DefaultBytes   = 64 << 20
)

const (
	firstSlots = 1 << 8
	// keyBytes is the longest text that is remembered: 256 of them are 1 MiB.
	keyBytes = 4 << 10
)

// flag is a boolean that many goroutines set and few clear.
type flag struct{ set atomic.Bool }

// mark sets the flag. It writes only where that changes anything: lines of memory that
// nobody writes to are shared by all processors.
func (f *flag) mark() {
	if !f.set.Load() {
		f.set.Store(true)
	}
}

// slots is an open-addressing hash table with linear probing. Its length is a power of two.
type slots []atomic.Pointer[entry]

// gone stands in slots whose entry was evicted: others may have been probed past it.
var gone = new(entry)

// Table maps measurement and tags, as clients write them, to series. It forgets what was not
// used for longest, about, when it has more entries or bytes than it may, and series that are
// dead before it grows. All methods are safe for concurrent use.
type Table struct {
	seed    maphash.Seed
	current atomic.Pointer[slots]
	first   entry // whose next begins the last body

	maxEntries int
	maxBytes   int64

	mu     sync.Mutex // what follows, and stores to slots
	live   int        // entries
	filled int        // slots that were ever filled, evicted ones included
	bytes  int64      // of entries and shapes
	hand   int        // slot that the clock looks at next
	shapes map[string]*shape
}

// NewTable returns an empty table that holds at most this many entries, one for each text of
// measurement and tags, and about this many bytes. 0 stands for DefaultEntries and
// DefaultBytes.
func NewTable(entries int, bytes int64) *Table {
	if entries <= 0 {
		entries = DefaultEntries
	}
	if bytes <= 0 {
		bytes = DefaultBytes
	}
	t := &Table{seed: maphash.MakeSeed(), maxEntries: entries, maxBytes: bytes, shapes: make(map[string]*shape)}
	first := make(slots, firstSlots)
	t.current.Store(&first)
	return t
}

// Len returns the number of entries.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.live
}

// Bytes returns about what the table takes.
func (t *Table) Bytes() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bytes
}

// get returns the entry of a text, nil if there is none.
func (t *Table) get(key []byte) *entry {
	hash := maphash.Bytes(t.seed, key)
	table := *t.current.Load()
	mask := len(table) - 1
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		e := table[i&(len(table)-1)].Load()
		if e == nil {
			return nil
		}
		if e.hash == hash && e.key == string(key) {
			e.used.mark()
			return e
		}
	}
}

// learn remembers the series of fields of a text, besides those that it knows already.
// names are those of the fields as they were written, with their equals signs; known is
// what get returned for the text.
func (t *Table) learn(key []byte, known *entry, names []string, series []*sydradb.Series) {
	if len(key) > keyBytes {
		return
	}
	e := &entry{hash: maphash.Bytes(t.seed, key)}
	var all []string
	size := 0
	if known == nil {
		e.key = string(key)
	} else if !known.worthGrowing(len(names)) {
		return
	} else {
		e.key, size = known.key, len(known.shape.text)
		for i := range known.shape.fields {
			all = append(all, known.shape.fields[i].text)
		}
		e.series = append(e.series, known.series...)
	}
	for i, name := range names {
		if size += len(name); len(all) < maxFields && size <= shapeBytes {
			all, e.series = append(all, name), append(e.series, series[i])
		}
	}
	if len(all) == 0 {
		return
	}
	e.used.mark()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.adoptLocked(e, all)
	if t.bytes > t.maxBytes || t.live >= t.maxEntries {
		t.evictLocked()
	}
	t.putLocked(e)
}

// worthGrowing takes note of n fields that e does not have, and reports whether they are
// worth an entry in its place: one with many fields is not made again for each that comes.
func (e *entry) worthGrowing(n int) bool {
	missed := int(e.missed.Add(int32(n)))
	return missed >= len(e.series)/8 && len(e.series) < maxFields && len(e.shape.text) < shapeBytes
}

// adoptLocked gives e the shape of these names. Requires: t.mu.
func (t *Table) adoptLocked(e *entry, names []string) {
	var buf []byte
	for _, name := range names {
		buf = append(buf, name...)
	}
	s := t.shapes[string(buf)]
	if s == nil {
		s = newShape(names, string(buf))
		t.shapes[s.text] = s
		t.bytes += s.size()
	}
	s.refs++
	e.shape = s
	t.bytes += e.size()
}

// releaseLocked takes e out of the sums. Requires: t.mu.
func (t *Table) releaseLocked(e *entry) {
	e.stale.mark()
	e.next.Store(nil)
	t.bytes -= e.size()
	if e.shape.refs--; e.shape.refs == 0 {
		delete(t.shapes, e.shape.text)
		t.bytes -= e.shape.size()
	}
}

// putLocked stores e, in place of what is stored under its key. Requires: t.mu.
func (t *Table) putLocked(e *entry) {
	table := *t.current.Load()
	if (t.filled+1)*2 > len(table) {
		table = t.rebuildLocked()
	}
	for i := int(e.hash) & (len(table) - 1); ; i = (i + 1) & (len(table) - 1) {
		old := table[i].Load()
		switch {
		case old == nil:
			t.live++
			t.filled++
		case old.hash == e.hash && old.key == e.key:
			t.releaseLocked(old)
		default:
			continue
		}
		table[i].Store(e)
		return
	}
}

// rebuildLocked makes room for as many entries again, or only clears away what was evicted.
// It forgets series that are dead, so that the table is no larger than what lives warrants.
// Readers go on in the old slots, which nobody changes any more. Requires: t.mu.
func (t *Table) rebuildLocked() slots {
	old := *t.current.Load()
	for i := range old {
		if e := old[i].Load(); e != nil && e != gone && e.dead() {
			old[i].Store(gone)
			t.live--
			t.releaseLocked(e)
		}
	}
	size := firstSlots
	for size < 4*(t.live+1) {
		size *= 2
	}
	table := make(slots, size)
	for i := range old {
		e := old[i].Load()
		if e == nil || e == gone {
			continue
		}
		at := int(e.hash) & (size - 1)
		for table[at].Load() != nil {
			at = (at + 1) & (size - 1)
		}
		table[at].Store(e)
	}
	t.filled, t.hand = t.live, 0
	t.current.Store(&table)
	return table
}

// evictLocked drops entries that were not used since the clock's hand came by last, until
// there is room for one more. Requires: t.mu.
func (t *Table) evictLocked() {
	table := *t.current.Load()
	for t.live > 0 && (t.bytes > t.maxBytes || t.live >= t.maxEntries) {
		at := t.hand & (len(table) - 1)
		t.hand = at + 1
		e := table[at].Load()
		switch {
		case e == nil || e == gone:
		case e.used.set.Load():
			e.used.set.Store(false)
		default:
			table[at].Store(gone)
			t.live--
			t.releaseLocked(e)
		}
	}
}
