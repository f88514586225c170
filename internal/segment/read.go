package segment

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"slices"

	"github.com/zeebo/blake3"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
)

// What is wrong with a file that is not the one its manifest entry names.
var (
	errSize   = errors.New("size differs from the manifest")
	errDigest = errors.New("BLAKE3 differs from the manifest")
	errEntry  = errors.New("series, range or count differs from the manifest")
)

// SumBLAKE3 returns the identity of a file with these bytes, as manifest entries hold
// it: 64 lower-case hex digits.
func SumBLAKE3(data []byte) string {
	sum := blake3.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Load reads the whole file of a manifest entry into dst, whose old contents are
// overwritten and which grows if need be, and returns its bytes. They are verified:
// size and BLAKE3 if the entry has them (version 0 entries do not), and series, range
// and count. A file that is not what the entry says, or is missing, is a
// *base.CorruptionError with its path; the latter matches io/fs.ErrNotExist too.
func Load(fs fsys.FS, entry manifest.Entry, dst []byte) ([]byte, error) {
	return load(fs, entry.Path, entry, dst)
}

// load is Load with the path of the file in fs, which may lie below a prefix.
func load(fs fsys.FS, path string, entry manifest.Entry, dst []byte) ([]byte, error) {
	whole := func(err error) error {
		return &base.CorruptionError{File: path, Offset: base.WholeFile, Err: err}
	}
	data, err := readFile(fs, path, dst, func(size int64) error {
		// Without a size to compare with, the longest encoding keeps a file that is
		// none of ours from being read into memory.
		if entry.Bytes == 0 && size > headerBytes+maxBytesPerPair*int64(entry.Count) {
			return whole(fmt.Errorf("%w: %d bytes are too many for %d points", errSize, size, entry.Count))
		}
		if entry.Bytes != 0 && size != entry.Bytes {
			return whole(fmt.Errorf("%w: %d bytes, not %d", errSize, size, entry.Bytes))
		}
		return nil
	})
	if errors.Is(err, iofs.ErrNotExist) {
		return nil, whole(err)
	}
	if err != nil {
		return nil, err
	}
	if entry.BLAKE3 != "" {
		if sum := SumBLAKE3(data); sum != entry.BLAKE3 {
			return nil, whole(fmt.Errorf("%w: %s, not %s", errDigest, sum, entry.BLAKE3))
		}
	}
	h, _, err := DecodeHeader(data)
	if err != nil {
		return nil, inFile(err, path)
	}
	if h.SeriesID != entry.SeriesID || h.Start != entry.StartTS || h.End != entry.EndTS || h.Count != entry.Count {
		return nil, whole(fmt.Errorf("%w: file has series %x, %d points from %d to %d",
			errEntry, uint64(h.SeriesID), h.Count, h.Start, h.End))
	}
	return data, nil
}

// ReadAll returns the points of the segment file at path, ascending, in a new slice.
// It knows nothing of the manifest: only the structure of the bytes is checked.
func ReadAll(fs fsys.FS, path string) ([]base.Point, error) {
	data, err := readFile(fs, path, nil, func(int64) error { return nil })
	if err != nil {
		return nil, err
	}
	ts, values, err := AppendColumns(nil, nil, data)
	if err != nil {
		return nil, inFile(err, path)
	}
	return appendPoints(make([]base.Point, 0, len(ts)), ts, values), nil
}

func appendPoints(dst []base.Point, ts []int64, values []float64) []base.Point {
	dst = slices.Grow(dst, len(ts))
	for i, t := range ts {
		dst = append(dst, base.Point{TS: t, Value: values[i]})
	}
	return dst
}

// readFile reads a whole file into dst, unless check refuses its size.
func readFile(fs fsys.FS, path string, dst []byte, check func(size int64) error) (data []byte, err error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return nil, fmt.Errorf("size of %s: %w", path, err)
	}
	if err := check(size); err != nil {
		return nil, err
	}
	data = slices.Grow(dst[:0], int(size))[:size]
	if n, err := f.ReadAt(data, 0); n < len(data) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return data, nil
}

// inFile adds the name of the file to an error about its bytes.
func inFile(err error, path string) error {
	var damage *base.CorruptionError
	if !errors.As(err, &damage) {
		return fmt.Errorf("%s: %w", path, err)
	}
	named := *damage
	named.File = path
	return &named
}
