package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/dict"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/wal"
)

// Restore makes a copy of the database at the root of src, a snapshot or any other that
// nobody has open, in dst, an empty directory or none, as Snapshot does. It reads all of
// src first and verifies every checksum: with the least damage nothing is made, and the
// error, which matches base.ErrCorrupt, has what was found. Other errors are those of
// Check. src is not changed, but for its lock file, if it has one.
//
// What is in the log of src and in no file comes over as well, but for a torn end.
// Leftovers and files of others stay behind.
func Restore(ctx context.Context, src, dst fsys.FS) error { return restore(ctx, src, dst, nil) }

// restore is Restore of a database whose canonical keys are hashed by hash, nil for the
// usual one.
func restore(ctx context.Context, src, dst fsys.FS, hash func([]byte) uint64) (err error) {
	lock, err := lockToRead(src)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	check := checker{ctx: ctx, fs: src, catalog: catalog.New(dict.New(), catalog.Options{Hash: hash}), known: true}
	if err := check.run(); err != nil {
		return err
	}
	if err := errors.Join(errors.Join(check.unread...), ctx.Err(), damageOf(&check.report)); err != nil {
		return err
	}
	c := copier{ctx: ctx, src: src, dst: dst, first: copyEdit(&check.state), made: make(map[string]bool)}
	return c.into(func() error {
		err := c.copyMutable()
		if err == nil {
			err = c.copyImmutable()
		}
		if err == nil {
			err = c.finish(time.Now(), func(log *wal.Log) error { return c.copyLog(log, &check) })
		}
		return err
	})
}

// maxNamedDamage bounds how many findings an error names.
const maxNamedDamage = 10

// damageOf returns the damage that a check found as one error, nil if there is none.
func damageOf(report *CheckReport) error {
	var found []error
	more := 0
	for _, f := range report.Findings {
		switch {
		case f.Severity != Damage:
		case len(found) == maxNamedDamage:
			more++
		default:
			found = append(found, &base.CorruptionError{File: f.File, Offset: f.Offset, Err: errors.New(f.Message)})
		}
	}
	if more > 0 {
		found = append(found, fmt.Errorf("and %d more", more))
	}
	return errors.Join(found...)
}

// copyLog writes the records that no file of the source covers to the log of the copy,
// under numbers that go on from there. Their order, which is what counts, stays. The log
// ends as after a clean close, so that no damage to it is ever taken for a torn end.
func (c *copier) copyLog(log *wal.Log, source *checker) error {
	var frame []byte
	opts := wal.OpenOptions{UUID: source.uuid, Flushed: source.state.FlushedLSN, Demand: source.state.LastLSN}
	_, err := wal.Check(c.src, opts, func(rec wal.Record) error {
		if err := c.ctx.Err(); err != nil || rec.Type == wal.TypeHeader || rec.Type == wal.TypeMark {
			return err
		}
		frame = wal.AppendRecord(frame[:0], rec)
		_, err := log.Append([][]byte{frame})
		return err
	})
	if err != nil || len(frame) == 0 {
		return err
	}
	if err := log.Mark(true); err != nil {
		return err
	}
	c.first.LastLSN = log.Last()
	return nil
}
