package objectstore

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/plant"
)

// An object. Integers are little-endian.
//
//	0      1             5
//	+------+-------------+------------+
//	| type | payload_len | payload    |
//	| u8   | u32         |            |
//	+------+-------------+------------+
//
//	type         1 blob, 2 tree, 3 commit, 4 ref
//	payload_len  at most 16 MiB; the object ends with its payload
//
// Its id is the BLAKE3-256 over the type and the payload, without the length. Written by
// header, read by Decode, pinned by testdata/object.golden.
//
// A ref is text: the id it names as 64 lower-case hex digits, and the end of a line.
// Written by encodeRef, read by decodeRef.
const (
	typeBytes   = 1
	headerBytes = typeBytes + 4
	idDigits    = 2 * len(ID{})
	refBytes    = idDigits + 1 // all of a ref

	// MaxPayloadBytes bounds what an object may hold.
	MaxPayloadBytes = 16 << 20
)

var _ [5]byte = [headerBytes]byte{}

// Type says what an object is to those who put it.
type Type uint8

// The types of objects there are.
const (
	TypeBlob   Type = 1 // any bytes
	TypeTree   Type = 2 // names of other objects
	TypeCommit Type = 3 // a state, and those before it
	TypeRef    Type = 4 // a name with an explanation
)

var typeNames = [...]string{TypeBlob: "blob", TypeTree: "tree", TypeCommit: "commit", TypeRef: "ref"}

// Known reports whether t is one of the types there are.
func (t Type) Known() bool { return TypeBlob <= t && t <= TypeRef }

// String returns the name of the type.
func (t Type) String() string {
	if t.Known() {
		return typeNames[t]
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// What is wrong with bytes that are not what was written.
var (
	errShort   = errors.New("object ends too early")
	errLength  = errors.New("length differs from that of the payload")
	errLong    = errors.New("object is too long")
	errHash    = errors.New("BLAKE3 differs from the name")
	errRefText = errors.New("a ref is 64 hex digits and the end of a line")
	errRefZero = errors.New("a ref to no object")
)

// header returns what stands before a payload of n bytes.
func header(t Type, n int) []byte {
	return binary.LittleEndian.AppendUint32([]byte{byte(t)}, uint32(n))
}

// Decode takes an object apart. The payload lies in data. The type may be one that is
// not known, and nothing is known about the id: IDOf returns it. The error is a
// *base.CorruptionError without a file name.
func Decode(data []byte) (Type, []byte, error) {
	if len(data) < headerBytes {
		return 0, nil, &base.CorruptionError{Offset: int64(len(data)), Part: "header", Err: errShort}
	}
	n, payload := binary.LittleEndian.Uint32(data[typeBytes:]), data[headerBytes:]
	if n > MaxPayloadBytes {
		return 0, nil, &base.CorruptionError{Offset: typeBytes, Part: "header", Err: fmt.Errorf("%w: %d bytes", errLong, n)}
	}
	if int(n) != len(payload) {
		return 0, nil, &base.CorruptionError{Offset: typeBytes, Part: "header", Err: fmt.Errorf("%w: %d, not %d", errLength, n, len(payload))}
	}
	return Type(data[0]), payload, nil
}

// decodeAs is Decode for an object whose id and file are known: its bytes are verified,
// and its type is one that is known. Errors name the file.
func decodeAs(id ID, file string, data []byte) (Type, []byte, error) {
	t, payload, err := Decode(data)
	var damage *base.CorruptionError
	if errors.As(err, &damage) {
		damage.File = file
		return 0, nil, damage
	}
	if sum := IDOf(t, payload); sum != id && !plant.Bug(plant.ObjectUnverified) {
		return 0, nil, &base.CorruptionError{File: file, Offset: base.WholeFile, Err: fmt.Errorf("%w: %s", errHash, sum)}
	}
	if !t.Known() {
		// The hash says that it was meant so: a newer version wrote it.
		return 0, nil, fmt.Errorf("%s: %w: %v", file, ErrUnknownType, t)
	}
	return t, payload, nil
}

// encodeRef returns the bytes of a ref to id.
func encodeRef(id ID) []byte { return append([]byte(id.String()), '\n') }

// decodeRef is the inverse of encodeRef. Errors name the file.
func decodeRef(file string, data []byte) (ID, error) {
	damaged := func(err error) (ID, error) {
		return ID{}, &base.CorruptionError{File: file, Offset: base.WholeFile, Part: "ref", Err: err}
	}
	if len(data) != refBytes || data[idDigits] != '\n' {
		return damaged(errRefText)
	}
	id, err := ParseID(string(data[:idDigits]))
	if err != nil {
		return damaged(errRefText)
	}
	if id == (ID{}) {
		return damaged(errRefZero)
	}
	return id, nil
}
