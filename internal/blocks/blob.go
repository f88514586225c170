package blocks

import "strings"

// blobBlockBytes is the size of a block of a Blob. What does not fit into the rest
// of the current block starts a new one, so an average of half an entry is lost to
// each block.
const blobBlockBytes = 64 << 10

// Blob is an append-only heap of byte strings. What From returns shares memory with
// the blob and stays valid, unchanged, for ever. The zero Blob is empty and ready.
type Blob struct {
	blocks []string         // what is written so far of each block
	tail   *strings.Builder // the last block; a builder never moves within its capacity
	room   int              // bytes left in tail
}

// Ref is the place of an entry in a Blob: block in the upper half, offset in the lower.
type Ref uint64

// Append stores a copy of p and returns its place. An entry does not cross blocks.
func (b *Blob) Append(p []byte) Ref {
	if b.tail == nil || len(p) > b.room {
		b.room = max(blobBlockBytes, len(p))
		b.tail = new(strings.Builder)
		b.tail.Grow(b.room)
		b.blocks = append(b.blocks, "")
	}
	last := len(b.blocks) - 1
	ref := Ref(last)<<32 | Ref(b.tail.Len())
	b.tail.Write(p)
	b.room -= len(p)
	b.blocks[last] = b.tail.String()
	return ref
}

// From returns what the block holds from r on: the entry at r, and those appended
// after it. Entries carry their own length, see Uvarint.
func (b *Blob) From(r Ref) string { return b.blocks[r>>32][uint32(r):] }

// Uvarint reads an unsigned LEB128 number of at most 32 bits from the start of s and
// returns it with what follows. A number that is cut off reads as 0, with "" left.
func Uvarint(s string) (v uint32, rest string) {
	if len(s) > 0 && s[0] < 0x80 {
		return uint32(s[0]), s[1:]
	}
	for i, shift := 0, 0; i < len(s) && shift < 35; i, shift = i+1, shift+7 {
		v |= uint32(s[i]&0x7f) << shift
		if s[i] < 0x80 {
			return v, s[i+1:]
		}
	}
	return 0, ""
}
