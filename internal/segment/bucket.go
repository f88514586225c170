package segment

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/codec"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
)

// BucketOptions say what a job writes into one bucket.
type BucketOptions struct {
	NowMS         int64 // number of the job; it writes into the bucket once
	Bucket, Width int64 // as in PackOptions
	// Segments is how many series the job writes into the bucket, or somewhat more.
	Segments int
	// MaxSegmentFiles is the greatest number of segment files that one job may write into
	// an hour: with more, or 0, there are packs; with a negative number never.
	MaxSegmentFiles int
	// Policy of the codecs: Fast for what is merged soon.
	Policy codec.Policy
	// SegmentCodec1 makes segment files in codec 1, see Buffer. Packs have codec 2.
	SegmentCodec1 bool
}

// packs reports whether the job writes packs. Days always are.
func (o *BucketOptions) packs() bool {
	return o.Width != base.Hour || o.MaxSegmentFiles >= 0 && o.Segments > o.MaxSegmentFiles || o.MaxSegmentFiles == 0
}

// packLimits are what a pack is closed at, before the next series.
type packLimits struct {
	bytes, indexBytes, points int64
	series                    int
}

// defaultLimits leave room for the last series. That of the index bounds memory.
var defaultLimits = packLimits{
	bytes:      MaxPackBytes - MaxPackBytes/16,
	indexBytes: 64 << 20,
	points:     maxPoints / 2,
	series:     MaxPackSegments,
}

// BucketWriter writes what one job has for one bucket: a segment file for each series, or
// packs, which are disjoint in series. It belongs to one goroutine. An error of any
// method is final.
type BucketWriter struct {
	fs     fsys.FS
	opts   BucketOptions
	limits packLimits
	files  []manifest.Entry
	err    error

	id   base.SeriesID
	open bool
	pack *PackWriter
	part int

	// Of the series at hand, where each has a file of its own.
	ts      []int64
	values  []float64
	scratch Buffer
}

// NewBucketWriter returns a writer. Nothing is made before there are points.
func NewBucketWriter(fs fsys.FS, opts BucketOptions) (*BucketWriter, error) {
	if err := validBucket(opts.Bucket, opts.Width); err != nil {
		return nil, fmt.Errorf("write bucket: %w", err)
	}
	return &BucketWriter{
		fs: fs, opts: opts, limits: defaultLimits,
		scratch: Buffer{Policy: opts.Policy, Codec1: opts.SegmentCodec1},
	}, nil
}

// Append adds points of series id, under the rules of PackWriter.Append. A series must not
// come back: it would be in two files.
func (w *BucketWriter) Append(id base.SeriesID, ts []int64, values []float64) error {
	if w.err != nil {
		return w.err
	}
	if len(ts) == 0 && len(values) == 0 {
		return nil
	}
	err := w.turn(id)
	if err == nil {
		if w.pack != nil {
			err = w.pack.Append(id, ts, values)
		} else {
			w.ts, w.values = append(w.ts, ts...), append(w.values, values...)
		}
	}
	w.err = err
	return err
}

// turn makes id the series at hand.
func (w *BucketWriter) turn(id base.SeriesID) error {
	if w.open && w.id == id {
		return nil
	}
	if !w.opts.packs() {
		err := w.writeSegment()
		w.id, w.open = id, true
		return err
	}
	if w.pack != nil && w.full() {
		if err := w.finishPack(); err != nil {
			return err
		}
	}
	w.id, w.open = id, true
	if w.pack != nil {
		return nil
	}
	var err error
	w.pack, err = CreatePack(w.fs, PackOptions{
		NowMS: w.opts.NowMS, Bucket: w.opts.Bucket, Width: w.opts.Width, Part: w.part, Policy: w.opts.Policy,
	})
	w.part++
	return err
}

// full reports whether no other series fits into the pack.
func (w *BucketWriter) full() bool {
	p, l := w.pack, &w.limits
	return p.Size() >= l.bytes || p.IndexBytes() >= l.indexBytes || p.Points() >= l.points || p.Len() >= l.series
}

func (w *BucketWriter) finishPack() error {
	e, err := w.pack.Finish()
	w.pack = nil
	if err == nil {
		w.files = append(w.files, e)
	}
	return err
}

// writeSegment writes the file of the series at hand, if there is one.
func (w *BucketWriter) writeSegment() error {
	if !w.open {
		return nil
	}
	e, err := Create(w.fs, w.opts.NowMS, w.id, w.opts.Bucket, w.ts, w.values, &w.scratch)
	if err != nil {
		return err
	}
	w.files = append(w.files, e)
	w.ts, w.values = w.ts[:0], w.values[:0]
	return nil
}

// Finish completes the last file and returns the entries of all, but for Seq, Edit, Wall
// and Applied; none if there were no points. The files' bytes are then durable, their
// names are not until the directory of the bucket, and base.SegmentsDir above it, are
// synced. After an error, call Abort.
func (w *BucketWriter) Finish() ([]manifest.Entry, error) {
	if w.err != nil {
		return nil, w.err
	}
	var err error
	switch {
	case w.pack != nil:
		err = w.finishPack()
	default:
		err = w.writeSegment()
	}
	if err != nil {
		w.err = err
		return nil, err
	}
	w.err = errFinished
	return slices.Clip(w.files), nil
}

// Abort removes all that the writer has made, finished files as well. After Finish
// returned entries it does nothing: the files are then the caller's.
func (w *BucketWriter) Abort() {
	if errors.Is(w.err, errFinished) {
		return
	}
	w.err = errFinished
	if w.pack != nil {
		w.pack.Abort()
	}
	for i := range w.files {
		// What cannot be removed now goes when the database opens: nothing names it.
		_ = w.fs.Remove(w.files[i].Path)
	}
	w.files = nil
}
