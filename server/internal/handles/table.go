// Package handles keeps the handles of series that write protocols have resolved, by the
// bytes that name a series on their wire, so that a series costs its names and its look-up in
// the catalog once.
//
// [Table] numbers byte strings and holds no pointers: a million of them do not lengthen
// a garbage collection. It is for one goroutine, or guarded by its owner. [Cache] is one with
// the handles of series beside it, safe for concurrent use.
//
// Both are bounded, in entries and in bytes. When one is full it turns new keys away and
// goes on serving those that it has; once it has turned away as many as it holds, what it
// holds is taken to be old and dropped at once. With more series than have room, a part of
// them stays cheap; dropping the oldest for each new one would serve none of them, for
// clients send their series in turn.
//
// Series also come and go without end where names change, as those of pods do. Whenever a table
// has doubled its owner looks whether most of its series are dead, and drops all of them then:
// what is kept stays in proportion to the most that lived at a time, and the look costs each new
// key next to nothing.
//
// What bytes name a series is the protocol's affair: two spellings of one series are two
// entries with the same handle.
package handles

import (
	"bytes"
	"hash/maphash"

	"github.com/sydradb/sydradb"
)

// Table numbers byte strings from 0, in the order in which they come. It is not safe for
// concurrent use; any number of goroutines may call Find while nobody changes it.
type Table struct {
	maxCount int
	maxBytes int
	refused  int
	look     int // number of keys at which Outdated looks at the series next

	seed  maphash.Seed
	slots []uint64 // open addressing: upper half of the hash, number+1; 0 is free
	ends  []uint32 // key i is keys[ends[i]:ends[i+1]]
	keys  []byte
}

// entryBytes is what an entry takes besides its key: in ends, and in slots that are half full.
const entryBytes = 4 + 16

// firstLook is how many keys a Table may have before Outdated looks at their series.
const firstLook = 1 << 7

// minSlots is the size of a Table that is empty.
const minSlots = 1 << 8

// NewTable returns an empty table for at most maxCount keys that take, with what is needed
// to find them, about maxBytes bytes, less than 1 GiB.
func NewTable(maxCount, maxBytes int) *Table {
	t := &Table{maxCount: maxCount, maxBytes: min(maxBytes, 1<<30), seed: maphash.MakeSeed()}
	t.Reset()
	return t
}

// Find returns the number of a key.
func (t *Table) Find(key []byte) (n uint32, found bool) {
	hash := maphash.Bytes(t.seed, key)
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := t.slots[i]
		if slot == 0 {
			return 0, false
		}
		if slot>>32 == hash>>32 {
			if n := uint32(slot) - 1; bytes.Equal(t.Key(n), key) {
				return n, true
			}
		}
	}
}

// Key returns the key with a number. It must not be changed, and is valid until Reset.
func (t *Table) Key(n uint32) []byte { return t.keys[t.ends[n]:t.ends[n+1]] }

// Len returns the number of keys.
func (t *Table) Len() int { return len(t.ends) - 1 }

// Add takes a key that Find did not find, and copies it. False means that there is no room
// for it.
func (t *Table) Add(key []byte) (n uint32, added bool) {
	count := t.Len()
	if count >= t.maxCount || len(t.keys)+len(key)+(count+1)*entryBytes > t.maxBytes {
		t.refused++
		return 0, false
	}
	if 2*(count+1) > len(t.slots) {
		t.grow()
	}
	t.keys = append(t.keys, key...)
	t.ends = append(t.ends, uint32(len(t.keys)))
	t.insert(uint32(count))
	return uint32(count), true
}

func (t *Table) insert(n uint32) {
	hash := maphash.Bytes(t.seed, t.Key(n))
	mask := uint64(len(t.slots) - 1)
	i := hash & mask
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = hash>>32<<32 | uint64(n+1)
}

func (t *Table) grow() {
	t.slots = make([]uint64, 2*len(t.slots))
	for n := range t.Len() {
		t.insert(uint32(n))
	}
}

// Worn reports whether the table has turned away more keys than it holds: it is time for
// Reset.
func (t *Table) Worn() bool { return t.refused > t.Len() }

// Outdated reports whether a table whose keys stand for these series is worn, or most of the
// series are dead: it is time for Reset. It looks at them only when there are twice as many as
// the last time.
func (t *Table) Outdated(series []*sydradb.Series) bool {
	if t.Worn() {
		return true
	}
	if len(series) < t.look {
		return false
	}
	t.look = 2 * len(series)
	dead := 0
	for _, s := range series {
		if !s.Alive() {
			dead++
		}
	}
	return 2*dead > len(series)
}

// Reset empties the table and gives its memory back.
func (t *Table) Reset() {
	t.refused, t.look = 0, firstLook
	t.slots = make([]uint64, minSlots)
	t.ends = make([]uint32, 1, minSlots)
	t.keys = nil
}
