//go:build peers

// Package prometheus races the storage engine of Prometheus, package tsdb.
package prometheus

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/sydradb/sydradb/bench/engine"
)

// Kind is Prometheus tsdb.
var Kind = &engine.Kind{
	Name:       "prometheus",
	Module:     "github.com/prometheus/prometheus",
	Durability: "in the log, written to the system by pages: kill -9 loses nothing, a power cut what the system had not written",
	Settings: "tsdb.DefaultOptions; retention ten years, or it deletes the data; blocks up to 31 days, as the server " +
		"does with such a retention; an out-of-order window of two hours where points come late; no compaction where all points are to stay in the log",
	Skips: map[string]string{"year": "compacting a year of one series, two hours at a time, takes it more than eight minutes"},
	Open:  open,
	Disk:  disk,
}

// nameLabel holds the name of a series.
const nameLabel = "__name__"

type db struct {
	*tsdb.DB
	ctx    context.Context
	labels []labels.Labels // empty once the engine gave a reference
	refs   []storage.SeriesRef
}

func open(dir string, o engine.Options) (engine.Engine, error) {
	options := tsdb.DefaultOptions()
	options.RetentionDuration = (10 * 365 * 24 * time.Hour).Milliseconds()
	options.MaxBlockDuration = (31 * 24 * time.Hour).Milliseconds()
	if o.LateMS > 0 {
		options.OutOfOrderTimeWindow = (2 * time.Hour).Milliseconds()
	}
	d, err := tsdb.Open(dir, slog.New(slog.DiscardHandler), nil, options, nil)
	if err != nil {
		return nil, err
	}
	if o.HoldAll {
		d.DisableCompactions()
	}
	return &db{DB: d, ctx: context.Background()}, nil
}

// Register implements engine.Engine. The reference comes with the first point.
func (db *db) Register(name string, tags []engine.Tag) error {
	pairs := make([]labels.Label, 0, 1+len(tags))
	pairs = append(pairs, labels.Label{Name: nameLabel, Value: name})
	for _, t := range tags {
		if t.Value != "" { // which is to the engine as if it were not there
			pairs = append(pairs, labels.Label{Name: t.Key, Value: t.Value})
		}
	}
	db.labels = append(db.labels, labels.New(pairs...))
	db.refs = append(db.refs, 0)
	return nil
}

// Write implements engine.Engine.
func (db *db) Write(points []engine.Point) (rejected int, err error) {
	app := db.Appender(db.ctx)
	for i := range points {
		p := &points[i]
		ref, err := app.Append(db.refs[p.Series], db.labels[p.Series], p.TS, p.Value)
		switch {
		case err != nil && refused(err):
			rejected++
		case err != nil:
			return rejected, errors.Join(err, app.Rollback())
		case db.refs[p.Series] == 0:
			db.refs[p.Series] = ref
			db.labels[p.Series] = labels.EmptyLabels()
		}
	}
	return rejected, app.Commit()
}

// refused reports whether an error concerns one point alone.
func refused(err error) bool {
	return errors.Is(err, storage.ErrOutOfOrderSample) || errors.Is(err, storage.ErrTooOldSample) ||
		errors.Is(err, storage.ErrOutOfBounds) || errors.Is(err, storage.ErrDuplicateSampleForTimestamp)
}

// Flush implements engine.Engine. The head is the engine's working state: it stays.
func (db *db) Flush() error { return nil }

// Compact implements engine.Engine: what is in the head goes to blocks of two hours, and
// blocks are merged as in the background.
func (db *db) Compact() error {
	if err := db.DB.Compact(db.ctx); err != nil {
		return err
	}
	block := (2 * time.Hour).Milliseconds()
	start, last := db.Head().MinTime(), db.Head().MaxTime() // no time at all in an empty head
	for start <= last {
		end := min(start-start%block+block-1, last)
		if err := db.CompactHead(tsdb.NewRangeHead(db.Head(), start, end)); err != nil {
			return err
		}
		start = end + 1
	}
	if err := db.CompactOOOHead(db.ctx); err != nil {
		return err
	}
	return db.DB.Compact(db.ctx)
}

// Forget implements engine.Engine.
func (db *db) Forget() { db.labels, db.refs = nil, nil }

// Disk of a database: the files of mapped chunks of the head belong to its log.
func disk(dir string) (engine.Disk, error) {
	return engine.Files(dir, func(file string) engine.Part {
		top, rest, _ := strings.Cut(file, "/")
		switch {
		case top == "wal" || top == "wbl" || top == "chunks_head":
			return engine.Log
		case strings.HasPrefix(rest, "chunks/"):
			return engine.Data
		}
		return engine.Index
	})
}
