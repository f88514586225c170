package objectstore

import (
	"encoding/hex"
	"fmt"

	"github.com/zeebo/blake3"
)

// ID is the identity of an object: the BLAKE3-256 of its type and its payload. The zero
// ID is that of no object; where a ref is concerned it stands for "none".
type ID [32]byte

// IDOf returns the id of the object with this type and payload.
func IDOf(t Type, payload []byte) ID {
	h := blake3.New()
	// A hash takes what it is given: its Write has no error to return.
	_, _ = h.Write([]byte{byte(t)})
	_, _ = h.Write(payload)
	var id ID
	h.Sum(id[:0])
	return id
}

// ParseID is the inverse of String. It takes nothing but 64 lower-case hex digits.
func ParseID(text string) (ID, error) {
	var id ID
	if len(text) != hex.EncodedLen(len(id)) || !isHex(text) {
		return ID{}, fmt.Errorf("object id %.80q: want %d lower-case hex digits", text, hex.EncodedLen(len(id)))
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		return ID{}, fmt.Errorf("object id %q: %w", text, err)
	}
	return id, nil
}

// String returns 64 lower-case hex digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// isHex reports whether text has lower-case hex digits only.
func isHex(text string) bool {
	for i := range len(text) {
		if c := text[i]; !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}
