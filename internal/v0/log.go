package v0

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	iofs "io/fs"
	"path"
	"slices"
	"strings"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/frame"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/wal"
)

// listLogs returns the log files, oldest first: the rotated ones, whose names are
// numbers that rise with time (Unix ms, as a rule), then current.wal. A log file with
// another name has no place in the order, and points read out of order could be lost
// to older ones; so it is an error.
func listLogs(fs fsys.FS) ([]string, error) {
	entries, err := fs.List(base.WALDir)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var logs []string
	for _, e := range entries {
		file := path.Join(base.WALDir, e.Name)
		if path.Ext(file) != path.Ext(base.CurrentWAL) {
			continue
		}
		if _, ok := logNumber(file); !ok && file != base.CurrentWAL {
			return nil, fmt.Errorf("%s: its name is neither a number nor %s, so its place in the log is not known",
				file, path.Base(base.CurrentWAL))
		}
		logs = append(logs, file)
	}
	slices.SortFunc(logs, byNumber)
	return logs, nil
}

// byNumber orders log files by age.
func byNumber(a, b string) int {
	x, rotatedA := logNumber(a)
	y, rotatedB := logNumber(b)
	if !rotatedA || !rotatedB {
		return cmp.Compare(rank(rotatedA), rank(rotatedB))
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y))
}

func rank(rotated bool) int {
	if rotated {
		return 0
	}
	return 1
}

// logNumber returns the number in the name of a rotated file, without leading zeros.
func logNumber(file string) (digits string, ok bool) {
	digits = strings.TrimSuffix(path.Base(file), path.Ext(file))
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return "", false
	}
	return strings.TrimLeft(digits, "0"), true
}

// log reads one log file.
func (d *Dir) log(s *Stats, file string, newest bool, fn func(base.SeriesID, int64, float64) error) error {
	var refused error
	err := wal.Scan(d.fs, file, func(rec wal.Record) error {
		if rec.Type != wal.TypePut {
			return rec.Corrupt(fmt.Errorf("a record of type %d, which version 0 did not write", rec.Type))
		}
		id, ts, value, err := wal.DecodePut(rec.Body)
		if err != nil {
			return rec.Corrupt(err)
		}
		s.LogRecords++
		refused = fn(id, ts, value)
		return refused
	})
	if refused != nil {
		return refused
	}
	var damage *base.CorruptionError
	if !newest || !errors.As(err, &damage) {
		return err
	}
	data, readErr := fsys.ReadFile(d.fs, file)
	if readErr != nil {
		return readErr
	}
	if at := soundRecord(data, int(damage.Offset)); at > int(damage.Offset) {
		damage.Err = fmt.Errorf("%w; a good record follows at offset %d, so this is no unfinished write", damage.Err, at)
		return damage
	} else if at >= 0 {
		return damage
	}
	s.Torn = &Torn{File: file, Offset: damage.Offset, Bytes: int64(len(data)) - damage.Offset, Err: damage.Err}
	return nil
}

// putStart is how the frame of a record of version 0 begins: its length and type.
var putStart = []byte{25, 0, 0, 0, wal.TypePut}

// soundRecord returns the offset of the first record from bad on that is whole, -1 if
// there is none. At bad itself any whole frame is sound: no torn write makes one.
func soundRecord(data []byte, bad int) int {
	if _, _, err := frame.Next(data[bad:]); err == nil {
		return bad
	}
	for at := bad; ; at++ {
		i := bytes.Index(data[at:], putStart)
		if i < 0 {
			return -1
		}
		at += i
		if _, _, err := frame.Next(data[at:]); err == nil {
			return at
		}
	}
}
