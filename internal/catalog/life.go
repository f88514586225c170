package catalog

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/dict"
	"github.com/sydradb/sydradb/internal/plant"
)

// ErrSeriesLimit matches the error of a Resolve that would exceed Options.MaxSeries.
var ErrSeriesLimit = errors.New("too many series")

// ErrRenewed matches the error of a Resolve that would make or name a series in a
// catalog of which there is a renewed copy: the ordinal would be given twice. Asking
// the copy is the way on.
var ErrRenewed = errors.New("another catalog has taken the place of this one")

// ErrSealed matches the error of a Resolve that would make or name a series in a catalog
// that is sealed.
var ErrSealed = errors.New("no series can be added")

// Seal makes Resolve and ResolveID refuse what is not known, for a reader of a database
// that others write. It cannot be undone.
func (c *Catalog) Seal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.refusal = ErrSealed
}

// Kill makes the series of the given ordinals dead: the ordinals stand for nothing from
// then on and are never given again, and a series with the same key is a new one, with
// the same id unless that is taken by then. Ordinals may come in any order and twice;
// those that stand for nothing are passed over. It returns how many series it killed.
//
// Their names and tags take memory until Renew.
func (c *Catalog) Kill(ordinals []base.Ordinal) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.mu.count
	for _, o := range ordinals {
		if _, ok := c.mu.get(o); ok {
			c.killLocked(o)
		}
	}
	return before - c.mu.count
}

// killLocked makes the ordinal of a series void. Requires: c.mu, and the series.
func (c *Catalog) killLocked(o base.Ordinal) {
	if len(c.mu.displaced) > 0 {
		c.undisplaceLocked(o)
	}
	c.markLoggedLocked(o)
	c.mu.remove(o)
	c.mu.dead++
}

// undisplaceLocked takes a series out of displaced. Requires: c.mu.
func (c *Catalog) undisplaceLocked(o base.Ordinal) {
	name, tags := c.describeLocked(nil, o)
	hash := c.keyID(name, tags)
	list := slices.DeleteFunc(c.mu.displaced[hash], func(d base.Ordinal) bool { return d == o })
	if len(list) == 0 {
		delete(c.mu.displaced, hash)
	} else {
		c.mu.displaced[hash] = list
	}
}

// succeedLocked makes way for a series that takes an ordinal, an id and a key: where
// others have this id or this key under lower ordinals, they were dead when it came up,
// and are dead from now on. It returns these. hash is that of the key, name "" where
// only the id is known. Requires: c.mu.
func (c *Catalog) succeedLocked(o base.Ordinal, id, hash base.SeriesID, name string, tags []base.Tag) (void []base.Ordinal, err error) {
	if old, ok := c.mu.byID(id); ok && old != o {
		if old > o {
			return nil, fmt.Errorf("series %x has ordinals %d and %d", uint64(id), old, o)
		}
		void = append(void, old)
	}
	if name != "" {
		old, ok := c.findLocked(hash, name, tags)
		if ok && old > o {
			return nil, fmt.Errorf("ordinals %d and %d have one name and tags", old, o)
		}
		if ok && old < o && !slices.Contains(void, old) {
			void = append(void, old)
		}
	}
	for _, old := range void {
		c.killLocked(old)
	}
	return void, nil
}

// Dead returns how many series died since New or Renew: how many the catalog, its
// dictionary and what was loaded of a file hold in vain.
func (c *Catalog) Dead() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.mu.dead
}

// Living returns the ordinals of all series, ascending. It costs nothing for ranges of
// ordinals that stand for nothing, and holds no lock while it yields: series that come
// up or die meanwhile are among them or not.
func (c *Catalog) Living() iter.Seq[base.Ordinal] {
	return func(yield func(base.Ordinal) bool) {
		var buf [256]base.Ordinal
		for start := base.Ordinal(0); ; {
			some := c.appendLiving(buf[:0], start)
			for _, o := range some {
				if !yield(o) {
					return
				}
			}
			if len(some) < len(buf) {
				return
			}
			start = some[len(some)-1] + 1
		}
	}
}

// appendLiving fills dst up to its capacity with the series from start on.
func (c *Catalog) appendLiving(dst []base.Ordinal, start base.Ordinal) []base.Ordinal {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for o := range c.mu.from(start) {
		if len(dst) == cap(dst) {
			break
		}
		dst = append(dst, o)
	}
	return dst
}

// Renew returns a copy over a new dictionary that holds what the living series need,
// and nothing else: the same ordinals, ids, names and tags under other pair numbers,
// the same series unlogged, and the same ordinal to be given next.
//
// From then on c makes no series and gives no names: Resolve fails with ErrRenewed
// where it would. What else changes a catalog, SetLogged, Kill and Register, the caller
// keeps away from c while Renew runs, and leaves alone afterwards. c stays readable.
func (c *Catalog) Renew(d *dict.Dict) *Catalog {
	c.mu.Lock()
	c.mu.refusal = ErrRenewed
	c.mu.Unlock()

	c.mu.RLock()
	defer c.mu.RUnlock()
	n := New(d, c.opts)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.store = newStore(c.mu.count)
	n.mu.next = c.mu.next
	for hash, list := range c.mu.displaced {
		n.mu.displaced[hash] = slices.Clone(list)
	}
	numbers := make([]uint32, c.dict.Len()) // by pair of c: 1 + that of the copy, 0: not yet there
	var buf []uint32
	for o, row := range c.mu.from(0) {
		var named bool
		buf, named = c.mu.pairs(buf[:0], row)
		for i, pair := range buf {
			if numbers[pair] == 0 {
				numbers[pair] = d.Intern(c.dict.Pair(pair)) + 1
			}
			buf[i] = numbers[pair] - 1
		}
		n.mu.add(o, row.id, buf, named)
		if plant.Bug(plant.OrdinalReused) {
			n.mu.next = uint32(o) + 1
		}
		if c.isUnloggedLocked(o) {
			n.markUnloggedLocked(o)
		}
	}
	return n
}
