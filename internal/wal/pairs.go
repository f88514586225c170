package wal

import (
	"hash/maphash"
	"sync"

	"github.com/sydradb/sydradb/internal/base"
)

// pairNumbers numbers the distinct tags of a record in the order of their first use.
// It is a hash table of its own because a map costs three times as much here, and new
// series come by the hundred thousand.
type pairNumbers struct {
	list   []base.Tag
	hashes []uint64 // of list
	table  []uint32 // 1 + number of a tag, or 0, at its hash modulo the length or behind
	uses   []uint32 // numbers of all tags of all series, one after the other
	last   int      // where in uses the tags of the series before begin
}

var (
	pairPool = sync.Pool{New: func() any { return new(pairNumbers) }}
	pairSeed = maphash.MakeSeed()
)

// minTable and maxTable bound the table, in slots, that is kept for the next record.
const (
	minTable = 64
	maxTable = 1 << 16
)

// release forgets all tags and gives p back to the pool.
func (p *pairNumbers) release() {
	if len(p.table) > maxTable || cap(p.uses) > 16*maxTable {
		return
	}
	clear(p.list) // the strings are the caller's
	clear(p.table)
	p.list, p.hashes, p.uses, p.last = p.list[:0], p.hashes[:0], p.uses[:0], 0
	pairPool.Put(p)
}

// add numbers the tags of the next series. Neighbours have most tags in common, each
// at the same place: asking there first spares most look-ups.
func (p *pairNumbers) add(tags []base.Tag) {
	before := p.uses[p.last:]
	p.last = len(p.uses)
	for i, tag := range tags {
		if i < len(before) && p.list[before[i]] == tag {
			p.uses = append(p.uses, before[i])
		} else {
			p.uses = append(p.uses, p.number(tag))
		}
	}
}

// number returns the number of tag, the next one if it is new.
func (p *pairNumbers) number(tag base.Tag) uint32 {
	if 2*len(p.list) >= len(p.table) {
		p.grow()
	}
	hash := maphash.String(pairSeed, tag.Key)*0x9e3779b97f4a7c15 + maphash.String(pairSeed, tag.Value)
	slot := p.slot(hash, tag)
	if p.table[slot] == 0 {
		p.list = append(p.list, tag)
		p.hashes = append(p.hashes, hash)
		p.table[slot] = uint32(len(p.list))
	}
	return p.table[slot] - 1
}

// slot returns where tag stands, or should.
func (p *pairNumbers) slot(hash uint64, tag base.Tag) uint64 {
	mask := uint64(len(p.table) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		n := p.table[i]
		if n == 0 || p.hashes[n-1] == hash && p.list[n-1] == tag {
			return i
		}
	}
}

func (p *pairNumbers) grow() {
	p.table = make([]uint32, max(2*len(p.table), minTable))
	for n, tag := range p.list {
		p.table[p.slot(p.hashes[n], tag)] = uint32(n + 1)
	}
}
