package engine

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"path"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/wal"
)

// logChecker checks what the records of the log say. That the log can be read, and
// that no record is missing, is for package wal to judge.
type logChecker struct {
	*checker
	decoder wal.BatchDecoder
	read    []string // files of which a record was handed out, in order
}

// checkLog reads the log as the opening does. Behind damage, where the opening stops,
// it goes on with what can be read of the other files.
func (c *checker) checkLog() {
	files, err := c.logFiles()
	if errors.Is(err, iofs.ErrNotExist) {
		c.find(Damage, base.WALDir, base.WholeFile, "missing")
		return
	}
	if c.fault(base.WALDir, err) {
		return
	}
	for _, f := range files {
		c.count(f)
	}
	l := logChecker{checker: c}
	if !c.format {
		c.uuid = l.guessUUID(files)
	}
	if !c.whole {
		// Where the log has to begin, and how far it has to reach, is not known.
		l.each(files, "")
		return
	}
	report, err := wal.Check(c.fs, wal.OpenOptions{UUID: c.uuid, Flushed: c.state.FlushedLSN, Demand: c.state.LastLSN}, l.record)
	if report.PassedOver > 0 {
		c.find(Leftover, base.WALDir, base.WholeFile, "%d bytes that cannot be read; their points are in segment files", report.PassedOver)
	}
	var damage *base.CorruptionError
	if c.fault(base.WALDir, err) {
		if errors.As(err, &damage) {
			l.each(files, damage.File)
		}
		return
	}
	if t := report.Torn; t != nil {
		c.find(Leftover, t.File, t.Offset, "%d bytes of a record whose writing was cut short: %v", t.Bytes, t.Cause)
	}
	for _, f := range files {
		if f != base.CurrentWAL && !slices.Contains(l.read, f) {
			c.find(Leftover, f, base.WholeFile, "all its points are in segment files; the next opening removes it")
		}
	}
}

// logFiles returns the files of the log in the order of their names, current.wal last.
func (c *checker) logFiles() (files []string, err error) {
	entries, err := c.fs.List(base.WALDir)
	if err != nil {
		return nil, err
	}
	current := false
	for _, e := range entries {
		file := path.Join(base.WALDir, e.Name)
		if _, rotated := base.ParseWALFile(file); rotated && e.Regular {
			files = append(files, file)
		}
		current = current || file == base.CurrentWAL && e.Regular
	}
	if current {
		files = append(files, base.CurrentWAL)
	}
	return files, nil
}

// guessUUID returns what the first header that can be read says.
func (l *logChecker) guessUUID(files []string) (uuid [16]byte) {
	for _, f := range files {
		found := false
		// Damage is found by those who read the whole file.
		_ = wal.Scan(l.fs, f, func(rec wal.Record) error {
			if found = rec.Type == wal.TypeHeader && len(rec.Body) == len(uuid); found {
				copy(uuid[:], rec.Body)
			}
			return errStopScan
		})
		if found {
			return uuid
		}
	}
	return uuid
}

// each reads the files one by one, but for those read already, bad and those that are
// not needed. What they say of series is not held against what others say: too much may
// be missing.
func (l *logChecker) each(files []string, bad string) {
	l.known = false
	done := slices.Clone(l.read)
	for i, f := range files {
		if f == bad || slices.Contains(done, f) || l.whole && l.superfluous(files[i:]) {
			continue
		}
		err := wal.Scan(l.fs, f, l.record)
		var damage *base.CorruptionError
		if errors.As(err, &damage) && f == base.CurrentWAL {
			l.find(Leftover, f, damage.Offset, "cannot be read from here on (%s); the damage found elsewhere hides whether its writing was cut short", explain(damage))
			continue
		}
		if l.fault(f, err) && l.stopped() {
			return
		}
	}
}

// superfluous reports whether all records of the first of files are in segment files.
func (l *logChecker) superfluous(files []string) bool {
	if len(files) < 2 {
		return false
	}
	next, rotated := base.ParseWALFile(files[1])
	return rotated && next <= l.state.FlushedLSN+1
}

// record checks one record. What is wrong with it is a finding, and the log goes on.
func (l *logChecker) record(rec wal.Record) error {
	if n := len(l.read); n == 0 || l.read[n-1] != rec.File {
		l.read = append(l.read, rec.File)
	}
	l.report.LogRecords++
	switch rec.Type {
	case wal.TypeBatch:
		if err := l.batch(rec); err != nil {
			l.fault(rec.File, rec.Corrupt(err))
		}
	case wal.TypeDelete:
		if _, _, _, err := wal.DecodeDelete(rec.Body); err != nil {
			l.fault(rec.File, rec.Corrupt(err))
		}
	case wal.TypeHeader, wal.TypeMark:
	default:
		err := rec.Corrupt(fmt.Errorf("a record of type %d, which this version does not write", rec.Type))
		l.damage.newer = err
		l.fault(rec.File, err)
	}
	return l.ctx.Err()
}

// batch returns the first thing that is wrong with a Batch.
func (l *logChecker) batch(rec wal.Record) error {
	n := 0
	return l.decoder.Decode(rec.Body, l.catalog.Register, func(rows []base.Row) error {
		for i := range rows {
			r := &rows[i]
			if r.TS < base.MinTime || r.TS > base.MaxTime {
				return fmt.Errorf("row %d: %w", n+i, errTimeRange)
			}
			if l.known && !l.catalog.Known(r.Ordinal) {
				return fmt.Errorf("row %d is of series %d, which nothing has introduced", n+i, r.Ordinal)
			}
		}
		n += len(rows)
		l.report.LogPoints += int64(len(rows))
		return nil
	})
}
