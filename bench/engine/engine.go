// Package engine is what the race asks of a database: a small interface, and an adapter
// for each engine in a package below this one.
//
// An adapter does each thing in the way that its engine does it fastest with the same
// promise, and nothing by itself that the engine leaves out: what an engine cannot do is
// errors.ErrUnsupported and a dash in the table. All times are Unix milliseconds, which
// each of the engines holds.
//
// An Engine is for one goroutine at a time.
package engine

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
)

// Tag is one key and value of a series.
type Tag struct{ Key, Value string }

// Point is a value of a series at a time.
type Point struct {
	TS     int64 // Unix milliseconds
	Value  float64
	Series int32 // number of the series, in the order of Register, from 0
}

// Sum is what a reader made of the points that it was asked for.
type Sum struct {
	Points int64
	Value  float64 // of all of them, added up in the engine's own order
}

// Window is a question for averages: those of each run of Width milliseconds from Start
// on, each start included and each end not, up to End, which is not included.
type Window struct{ Start, End, Width int64 }

// Averages is the answer to it: how many windows had points, over all series, and their
// averages added up, so that answers can be compared.
type Averages struct {
	Count int64
	Total float64
}

// Options say what is special about a run. The zero value is the engine's default.
type Options struct {
	HoldAll bool  // keep all points in the log and in memory until Close
	LateMS  int64 // points come this late, at most
}

// Engine is an open database.
type Engine interface {
	// Register prepares the handle of the next series. It keeps neither tags nor name
	// unless it copies them.
	Register(name string, tags []Tag) error
	// Write stores points until the engine acknowledges them, as one batch, and returns
	// how many of them it refused. The slice is not kept.
	Write(points []Point) (rejected int, err error)
	// Flush moves points from memory to files, where the engine has such a step.
	Flush() error
	// Compact merges what is stored as far as the engine will.
	Compact() error
	// Forget drops the handles, so that memory can be measured without them.
	Forget()

	// Scan reads every point.
	Scan() (Sum, error)
	// Sum reads the points of a registered series from start to end, both included.
	Sum(series int, start, end int64) (Sum, error)
	// Read visits every point, as the engine returns them: all points of a series in one
	// call, under its number, or -1 if it was never registered. The slices are valid
	// during the call.
	Read(visit func(series int, times []int64, values []float64)) error
	// Windows averages the points of a registered series.
	Windows(series int, w Window) (Averages, error)
	// Group averages the points of each series that has the name and the tags.
	Group(name string, tags []Tag, w Window) (Averages, error)
	// Find returns the number of series that have these tags.
	Find(tags []Tag) (int, error)

	// Close makes everything durable and lets go of the directory.
	Close() error
}

// Kind is an engine that can be raced.
type Kind struct {
	Name       string
	Module     string // its Go module, whose version the report states
	Durability string // what an acknowledgement promises, as the race runs it
	Settings   string // what the race sets that is not the default, and why

	// Once says that the engine is so slow that one run has to do.
	Once bool
	// Skips are the workloads and phases that the engine is left out of, with the reason.
	Skips map[string]string

	Open func(dir string, o Options) (Engine, error)
	// Disk splits the files of a directory that is not open.
	Disk func(dir string) (Disk, error)
}

// Version returns the version of the kind's module in this program.
func (k *Kind) Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range info.Deps {
		if m.Path == k.Module && m.Version != "(devel)" {
			return m.Version
		}
	}
	return "of this source tree"
}

// Disk is what a database takes on disk, in bytes.
type Disk struct {
	Data  int64 `json:"data"`  // points
	Index int64 `json:"index"` // everything by which they are found
	Log   int64 `json:"log"`   // what is read again after a crash
}

// Part is a share of Disk.
type Part uint8

// The parts.
const (
	Data Part = iota
	Index
	Log
)

// Add adds bytes to a part.
func (d *Disk) Add(p Part, bytes int64) {
	switch p {
	case Data:
		d.Data += bytes
	case Index:
		d.Index += bytes
	case Log:
		d.Log += bytes
	}
}

// Files sums up the files below dir; part says what each is for, by its path in dir with
// slashes.
func Files(dir string, part func(path string) Part) (Disk, error) {
	var sum Disk
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil // removed in the background
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		sum.Add(part(filepath.ToSlash(rel)), info.Size())
		return nil
	})
	return sum, err
}
