package engine

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/wal"
)

// firstGeneration is the generation of the catalog in a new directory.
const firstGeneration = 1

// create makes a database in an empty directory, or in one where an earlier attempt
// was cut short. Everything is durable before FORMAT says that it is there.
// Requires: the lock, and checkEmpty.
func create(fs fsys.FS, now time.Time) error {
	for _, dir := range []string{base.WALDir, base.SegmentsDir} {
		if err := fs.MkdirAll(dir); err != nil {
			return err
		}
	}
	if err := fs.SyncDir(""); err != nil {
		return err
	}
	format, uuid := newFormat(now)
	cat, err := catalog.CreateFile(fs, firstGeneration)
	if err != nil {
		return err
	}
	if err := cat.Close(); err != nil {
		return err
	}
	log, err := wal.Create(fs, uuid, 1)
	if err != nil {
		return err
	}
	if err := log.Close(); err != nil {
		return err
	}
	ms := now.UnixMilli()
	man, err := manifest.Create(fs, manifest.Edit{
		Wall: ms, NextMS: ms,
		Catalog: manifest.Catalog{Generation: firstGeneration},
	})
	if err != nil {
		return err
	}
	if err := man.Close(); err != nil {
		return err
	}
	return format.write(fs)
}

// checkEmpty returns nil if a directory without FORMAT holds nothing, or nothing but
// what an interrupted create has left. The error otherwise says what it seems to be.
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
		ok := false
		switch e.Name {
		case base.LockFile, base.FormatFile + base.TempSuffix:
			ok = true
		case base.ManifestFile:
			ok, err = isNewManifest(fs, e.Size)
		case base.CatalogFile(firstGeneration):
			ok = e.Size == 0
		case base.WALDir:
			ok, err = isNewLog(fs)
		case base.SegmentsDir:
			var segments []fsys.Entry
			segments, err = fs.List(base.SegmentsDir)
			ok = len(segments) == 0
		}
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("%w: it holds %s but no %s", foreign, e.Name, base.FormatFile)
		}
	}
	return nil
}

// isNewManifest reports whether MANIFEST is that of a new directory, or a torn
// beginning of it. The line takes some 200 bytes.
func isNewManifest(fs fsys.FS, size int64) (bool, error) {
	if size > 4096 {
		return false, nil
	}
	state, tail, err := manifest.Read(fs, base.ManifestFile)
	if err != nil {
		return errors.Is(err, base.ErrCorrupt), ignoreCorrupt(err)
	}
	return tail == nil && state.LastEdit == 0 && state.FlushedLSN == 0 && len(state.Live) == 0, nil
}

// isNewLog reports whether wal/ holds at most a current log without any batch.
func isNewLog(fs fsys.FS) (bool, error) {
	files, err := fs.List(base.WALDir)
	if err != nil {
		return false, err
	}
	for _, f := range files {
		if base.WALDir+"/"+f.Name != base.CurrentWAL {
			return false, nil
		}
		records := 0
		err := wal.Scan(fs, base.CurrentWAL, func(r wal.Record) error {
			if r.Type != wal.TypeHeader {
				records++
			}
			return nil
		})
		if err := ignoreCorrupt(err); err != nil || records > 0 {
			return false, err
		}
	}
	return true, nil
}

// checkV0 recognises a directory of version 0 by the first line of its MANIFEST or the
// first record of its log.
func checkV0(fs fsys.FS) error {
	v0 := fmt.Errorf("%w of this version but of version 0; use `sydradb import v0 DIR`", ErrNotDatabase)
	if entries, err := manifest.ReadV0(fs, base.ManifestFile); err == nil && len(entries) > 0 {
		return v0
	}
	err := wal.Scan(fs, base.CurrentWAL, func(r wal.Record) error {
		if r.Type == wal.TypePut {
			return v0
		}
		return errStopScan
	})
	if errors.Is(err, v0) {
		return v0
	}
	return nil
}

// errStopScan ends a scan early.
var errStopScan = errors.New("stop")

// ignoreCorrupt returns err unless it reports damage or a missing file.
func ignoreCorrupt(err error) error {
	if errors.Is(err, base.ErrCorrupt) || errors.Is(err, iofs.ErrNotExist) {
		return nil
	}
	return err
}
