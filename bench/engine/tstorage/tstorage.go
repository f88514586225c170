//go:build peers

// Package tstorage races tstorage, an embedded time-series store. It finds series by
// their whole name only and has no averages.
package tstorage

import (
	"errors"
	"math"
	"strings"
	"time"

	"github.com/nakabonne/tstorage"

	"github.com/sydradb/sydradb/bench/engine"
)

// Kind is tstorage.
var Kind = &engine.Kind{
	Name:       "tstorage",
	Module:     "github.com/nakabonne/tstorage",
	Durability: "in a buffer of 4 KiB before the log: kill -9 loses what is in it, a power cut what the system had not written (default)",
	Settings:   "timestamps in milliseconds; retention a hundred years, or it deletes the data",
	Open:       open,
	Disk:       disk,
	Once:       true,
	Skips: map[string]string{
		"w2":  "it takes 8 KiB of memory for each series of an hour",
		"wal": "it has no setting that keeps points in the log",

		"scan": "for each series of a partition it reads the file to its end",
	},
}

type db struct {
	tstorage.Storage
	rows   []tstorage.Row
	series []series
}

type series struct {
	name   string
	labels []tstorage.Label
}

func open(dir string, _ engine.Options) (engine.Engine, error) {
	s, err := tstorage.NewStorage(
		tstorage.WithDataPath(dir),
		tstorage.WithTimestampPrecision(tstorage.Milliseconds),
		tstorage.WithRetention(100*365*24*time.Hour),
	)
	return &db{Storage: s}, err
}

// Register implements engine.Engine.
func (db *db) Register(name string, tags []engine.Tag) error {
	s := series{name: name, labels: make([]tstorage.Label, len(tags))}
	for i, t := range tags {
		s.labels[i] = tstorage.Label{Name: t.Key, Value: t.Value}
	}
	db.series = append(db.series, s)
	return nil
}

// Write implements engine.Engine.
func (db *db) Write(points []engine.Point) (rejected int, err error) {
	db.rows = db.rows[:0]
	for _, p := range points {
		s := &db.series[p.Series]
		db.rows = append(db.rows, tstorage.Row{
			Metric: s.name, Labels: s.labels,
			DataPoint: tstorage.DataPoint{Timestamp: p.TS, Value: p.Value},
		})
	}
	return 0, db.InsertRows(db.rows)
}

// Flush implements engine.Engine: only Close does that.
func (db *db) Flush() error { return nil }

// Compact implements engine.Engine: there is no such thing.
func (db *db) Compact() error { return nil }

// Forget implements engine.Engine.
func (db *db) Forget() { db.series, db.rows = nil, nil }

// points returns those of a series from start on and before end.
func (db *db) points(i int, start, end int64) ([]*tstorage.DataPoint, error) {
	s := &db.series[i]
	points, err := db.Select(s.name, s.labels, start, end)
	if errors.Is(err, tstorage.ErrNoDataPoints) {
		return nil, nil
	}
	return points, err
}

// Scan implements engine.Engine, series by series: the engine does not list them.
func (db *db) Scan() (engine.Sum, error) {
	var sum engine.Sum
	for i := range db.series {
		one, err := db.Sum(i, 1, math.MaxInt64-1)
		if err != nil {
			return sum, err
		}
		sum.Points += one.Points
		sum.Value += one.Value
	}
	return sum, nil
}

// Sum implements engine.Engine.
func (db *db) Sum(series int, start, end int64) (engine.Sum, error) {
	points, err := db.points(series, start, end+1)
	sum := engine.Sum{Points: int64(len(points))}
	for _, p := range points {
		sum.Value += p.Value
	}
	return sum, err
}

// Read implements engine.Engine, series by series as Scan does.
func (db *db) Read(visit func(series int, times []int64, values []float64)) error {
	var times []int64
	var values []float64
	for i := range db.series {
		points, err := db.points(i, 1, math.MaxInt64)
		if err != nil {
			return err
		}
		times, values = times[:0], values[:0]
		for _, p := range points {
			times, values = append(times, p.Timestamp), append(values, p.Value)
		}
		visit(i, times, values)
	}
	return nil
}

// Windows implements engine.Engine with averages made here.
func (db *db) Windows(series int, w engine.Window) (engine.Averages, error) {
	a := engine.Averager{Window: w}
	points, err := db.points(series, w.Start, w.End)
	for _, p := range points {
		a.Add(p.Timestamp, p.Value)
	}
	return a.Finish(), err
}

// Group implements engine.Engine: tags cannot be searched.
func (db *db) Group(string, []engine.Tag, engine.Window) (engine.Averages, error) {
	return engine.Averages{}, errors.ErrUnsupported
}

// Find implements engine.Engine: tags cannot be searched.
func (db *db) Find([]engine.Tag) (int, error) { return 0, errors.ErrUnsupported }

// Disk of a database.
func disk(dir string) (engine.Disk, error) {
	return engine.Files(dir, func(file string) engine.Part {
		switch {
		case strings.HasPrefix(file, "wal/"):
			return engine.Log
		case strings.HasSuffix(file, "/data"):
			return engine.Data
		}
		return engine.Index
	})
}
