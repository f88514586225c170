package tombstone

import (
	"encoding/hex"
	"errors"
	"fmt"
	iofs "io/fs"

	"github.com/zeebo/blake3"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/frame"
	"github.com/sydradb/sydradb/internal/fsys"
)

// File is what the MANIFEST says of a delete file. The zero value stands for a
// tombstone that is in no file yet.
type File struct {
	Path   string // relative to the data directory
	Bytes  int64  // size
	BLAKE3 string // of its bytes, 64 hex digits
}

// Write makes the delete file of t and returns what the MANIFEST is to say of it. nowMS
// is the number of the job; no file of t may have been written under it before. It
// refuses a tombstone whose LSN is 0 or above 2^56-1, whose range is reversed or whose
// ids do not ascend strictly.
//
// The bytes of the file are durable when Write returns, its name is not until
// base.DeletesDir, and the directory above it, are synced. base.DeletesDir is made if it
// is missing. After an error nothing but perhaps a temporary file is left. The whole
// file stands in memory meanwhile, for a million series about 7 MB.
func Write(fs fsys.FS, nowMS int64, t *Tombstone) (File, error) {
	f := File{Path: base.DeleteFile(t.LSN, nowMS)}
	if err := t.validate(); err != nil {
		return File{}, fmt.Errorf("write %s: %w", f.Path, err)
	}
	data := encode(nil, t)
	f.Bytes, f.BLAKE3 = int64(len(data)), sum(data)
	err := fsys.WriteFileUnlisted(fs, f.Path, data)
	if errors.Is(err, iofs.ErrNotExist) {
		// The first one of the database, most likely.
		if err = fs.MkdirAll(base.DeletesDir); err == nil {
			err = fsys.WriteFileUnlisted(fs, f.Path, data)
		}
	}
	if err != nil {
		return File{}, fmt.Errorf("write tombstone: %w", err)
	}
	return f, nil
}

func sum(data []byte) string {
	s := blake3.Sum256(data)
	return hex.EncodeToString(s[:])
}

// Load reads the delete file f and verifies it: size, BLAKE3 and what it says. The
// result has f as its File. A file that is not what was written is a
// *base.CorruptionError; one that is missing matches io/fs.ErrNotExist.
func Load(fs fsys.FS, f File) (*Tombstone, error) {
	// The size first: what stands there may be anything, and too large for memory.
	if there, err := fs.Stat(f.Path); err != nil {
		return nil, fmt.Errorf("load tombstone: %w", err)
	} else if there.Regular && there.Size != f.Bytes {
		return nil, damage(f.Path, base.WholeFile, fmt.Errorf("the file has %d bytes, the MANIFEST says %d", there.Size, f.Bytes))
	}
	data, err := fsys.ReadFile(fs, f.Path)
	if err != nil {
		return nil, fmt.Errorf("load tombstone: %w", err)
	}
	if got := sum(data); got != f.BLAKE3 {
		return nil, damage(f.Path, base.WholeFile, fmt.Errorf("blake3 is %s, the MANIFEST says %s", got, f.BLAKE3))
	}
	t, offset, err := decode(data)
	if err != nil {
		return nil, damage(f.Path, offset, err)
	}
	t.File = f
	return &t, nil
}

// ReadLSN returns the LSN that the first frame of a delete file names. It is for files
// that nothing else describes, left over from a crash: what follows the frame is not
// looked at. Bad bytes are a *base.CorruptionError.
func ReadLSN(fs fsys.FS, path string) (lsn base.LSN, err error) {
	f, err := fs.Open(path)
	if err != nil {
		return 0, fmt.Errorf("read tombstone: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return 0, fmt.Errorf("read tombstone: %w", err)
	}
	data := make([]byte, min(size, payloadBytes+frame.Overhead))
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return 0, fmt.Errorf("read tombstone %s: %w", path, err)
	}
	payload, _, err := frame.Next(data)
	if err != nil {
		return 0, damage(path, 0, err)
	}
	t, _, err := decodeHead(payload)
	if err != nil {
		return 0, damage(path, 0, err)
	}
	return t.LSN, nil
}

func damage(path string, offset int64, err error) error {
	return &base.CorruptionError{File: path, Offset: offset, Part: "tombstone", Err: err}
}
