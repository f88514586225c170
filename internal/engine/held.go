package engine

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"path"
	"slices"
	"strings"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/wal"
)

// held is a database as it stood at one moment, for those who read it beside its writer
// and without a lock: the files that MANIFEST named then, the log behind them, and
// nothing else. All of them are held open, so it does not matter what the writer removes
// or replaces; and they end where they ended then: MANIFEST with its last newline, the
// catalog where MANIFEST says, current.wal perhaps within a record. It is the file system
// that such readers work on, and refuses all that would write.
type held struct {
	*fsys.HeldFS
	fs fsys.FS // whose files they are

	uuid  [16]byte
	state manifest.State // of the whole lines of MANIFEST
	tail  *manifest.Tail // its last line, if that has its newline but is bad

	limit    uint64                  // of files that may be open, 0 if there is none
	thorough bool                    // go on when a file is missing
	missing  error                   // the first that was
	absent   string                  // path of the file that was last found missing
	ends     map[string]int64        // of files, which may have grown
	dirs     map[string][]fsys.Entry // what is held, by directory
}

func newHeld(fs fsys.FS) (*held, error) {
	kept, err := fsys.Hold(fs, nil)
	if err != nil {
		return nil, err
	}
	h := &held{HeldFS: kept, fs: fs, ends: make(map[string]int64), dirs: make(map[string][]fsys.Entry)}
	for _, dir := range []string{base.WALDir, base.SegmentsDir} {
		h.dirs[dir] = nil // listed even when empty
		h.mention(dir, fsys.Entry{Name: dir, Dir: true})
	}
	return h, nil
}

// add holds one more file.
func (h *held) add(p string) error {
	if err := h.Add(p); err != nil {
		h.absent = p
		return err
	}
	e, err := h.Stat(p)
	if err != nil {
		return err
	}
	h.ends[p] = e.Size
	h.mention(p, e)
	return nil
}

// need is add for a file without which the database is not whole.
func (h *held) need(p string) error {
	err := h.add(p)
	if h.thorough && errors.Is(err, iofs.ErrNotExist) {
		h.missing = cmp.Or(h.missing, err)
		return nil
	}
	return err
}

// mention lists e, at p, in its directory.
func (h *held) mention(p string, e fsys.Entry) {
	dir := path.Dir(p)
	_, known := h.dirs[dir]
	h.dirs[dir] = append(h.dirs[dir], e)
	if !known && dir != "." {
		h.mention(dir, fsys.Entry{Name: path.Base(dir), Dir: true})
	}
}

// List implements fsys.FS: a directory has what is held of it.
func (h *held) List(p string) ([]fsys.Entry, error) {
	entries, ok := h.dirs[path.Clean(p)]
	if !ok {
		return h.HeldFS.List(p)
	}
	entries = slices.Clone(entries)
	slices.SortFunc(entries, func(a, b fsys.Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

// Open implements fsys.FS.
func (h *held) Open(p string) (fsys.File, error) {
	f, err := h.HeldFS.Open(p)
	if err != nil {
		return nil, err
	}
	return &endedFile{f, io.NewSectionReader(f, 0, h.ends[path.Clean(p)])}, nil
}

// endedFile is a file of which only the beginning counts.
type endedFile struct {
	fsys.File
	part *io.SectionReader
}

// ReadAt implements fsys.File.
func (f *endedFile) ReadAt(p []byte, off int64) (int, error) { return f.part.ReadAt(p, off) }

// Size implements fsys.File.
func (f *endedFile) Size() (int64, error) { return f.part.Size(), nil }

// room returns an error if so many more files are too many.
func (h *held) room(files int) error {
	if need := uint64(h.Len() + files); h.limit > 0 && need > h.limit-(h.limit+4)/5 {
		return fmt.Errorf("%d files would be kept open, more than 80 %% of the %d that this process may have open; "+
			"raise that limit (ulimit -n), or have the writer compact the database", need, h.limit)
	}
	return nil
}

// addFormat holds FORMAT and learns the uuid.
func (h *held) addFormat() (err error) {
	if err = h.add(base.FormatFile); err == nil {
		h.uuid, err = readFormat(h)
	}
	return err
}

// addManifest holds MANIFEST and reads it to its last newline: what follows is a line
// that the writer has not finished. A last line that is whole and bad may be one as
// well, torn by a power cut; as for recovery, it is if all else that is needed is there.
func (h *held) addManifest() error {
	err := h.add(base.ManifestFile)
	if errors.Is(err, iofs.ErrNotExist) {
		return &base.CorruptionError{File: base.ManifestFile, Offset: base.WholeFile, Err: errors.New("missing")}
	}
	if err != nil {
		return err
	}
	data, err := fsys.ReadFile(h, base.ManifestFile)
	if err != nil {
		return err
	}
	h.ends[base.ManifestFile] = int64(bytes.LastIndexByte(data, '\n') + 1)
	h.state, h.tail, err = manifest.Read(h, base.ManifestFile)
	if errors.Is(err, manifest.ErrNewer) {
		err = fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if err == nil && h.state.V0 {
		err = &base.CorruptionError{File: base.ManifestFile, Err: errors.New("lines of version 0")}
	}
	return err
}

// addFiles holds what MANIFEST names.
func (h *held) addFiles() error {
	s := &h.state
	if err := h.room(1 + len(s.Live) + len(s.Deletes)); err != nil {
		return err
	}
	file := base.CatalogFile(s.Catalog.Generation)
	if err := h.need(file); err != nil {
		return err
	}
	h.ends[file] = min(h.ends[file], s.Catalog.Bytes)
	for i := range s.Live {
		if err := h.need(s.Live[i].Path); err != nil {
			return err
		}
	}
	for i := range s.Deletes {
		if err := h.need(s.Deletes[i].Path); err != nil {
			return err
		}
	}
	return nil
}

// addLog holds the files of the log that may have records which MANIFEST does not count
// as flushed. current.wal comes first: what the writer renames later does not matter,
// and what it had renamed before is there to be listed, or has been removed since, which
// leaves a gap.
func (h *held) addLog() error {
	err := h.add(base.CurrentWAL)
	hasCurrent := err == nil
	if err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return err
	}
	entries, err := h.fs.List(base.WALDir)
	if err != nil {
		return err
	}
	var first base.LSN // of current.wal, as far as it is known
	if hasCurrent {
		if first, err = firstRecord(h.HeldFS); err != nil {
			return err
		}
	}
	var rotated []base.LSN
	later := ""
	for _, e := range entries {
		file := path.Join(base.WALDir, e.Name)
		if file == base.CurrentWAL && !hasCurrent {
			return fmt.Errorf("%s: %w when it was to be opened", file, iofs.ErrNotExist)
		}
		lsn, ok := base.ParseWALFile(file)
		switch {
		case !ok || first != 0 && lsn == first:
		case first == 0 || lsn < first:
			rotated = append(rotated, lsn)
		default:
			later = file
		}
	}
	if later != "" {
		// It was rotated since current.wal was opened, or that is an old one, and not all
		// that there is of the log.
		if now, err := firstRecord(h.fs); err == nil && now == first {
			return &base.CorruptionError{File: base.CurrentWAL, Part: "header", Err: fmt.Errorf("it starts with record %d, but there is %s", first, later)}
		}
	}
	return h.addRotated(rotated, first)
}

// firstRecord returns the number of the first record in current.wal, 0 if there is none
// yet. It is asked after the directory was listed, and of the file as it is now: if the
// Header was still missing then, the file had not been renamed when it was listed.
func firstRecord(fs fsys.FS) (first base.LSN, err error) {
	err = wal.Scan(fs, base.CurrentWAL, func(rec wal.Record) error {
		if rec.Type == wal.TypeHeader {
			first = rec.LSN
		}
		return errStopScan
	})
	if errors.Is(err, errStopScan) || errors.Is(err, base.ErrCorrupt) {
		err = nil
	}
	return first, err
}

// addRotated holds those of the rotated files, which ascend, that are needed; end is the
// record behind the last of them, 0 if that is not known. Those wholly flushed may be
// about to go.
func (h *held) addRotated(rotated []base.LSN, end base.LSN) error {
	if err := h.room(len(rotated)); err != nil {
		return err
	}
	for i, lsn := range rotated {
		next := end
		if i+1 < len(rotated) {
			next = rotated[i+1]
		}
		if next != 0 && next <= h.state.FlushedLSN+1 {
			continue
		}
		if err := h.need(base.WALFile(lsn)); err != nil {
			return err
		}
	}
	return nil
}

// logOptions says what is known of the log.
func (h *held) logOptions() wal.OpenOptions {
	return wal.OpenOptions{UUID: h.uuid, Flushed: h.state.FlushedLSN, Demand: h.state.LastLSN}
}

// unchanged reports whether MANIFEST has no edit that is not held.
func (h *held) unchanged() bool {
	now, _, err := manifest.Read(h.fs, base.ManifestFile)
	return err == nil && now.LastEdit == h.state.LastEdit
}
