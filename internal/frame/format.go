package frame

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/sydradb/sydradb/internal/plant"
)

// A frame. Integers are little-endian; a frame never crosses files.
//
//	0         4                4+n       8+n
//	+---------+----------------+---------+
//	| len u32 | payload, n     | crc u32 |
//	+---------+----------------+---------+
//
//	len  n, 1..MaxPayload. It is checked before anything is allocated. 0 is refused
//	     because the checksum of nothing is 0: a run of zero bytes would else parse.
//	crc  CRC-32 (IEEE) of the payload. It does not cover len: a damaged len selects
//	     other bytes and shows as a mismatch or a frame that is cut off.
const (
	// MaxPayload is the greatest length of a payload, in bytes.
	MaxPayload = 40 << 20
	// Overhead is what a frame adds to its payload, in bytes.
	Overhead = lenSize + crcSize

	lenSize = 4
	crcSize = 4
)

// What can be wrong with a frame.
var (
	// ErrShort means that the bytes end before the frame does.
	ErrShort = errors.New("frame is cut off")
	// ErrLength means that the length is 0 or above MaxPayload.
	ErrLength = errors.New("frame length is 0 or too great")
	// ErrChecksum means that the payload does not match its checksum.
	ErrChecksum = errors.New("frame checksum does not match")
)

// Begin appends room for the length of a frame whose payload the caller then appends
// in place: 1 to MaxPayload bytes. End finishes it, or EndUnsealed and later Seal.
func Begin(dst []byte) []byte { return append(dst, 0, 0, 0, 0) }

// End finishes the frame that Begin started when dst was start bytes long.
func End(dst []byte, start int) []byte {
	dst = EndUnsealed(dst, start)
	Seal(dst[start:])
	return dst
}

// EndUnsealed is End for a payload that will still change: the length is written and
// the checksum left 0. Next refuses the frame until Seal.
func EndUnsealed(dst []byte, start int) []byte {
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-lenSize))
	return append(dst, 0, 0, 0, 0)
}

// Seal writes the checksum into a whole frame, as EndUnsealed left it.
func Seal(frame []byte) {
	end := len(frame) - crcSize
	binary.LittleEndian.PutUint32(frame[end:], crc32.ChecksumIEEE(frame[lenSize:end]))
}

// PayloadLen returns the length that the frame at the start of src claims for its
// payload, 1 to MaxPayload, for readers that have to fetch the bytes first. The error
// is ErrShort (fewer than 4 bytes) or ErrLength.
func PayloadLen(src []byte) (int, error) {
	if len(src) < lenSize {
		return 0, ErrShort
	}
	n := binary.LittleEndian.Uint32(src)
	if n == 0 && !plant.Bug(plant.EmptyFrame) || n > MaxPayload {
		return 0, ErrLength
	}
	return int(n), nil
}

// Next returns the payload of the frame at the start of src and what follows the
// frame, both parts of src. The error is ErrShort, ErrLength or ErrChecksum; an empty
// src is ErrShort, so a caller asks for its length to know a clean end.
func Next(src []byte) (payload, rest []byte, err error) {
	n, err := PayloadLen(src)
	if err != nil {
		return nil, nil, err
	}
	if len(src)-Overhead < n {
		return nil, nil, ErrShort
	}
	payload = src[lenSize : lenSize+n]
	if crc32.ChecksumIEEE(payload) != binary.LittleEndian.Uint32(src[lenSize+n:]) {
		return nil, nil, ErrChecksum
	}
	return payload, src[Overhead+n:], nil
}
