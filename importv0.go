package sydradb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/v0"
)

// ImportOptions are the settings of [ImportV0]. The zero value of each field means its
// default.
type ImportOptions struct {
	// Unit is what the times of the source count. Default time.Second.
	Unit time.Duration
}

// ImportStats says what [ImportV0] read.
type ImportStats struct {
	Series     int64 `json:"series"`
	Segments   int64 `json:"segments"`
	LogRecords int64 `json:"log_records"`
	Points     int64 `json:"points"` // points written twice count twice

	// Notes are sentences on what could not be taken over: the unfinished end of the
	// log, which a crash leaves, and tags that no series can have.
	Notes []string `json:"notes,omitempty"`
}

// ImportV0 reads the database of version 0 in src into a new database in dst, which
// must be missing or empty. src must not be open in another process; it is not changed.
//
// Every point comes over, of those with equal series and time the last one written.
// Version 0 knew its series by number only, so they have tags but no names; see
// [DB.SeriesByID]. A time that does not fit into [MinTime] to [MaxTime] is an error.
// Damaged bytes are a [*CorruptionError], a directory of something else is
// [ErrNotDatabase]; of the end of the newest log, where a crash
// leaves an unfinished record, only a note is made.
//
// The work is done in dst+".tmp", which takes its final name at the end and is removed
// after an error. What a killed import has left there, the next one removes.
func ImportV0(ctx context.Context, src, dst string, opts ImportOptions) (stats ImportStats, err error) {
	fail := func(err error) error { return fmt.Errorf("sydradb: import %s: %w", src, err) }
	if opts.Unit == 0 {
		opts.Unit = time.Second
	}
	if opts.Unit < 0 {
		return stats, fail(fmt.Errorf("the unit of time %v is negative", opts.Unit))
	}
	source, err := fsys.OS(src)
	if err != nil {
		return stats, fail(err)
	}
	defer func() { err = errors.Join(err, closeFS(source)) }()
	dir, err := v0.Open(source)
	if errors.Is(err, v0.ErrNotV0) {
		err = fmt.Errorf("%w: %w", ErrNotDatabase, err)
	}
	if err != nil {
		return stats, fail(err)
	}
	err = buildDir(dst, func(_ fsys.FS, path string) error { return importInto(ctx, dir, path, opts.Unit, &stats) })
	if err != nil {
		return stats, fail(err)
	}
	return stats, nil
}

// importInto makes a database at path with all that src holds.
func importInto(ctx context.Context, src *v0.Dir, path string, unit time.Duration, stats *ImportStats) (err error) {
	// Durability counts at the end, when Close sees to it.
	db, err := Open(path, &Options{Sync: SyncNone})
	if err != nil {
		return err
	}
	in := importer{ctx: ctx, db: db, unit: int64(unit), tags: src.Tags(), series: make(map[SeriesID]*Series), batch: db.NewBatch()}
	read, err := src.Points(in.add)
	if err == nil {
		err = in.write()
	}
	if err == nil {
		err = ctx.Err() // a write may have been quicker than its end
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	stats.Series = int64(len(in.series))
	stats.Segments, stats.LogRecords, stats.Points = read.Segments, read.LogRecords, read.Points
	stats.Notes = src.Odd()
	if t := read.Torn; t != nil {
		stats.Notes = append(stats.Notes, fmt.Sprintf("%s ends in %d bytes, from offset %d on, that are no record: %v",
			t.File, t.Bytes, t.Offset, t.Err))
	}
	return nil
}

// importBatch is how many points an import writes at once.
const importBatch = 8192

// importer writes the points of a version 0 directory to a database, in their order.
type importer struct {
	ctx    context.Context
	db     *DB
	unit   int64 // nanoseconds
	tags   map[SeriesID][]Tag
	series map[SeriesID]*Series // met so far
	batch  *Batch
	id     SeriesID // of last
	last   *Series
}

// add takes over one point, whose time is in the importer's unit.
func (in *importer) add(id base.SeriesID, ts int64, value float64) error {
	if ts < MinTime/in.unit || ts > MaxTime/in.unit {
		return fmt.Errorf("series %d has a point at %d times %v, outside the accepted range of about 1823 to 2116",
			uint64(id), ts, time.Duration(in.unit))
	}
	if in.last == nil || in.id != id {
		s, err := in.resolve(id)
		if err != nil {
			return fmt.Errorf("series %d: %w", uint64(id), err)
		}
		in.id, in.last = id, s
	}
	in.batch.Add(in.last, ts*in.unit, value)
	if in.batch.Len() < importBatch {
		return nil
	}
	return in.write()
}

func (in *importer) resolve(id SeriesID) (*Series, error) {
	if s, ok := in.series[id]; ok {
		return s, nil
	}
	s, err := in.db.e.ResolveID(id, in.tags[id])
	if err != nil {
		return nil, err
	}
	in.series[id] = (*Series)(s)
	return in.series[id], nil
}

func (in *importer) write() error {
	if err := in.db.Write(in.ctx, in.batch); err != nil {
		return err
	}
	in.batch.Reset()
	return nil
}
