package dict

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/sydradb/sydradb/internal/blocks"
)

// table numbers distinct (prefix, string) entries. Open addressing, at most three
// quarters full. A slot holds the upper half of the entry's hash, which spares nearly
// all look-ups of other entries, and 1 + the entry's number; 0 is a free slot.
//
//	slot   [hash u32 | number+1 u32]
//	entry  uvarint prefix, uvarint length, bytes
type table struct {
	seed    maphash.Seed
	slots   []uint64
	entries blocks.Blob
	refs    blocks.Array[blocks.Ref] // by number
}

const firstSlots = 256

func newTable() table {
	return table{seed: maphash.MakeSeed(), slots: make([]uint64, firstSlots)}
}

func (t *table) len() uint32 { return t.refs.Len() }

// hash mixes prefix into the hash of s and keeps 32 bits.
func (t *table) hash(prefix uint32, s string) uint32 {
	return uint32((maphash.String(t.seed, s) + uint64(prefix)) * 0x9e3779b97f4a7c15 >> 32)
}

// find returns the number of an entry whose hash is h.
func (t *table) find(h, prefix uint32, s string) (uint32, bool) {
	mask := uint32(len(t.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		slot := t.slots[i]
		if slot == 0 {
			return 0, false
		}
		if uint32(slot>>32) != h {
			continue
		}
		n := uint32(slot) - 1
		if p, v := t.entry(n); p == prefix && v == s {
			return n, true
		}
	}
}

// add stores an entry that find did not find and returns its number.
func (t *table) add(h, prefix uint32, s string) uint32 {
	n := t.len()
	if uint64(n+1)*4 > uint64(len(t.slots))*3 {
		t.grow()
	}
	var buf [128]byte
	b := binary.AppendUvarint(buf[:0], uint64(prefix))
	b = binary.AppendUvarint(b, uint64(len(s)))
	*t.refs.Slot(n) = t.entries.Append(append(b, s...))
	t.place(uint64(h)<<32 | uint64(n+1))
	return n
}

// entry returns what was stored under n, which must be below len.
func (t *table) entry(n uint32) (prefix uint32, s string) {
	prefix, s = blocks.Uvarint(t.entries.From(t.refs.At(n)))
	size, s := blocks.Uvarint(s)
	return prefix, s[:size]
}

func (t *table) place(slot uint64) {
	mask := uint32(len(t.slots) - 1)
	i := uint32(slot>>32) & mask
	for t.slots[i] != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = slot
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]uint64, 2*len(old))
	for _, slot := range old {
		if slot != 0 {
			t.place(slot)
		}
	}
}
