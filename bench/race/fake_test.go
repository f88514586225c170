package race

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/sydradb/sydradb/bench/engine"
)

// fake is an engine in memory that can be told to make mistakes.
type fake struct {
	series     []map[int64]float64
	registered int            // of them, since it was opened
	extra      []engine.Point // points beside those of series: duplicates, and others out of nowhere

	refuse  func(p engine.Point) bool // points that Write refuses
	lose    func(p engine.Point) bool // points that it forgets
	twist   func(p *engine.Point)     // what it does to values and times
	keepOld bool                      // a point that is written again does not win
	twice   bool                      // it does not win, and is there beside the first
}

// Register implements engine.Engine.
func (f *fake) Register(string, []engine.Tag) error {
	if f.registered++; f.registered > len(f.series) {
		f.series = append(f.series, map[int64]float64{})
	}
	return nil
}

// Write implements engine.Engine.
func (f *fake) Write(points []engine.Point) (rejected int, err error) {
	for _, p := range points {
		if f.refuse != nil && f.refuse(p) {
			rejected++
			continue
		}
		if f.lose != nil && f.lose(p) {
			continue
		}
		if f.twist != nil {
			f.twist(&p)
		}
		_, again := f.series[p.Series][p.TS]
		switch {
		case again && f.twice:
			f.extra = append(f.extra, p)
		case again && f.keepOld:
		default:
			f.series[p.Series][p.TS] = p.Value
		}
	}
	return rejected, nil
}

// Read implements engine.Engine.
func (f *fake) Read(visit func(series int, times []int64, values []float64)) error {
	for i, points := range f.series {
		var times []int64
		var values []float64
		for _, ts := range slices.Sorted(maps.Keys(points)) {
			times, values = append(times, ts), append(values, points[ts])
		}
		for _, p := range f.extra {
			if int(p.Series) == i {
				times, values = append(times, p.TS), append(values, p.Value)
			}
		}
		visit(i, times, values)
	}
	for _, p := range f.extra {
		if p.Series < 0 {
			visit(-1, []int64{p.TS}, []float64{p.Value})
		}
	}
	return nil
}

// Sum implements engine.Engine.
func (f *fake) Sum(series int, start, end int64) (sum engine.Sum, err error) {
	for ts, v := range f.series[series] {
		if ts >= start && ts <= end {
			sum.Points++
			sum.Value += v
		}
	}
	return sum, nil
}

// Scan implements engine.Engine.
func (f *fake) Scan() (sum engine.Sum, err error) {
	for i := range f.series {
		one, _ := f.Sum(i, 0, 1<<62)
		sum.Points += one.Points
		sum.Value += one.Value
	}
	return sum, nil
}

// Windows implements engine.Engine, with averages that are wrong.
func (f *fake) Windows(int, engine.Window) (engine.Averages, error) {
	return engine.Averages{Count: 1, Total: 1}, nil
}

// Group implements engine.Engine: it cannot.
func (f *fake) Group(string, []engine.Tag, engine.Window) (engine.Averages, error) {
	return engine.Averages{}, errors.ErrUnsupported
}

// Find implements engine.Engine.
func (f *fake) Find([]engine.Tag) (int, error) { return 1, nil }

// Flush implements engine.Engine.
func (f *fake) Flush() error { return nil }

// Compact implements engine.Engine.
func (f *fake) Compact() error { return nil }

// Forget implements engine.Engine.
func (f *fake) Forget() {}

// Close implements engine.Engine.
func (f *fake) Close() error { return nil }

// kind makes an engine of the race of a fake. Whoever opens it gets the same one: it
// lives in this process only.
func (f *fake) kind(name string) *engine.Kind {
	return &engine.Kind{
		Name: name,
		Open: func(dir string, _ engine.Options) (engine.Engine, error) {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return nil, err
			}
			return f, os.WriteFile(filepath.Join(dir, "points"), make([]byte, 100), 0o644)
		},
		Disk: func(dir string) (engine.Disk, error) {
			return engine.Files(dir, func(string) engine.Part { return engine.Data })
		},
	}
}
