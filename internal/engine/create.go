package engine

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"path"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/plant"
	"github.com/sydradb/sydradb/internal/wal"
)

const (
	firstGeneration          = 1 // of the catalog in a new directory
	firstLSN        base.LSN = 1 // of its log
)

// create makes a database in an empty directory, or in one where an earlier attempt
// was cut short. Everything is durable before FORMAT says that it is there.
// Requires: the lock, and checkEmpty.
func create(fs fsys.FS, now time.Time) error {
	if err := clearUnfinished(fs); err != nil {
		return err
	}
	for _, dir := range []string{base.WALDir, base.SegmentsDir} {
		if err := fs.MkdirAll(dir); err != nil {
			return err
		}
	}
	if err := fs.SyncDir(""); err != nil {
		return err
	}
	format, uuid := newFormat(now)
	if plant.Bug(plant.FormatFirst) {
		_ = format.write(fs)
	}
	cat, err := catalog.CreateFile(fs, firstGeneration)
	if err != nil {
		return err
	}
	if err := cat.Close(); err != nil {
		return err
	}
	log, err := wal.Create(fs, uuid, firstLSN)
	if err != nil {
		return err
	}
	if err := log.Close(); err != nil {
		return err
	}
	man, err := manifest.Create(fs, firstEdit(now))
	if err != nil {
		return err
	}
	if err := man.Close(); err != nil {
		return err
	}
	return format.write(fs)
}

// firstEdit is the first line of MANIFEST.
func firstEdit(now time.Time) manifest.Edit {
	ms := max(now.UnixMilli(), 0)
	return manifest.Edit{Wall: ms, NextMS: ms, Catalog: manifest.Catalog{Generation: firstGeneration, CRC: catalog.CRC(nil)}}
}

// clearUnfinished removes what an attempt has left that ended before FORMAT had its
// name, so that each name is made anew: the sync of a directory that follows one that
// failed makes only those durable.
func clearUnfinished(fs fsys.FS) error {
	for _, path := range []string{
		base.FormatFile + base.TempSuffix, base.ManifestFile, base.CatalogFile(firstGeneration),
		base.CurrentWAL, base.WALDir, base.SegmentsDir,
	} {
		found, err := fsys.Exists(fs, path)
		if err == nil && found {
			err = fs.Remove(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// renewFormat makes the name of FORMAT anew in a database that nobody has opened yet:
// the sync that create ended with may have failed. See clearUnfinished.
func renewFormat(fs fsys.FS, reserve *reserve) error {
	data, err := fsys.ReadFile(fs, base.FormatFile)
	if err == nil {
		err = reserve.try("FORMAT", func() error { return fsys.WriteFileAtomic(fs, base.FormatFile, data) })
	}
	if errors.Is(err, fsys.ErrNoSpace) {
		err = fs.SyncDir("") // all that can be done
	}
	return err
}

// checkEmpty returns nil if a directory without FORMAT holds nothing, or nothing but
// what an interrupted create has left. The error otherwise says what it seems to be.
// Whoever creates a database there meanwhile may remove what has been listed.
func checkEmpty(fs fsys.FS) error {
	if err := checkV0(fs); err != nil {
		return err
	}
	foreign := fmt.Errorf("%w, or an unfinished copy of one", ErrNotDatabase)
	entries, err := fs.List("")
	if err != nil {
		return err
	}
	for _, e := range entries {
		ok, err := isUnfinished(fs, e)
		if err != nil && !errors.Is(err, iofs.ErrNotExist) {
			return err
		}
		if !ok && err == nil {
			return fmt.Errorf("%w: it holds %s but no %s", foreign, e.Name, base.FormatFile)
		}
	}
	return nil
}

// isUnfinished reports whether an interrupted create may have left e, and all below it.
func isUnfinished(fs fsys.FS, e fsys.Entry) (bool, error) {
	switch e.Name {
	case base.LockFile, base.FormatFile + base.TempSuffix, base.ReserveFile + base.TempSuffix:
		return e.Regular, nil
	case base.ReserveFile: // of a database that is gone but for it
		if !e.Regular {
			return false, nil
		}
		return isReserve(fs, base.ReserveFile)
	case base.CatalogFile(firstGeneration):
		return e.Regular && e.Size == 0, nil
	case base.ManifestFile:
		return isUnfinishedFile(fs, base.ManifestFile, e, func(data []byte) bool {
			return manifest.IsUnfinished(data, firstEdit(time.Time{}))
		})
	}
	if !e.Dir || e.Name != base.WALDir && e.Name != base.SegmentsDir {
		return false, nil
	}
	files, err := fs.List(e.Name)
	switch {
	case err != nil || len(files) == 0:
		return err == nil, err
	case len(files) > 1 || path.Join(e.Name, files[0].Name) != base.CurrentWAL:
		return false, nil
	}
	return isUnfinishedFile(fs, base.CurrentWAL, files[0], func(data []byte) bool {
		return wal.IsUnfinished(data, firstLSN)
	})
}

// isUnfinishedFile reports whether a file holds what is, in the eyes of its package, no
// more than the beginning of a new one.
func isUnfinishedFile(fs fsys.FS, file string, e fsys.Entry, is func(data []byte) bool) (bool, error) {
	const tooLarge = 1024 // for the first bytes of any file
	if !e.Regular || e.Size > tooLarge {
		return false, nil
	}
	data, err := fsys.ReadFile(fs, file)
	return err == nil && is(data), err
}

// checkV0 recognises a directory of version 0 by the first line of its MANIFEST or the
// first record of its log.
func checkV0(fs fsys.FS) error {
	if entries, err := manifest.ReadV0(fs, base.ManifestFile); err == nil && len(entries) > 0 {
		return ErrVersion0
	}
	err := wal.Scan(fs, base.CurrentWAL, func(r wal.Record) error {
		if r.Type == wal.TypePut {
			return ErrVersion0
		}
		return errStopScan
	})
	if errors.Is(err, ErrVersion0) {
		return ErrVersion0
	}
	return nil
}

// errStopScan ends a scan early.
var errStopScan = errors.New("stop")
