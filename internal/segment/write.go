package segment

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"path"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/codec"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
)

// Buffer says how Create encodes files, and is memory that it uses again from one to the
// next. The zero value is ready, for files that are merged soon. It serves one call at a
// time.
type Buffer struct {
	// Policy of codec 2.
	Policy codec.Policy
	// Codec1 makes files in codec 1, which version 0 reads. One of more than 65,536 points
	// is in codec 1 anyway.
	Codec1 bool

	data    []byte
	encoder codec.Encoder
}

// Create writes the segment file of one series and hour and returns its manifest entry,
// but for Seq, Edit and Wall, which are the caller's to fill in. It refuses what Encode
// refuses and an hour that is not the start of one. nowMS is the number of the job; a
// name with these points and this number must never have existed.
//
// The file's bytes are durable when Create returns, its name is not: a flush writes
// thousands of files and then syncs each hour's directory, and base.SegmentsDir above
// it, once. The hour's directory is made if it is missing. After an error nothing but
// perhaps a temporary file is left. ts, values and scratch belong to the caller again;
// calls with different buffers may run at the same time.
func Create(fs fsys.FS, nowMS int64, id base.SeriesID, hour int64, ts []int64, values []float64, scratch *Buffer) (manifest.Entry, error) {
	entry, err := encodeFile(scratch, nowMS, id, hour, ts, values)
	if err != nil {
		return manifest.Entry{}, err
	}
	err = fsys.WriteFileUnlisted(fs, entry.Path, scratch.data)
	if errors.Is(err, iofs.ErrNotExist) {
		// The first file of its hour, most likely.
		if err = fs.MkdirAll(path.Dir(entry.Path)); err == nil {
			err = fsys.WriteFileUnlisted(fs, entry.Path, scratch.data)
		}
	}
	if err != nil {
		return manifest.Entry{}, fmt.Errorf("create segment: %w", err)
	}
	return entry, nil
}

// encodeFile leaves the bytes of a file in scratch and returns its entry.
func encodeFile(scratch *Buffer, nowMS int64, id base.SeriesID, hour int64, ts []int64, values []float64) (manifest.Entry, error) {
	if base.BucketStart(hour) != hour {
		return manifest.Entry{}, fmt.Errorf("segment of series %x: %d is not the start of an hour", uint64(id), hour)
	}
	var encoder *codec.Encoder
	if !scratch.Codec1 {
		encoder = &scratch.encoder
		encoder.Policy = scratch.Policy
	}
	data, err := appendFile(scratch.data[:0], encoder, id, hour, ts, values)
	if err != nil {
		return manifest.Entry{}, err
	}
	scratch.data = data
	start, end := ts[0], ts[len(ts)-1]
	return manifest.Entry{
		SeriesID:   id,
		HourBucket: hour,
		StartTS:    start,
		EndTS:      end,
		Count:      len(ts),
		Path:       base.SegmentFile(hour, id, start, end, nowMS),
		Bytes:      int64(len(data)),
		BLAKE3:     SumBLAKE3(data),
	}, nil
}

// Write writes points, which must rise in time and lie within the hour, as one segment
// file in codec 1 below the directory dir of fs ("" for its root), durable with its name
// when Write returns. The path returned is relative to dir. It refuses what Create refuses.
//
// Having no clock, it takes as the job's number the first one above those of the files
// in the hour's directory, so two calls for one hour must not run at the same time.
// The engine uses Create instead.
func Write(fs fsys.FS, dir string, seriesID base.SeriesID, hour int64, points []base.Point) (string, error) {
	ts, values := make([]int64, len(points)), make([]float64, len(points))
	for i, p := range points {
		ts[i], values[i] = p.TS, p.Value
	}
	hourDir := path.Join(dir, base.SegmentDir(hour))
	nowMS, err := nextJob(fs, hourDir)
	if err != nil {
		return "", err
	}
	scratch := Buffer{Codec1: true}
	entry, err := encodeFile(&scratch, nowMS, seriesID, hour, ts, values)
	if err != nil {
		return "", err
	}
	if err = fs.MkdirAll(hourDir); err == nil {
		err = fsys.WriteFileUnlisted(fs, path.Join(dir, entry.Path), scratch.data)
	}
	// The file's name, then those of the directories that may be new.
	for _, d := range []string{hourDir, path.Dir(hourDir), dir} {
		if err == nil {
			err = fs.SyncDir(d)
		}
	}
	if err != nil {
		return "", fmt.Errorf("write segment: %w", err)
	}
	return entry.Path, nil
}

// nextJob returns a number above those of all segment files in dir.
func nextJob(fs fsys.FS, dir string) (int64, error) {
	names, err := fs.List(dir)
	if errors.Is(err, iofs.ErrNotExist) {
		return 1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("list segments: %w", err)
	}
	next := int64(1)
	for _, n := range names {
		if job, ok := base.SegmentJob(n.Name); ok {
			next = max(next, job+1)
		}
	}
	return next, nil
}
