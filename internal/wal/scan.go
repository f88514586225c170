package wal

import (
	"errors"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// Scan reads the records of one file, of any type, for inspection and for import from
// a version 0 directory. It ends with fn's error, or with a *base.CorruptionError at
// the first bad bytes; whether these are a torn tail it does not judge, nor whether
// the numbers of the records follow each other.
func Scan(fs fsys.FS, path string, fn func(Record) error) (err error) {
	var r fileReader
	if err := r.open(fs, path); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	for off := int64(0); off < r.size; {
		rec, end, bad, err := r.record(off)
		if err != nil {
			return err
		}
		if bad != nil {
			return &base.CorruptionError{File: path, Offset: off, Part: "record", Err: bad.cause}
		}
		if err := fn(rec); err != nil {
			return err
		}
		off = end
	}
	return nil
}

// IsUnfinished reports whether data may be what Create with the number next leaves of
// current.wal when it is cut short, or what it leaves when it is not. A power cut keeps
// some bytes of the Header, in their places, and zeros or nothing in place of the others.
func IsUnfinished(data []byte, next base.LSN) bool {
	header := appendHeader(nil, [uuidSize]byte{})
	if len(data) > len(header) {
		return false
	}
	Seal(header, next, next-1)
	known := header[:lenSize+recordHeader] // behind it, uuid and checksum may be anything
	for i, b := range data[:min(len(data), len(known))] {
		if b != 0 && b != known[i] {
			return false
		}
	}
	return true
}
