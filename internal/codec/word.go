package codec

// word loads the 8 little-endian bytes of b from i on.
//
// The decoders' speed is the time from one position to the next, and slicing
// b[i:] for encoding/binary adds to that: the compiler keeps the new pointer inside
// b by arithmetic. Indexing costs nothing where the caller's loop condition reads
// i >= 0 && i <= len(b)-8, in this form: the bounds checks go as well.
func word(b []byte, i int) uint64 {
	_ = b[i+7]
	return uint64(b[i]) | uint64(b[i+1])<<8 | uint64(b[i+2])<<16 | uint64(b[i+3])<<24 |
		uint64(b[i+4])<<32 | uint64(b[i+5])<<40 | uint64(b[i+6])<<48 | uint64(b[i+7])<<56
}
