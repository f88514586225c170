package manifest

import (
	"bytes"
	"hash/crc32"
	"math/bits"
	"strconv"
)

// mostMended is the length of the longest line of which one byte that is wrong is put
// right, whatever has become of it: 255 wrong values in so many places meet a given
// checksum by chance once in a hundred and more lines with other damage, and such a line
// seldom decodes. Longer ones are mended if a single bit was flipped.
const mostMended = 128 << 10

// mend returns a line, given without its newline, of which one byte is wrong, as it was
// written; nil if no byte, or more than one, may be that. Its checksum tells which.
func mend(line []byte) []byte {
	body := len(line) - crcTail
	if body < 0 {
		return nil
	}
	sum := crc32.ChecksumIEEE(line[:body])
	tail := []byte(crcMember + checksum(line[:body]) + `"}`)
	if differences(line[body:], tail) == 1 {
		return append(bytes.Clone(line[:body]), tail...)
	}
	digits := line[body+len(crcMember):][:crcDigits]
	want, err := strconv.ParseUint(string(digits), 16, 32)
	if err != nil {
		return nil
	}
	at, change, ok := locate(sum^uint32(want), body)
	if !ok {
		return nil
	}
	fixed := bytes.Clone(line)
	fixed[at] ^= change
	if _, err := checkLine(fixed); err != nil {
		return nil
	}
	return fixed
}

func differences(a, b []byte) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// lastBytes is the inverse of the table of CRC-32: the byte whose value there begins with
// this byte. Each begins with another one.
var lastBytes = func() (inverse [256]byte) {
	for b, v := range crc32.IEEETable {
		inverse[v>>24] = byte(b)
	}
	return inverse
}()

// locate returns which one byte of n, and which change of it, changes their CRC-32 by
// diff. A change d of the last byte changes it by the table's value for d; each byte that
// follows moves that on as a zero would, and is taken back here, from the end to the start.
func locate(diff uint32, n int) (at int, change byte, ok bool) {
	for i := n - 1; i >= 0; i-- {
		last := lastBytes[diff>>24]
		v := crc32.IEEETable[last]
		if v == diff && (n <= mostMended || bits.OnesCount8(last) == 1) {
			if ok {
				return 0, 0, false
			}
			at, change, ok = i, last, true
		}
		diff = (diff^v)<<8 | uint32(last)
	}
	return at, change, ok
}
