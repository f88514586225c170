package compact

import (
	"context"
	"fmt"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/codec"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/segment"
)

// Source reads the inputs of one job as what they stand for. One goroutine uses it.
type Source interface {
	// Series returns the series that the inputs have points of, in the order in which
	// they are to lie in a pack: that of their ordinals, since series written together
	// have ordinals close together. Each stands there once. The slice is not changed.
	Series() []base.SeriesID
	// Read calls fn with the points of a series, in pieces, ascending in time over all
	// of them. Of points at one time only that of the highest seq comes; points that
	// deletions up to the Applied of the job hide, and those below the horizon, do not.
	// fn keeps none of the slices. An error of fn is returned as it is.
	Read(ctx context.Context, id base.SeriesID, fn func(ts []int64, values []float64) error) error
}

// RunOptions say how a job is run.
type RunOptions struct {
	NowMS           int64 // number of the job, which no other has
	MaxSegmentFiles int   // see segment.BucketOptions
	SegmentCodec1   bool  // see segment.BucketOptions
}

// Run writes what becomes of the job's inputs and returns the entries of the new files,
// complete but for Edit; none if no point is left. Their bytes are durable, their names
// are not until the directory of the job's bucket, and base.SegmentsDir above it, are
// synced: that is left to the caller, as with a flush.
//
// After an error, that of a cancelled context included, all that it wrote is removed.
// The inputs stay as they are. Memory is that of the Source, the writer's index of some
// 50 bytes a series, and a fixed amount beside; it does not grow with the points, but
// for those of one series in one hour where each has a file of its own.
func Run(ctx context.Context, fs fsys.FS, job Job, src Source, o RunOptions) ([]manifest.Entry, error) {
	files, err := write(ctx, fs, &job, src, o)
	if err != nil {
		width := "hour"
		if job.Width == base.Day {
			width = "day"
		}
		return nil, fmt.Errorf("merge %d files of the %s from %s: %w", len(job.Inputs), width,
			time.Unix(0, job.Bucket).UTC().Format("2006-01-02T15:04Z"), err)
	}
	for i := range files {
		e := &files[i]
		e.Seq, e.Wall = job.Seq, job.Wall
		if job.Applied > job.Seq {
			e.Applied = job.Applied // else it is what 0 stands for
		}
	}
	return files, nil
}

// write copies the points of the source into new files, which are read often and written
// seldom: they take what encoding takes to be small.
func write(ctx context.Context, fs fsys.FS, job *Job, src Source, o RunOptions) (_ []manifest.Entry, err error) {
	series := src.Series()
	w, err := segment.NewBucketWriter(fs, segment.BucketOptions{
		NowMS:           o.NowMS,
		Bucket:          job.Bucket,
		Width:           job.Width,
		Segments:        len(series),
		MaxSegmentFiles: o.MaxSegmentFiles,
		Policy:          codec.Balanced,
		SegmentCodec1:   o.SegmentCodec1,
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			w.Abort()
		}
	}()
	var id base.SeriesID
	appendPoints := func(ts []int64, values []float64) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return w.Append(id, ts, values)
	}
	for _, id = range series {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := src.Read(ctx, id, appendPoints); err != nil {
			return nil, fmt.Errorf("series %x: %w", uint64(id), err)
		}
	}
	return w.Finish()
}
