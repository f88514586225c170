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
