package dict

import (
	"slices"
	"sync"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/blocks"
)

// Dict numbers pairs of key and value. Make one with New.
type Dict struct {
	mu     sync.RWMutex
	keys   table
	pairs  table                // prefix: number of the key
	older  blocks.Array[uint32] // by pair: 1 + the pair of the same key before it, 0 = none
	newest blocks.Array[uint32] // by key: 1 + its latest pair
	names  []string             // by key, for they are few and asked for often

	// last holds, by position, the pairs of the series interned last. Series registered
	// one after the other share most of them, and comparing is cheaper than hashing.
	last []lastPair
}

type lastPair struct {
	tag       base.Tag // shares memory with the tables
	key, pair uint32   // numbers
}

// New returns an empty dictionary.
func New() *Dict {
	return &Dict{keys: newTable(), pairs: newTable()}
}

// Len returns the number of pairs. Every pair number is below it.
func (d *Dict) Len() uint32 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.pairs.len()
}

// Intern returns the number of a pair, giving it the next one if it is new. The
// strings are copied.
func (d *Dict) Intern(key, value string) uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.internValueLocked(d.internKeyLocked(key), value)
}

// InternSeries appends the numbers of a series' pairs to dst: its name first, unless
// that is empty, then its tags in their order.
func (d *Dict) InternSeries(dst []uint32, name string, tags []base.Tag) []uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := 0
	if name != "" {
		dst = append(dst, d.internAtLocked(0, base.NameKey, name))
		first = 1
	}
	for i := range tags {
		dst = append(dst, d.internAtLocked(first+i, tags[i].Key, tags[i].Value))
	}
	return dst
}

// internAtLocked interns the pair at position i of a series; the positions of one
// series come in order. Requires: d.mu.
func (d *Dict) internAtLocked(i int, key, value string) uint32 {
	if i == len(d.last) {
		d.last = append(d.last, lastPair{})
	}
	last := &d.last[i]
	// An empty key says nothing: it is that of a slot never filled as well.
	if last.tag.Key != key || key == "" {
		last.key = d.internKeyLocked(key)
	} else if last.tag.Value == value {
		return last.pair
	}
	last.pair = d.internValueLocked(last.key, value)
	last.tag.Key, last.tag.Value = d.pairLocked(last.pair)
	return last.pair
}

func (d *Dict) internKeyLocked(key string) uint32 {
	h := d.keys.hash(0, key)
	k, ok := d.keys.find(h, 0, key)
	if !ok {
		k = d.keys.add(h, 0, key)
		_, key = d.keys.entry(k)
		d.names = append(d.names, key)
	}
	return k
}

func (d *Dict) internValueLocked(key uint32, value string) uint32 {
	h := d.pairs.hash(key, value)
	n, ok := d.pairs.find(h, key, value)
	if !ok {
		n = d.pairs.add(h, key, value)
		newest := d.newest.Slot(key)
		*d.older.Slot(n) = *newest
		*newest = n + 1
	}
	return n
}

// Lookup returns the number of a pair, and whether it is known.
func (d *Dict) Lookup(key, value string) (uint32, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	k, ok := d.keys.find(d.keys.hash(0, key), 0, key)
	if !ok {
		return 0, false
	}
	return d.pairs.find(d.pairs.hash(k, value), k, value)
}

// Pair returns the pair with number n, two empty strings if n was never given.
func (d *Dict) Pair(n uint32) (key, value string) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.pairLocked(n)
}

func (d *Dict) pairLocked(n uint32) (key, value string) {
	if n >= d.pairs.len() {
		return "", ""
	}
	k, value := d.pairs.entry(n)
	return d.names[k], value
}

// AppendTags appends the pairs with the given numbers to dst, in their order.
func (d *Dict) AppendTags(dst []base.Tag, pairs []uint32) []base.Tag {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, n := range pairs {
		key, value := d.pairLocked(n)
		dst = append(dst, base.Tag{Key: key, Value: value})
	}
	return dst
}

// IsSeries reports whether pairs, as InternSeries gives them, are those of the named
// series. It hashes nothing.
func (d *Dict) IsSeries(pairs []uint32, name string, tags []base.Tag) bool {
	if len(pairs) != 1+len(tags) {
		return false
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	// The last tags tell series of one name apart more often than the first.
	for i := len(tags) - 1; i >= 0; i-- {
		if key, value := d.pairLocked(pairs[1+i]); value != tags[i].Value || key != tags[i].Key {
			return false
		}
	}
	key, value := d.pairLocked(pairs[0])
	return value == name && key == base.NameKey
}

// AppendValues appends to dst the numbers of all pairs of a key that are not below
// since, in rising order. With since 0 these are all its values; with an earlier Len
// those that came after it.
func (d *Dict) AppendValues(dst []uint32, key string, since uint32) []uint32 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	k, ok := d.keys.find(d.keys.hash(0, key), 0, key)
	if !ok {
		return dst
	}
	start := len(dst)
	for next := d.newest.At(k); next > since; next = d.older.At(next - 1) {
		dst = append(dst, next-1)
	}
	slices.Reverse(dst[start:])
	return dst
}

// Keys returns all keys, sorted, among them base.NameKey once a name is known.
func (d *Dict) Keys() []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	keys := slices.Clone(d.names)
	slices.Sort(keys)
	return keys
}
