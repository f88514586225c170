package engine

import (
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/memtable"
	"github.com/sydradb/sydradb/internal/segment"
)

// flushWriter writes the points of one frozen memtable: hours in which few series have
// points as one segment file for each, hours with many as packs.
type flushWriter struct {
	*flusher
	ms      int64
	cells   memtable.Snapshot
	catalog *catalog.Catalog

	series []frozenSeries     // by ordinal
	hours  map[int64][]uint32 // by start: which of series have points there
}

// frozenSeries is a series of a frozen memtable.
type frozenSeries struct {
	ordinal  base.Ordinal
	position memtable.Position
}

func newFlushWriter(f *flusher, t *table, ms int64) *flushWriter {
	w := &flushWriter{flusher: f, ms: ms, cells: t.Snapshot(), catalog: f.state.reg.now().catalog}
	w.series = make([]frozenSeries, 0, t.SeriesCount())
	for o, p := range t.Ordinals() {
		w.series = append(w.series, frozenSeries{o, p})
	}
	return w
}

// flushTask is some series in some hours: what one core does at a time. A series is read
// once for all of them, for that may mean to sort it.
type flushTask struct {
	hours  []int64  // ascending
	series []uint32 // ascending
	packs  bool
}

// A task with packs has as many of them under way at once as it has hours, so their
// number is bounded, and that of the entries they keep in memory.
const (
	maxTaskHours    = 24
	maxTaskSegments = 1 << 20
)

// write writes everything, on all cores. After an error the result is the files that
// were written.
func (w *flushWriter) write() ([]manifest.Entry, error) {
	w.findHours()
	tasks := w.packTasks() // first, as each keeps a core busy for long
	tasks = append(tasks, w.segmentTasks()...)
	workers := min(runtime.GOMAXPROCS(0), len(tasks))
	var (
		wg     sync.WaitGroup
		next   atomic.Int64
		parts  = make([][]manifest.Entry, workers)
		faults = make([]error, workers)
		failed atomic.Bool
	)
	for i := range workers {
		wg.Go(func() {
			worker := flushWorker{flushWriter: w}
			worker.scratch.Codec1 = w.segmentCodec1
			for !failed.Load() {
				n := int(next.Add(1)) - 1
				if n >= len(tasks) {
					break
				}
				if err := worker.run(&tasks[n]); err != nil {
					faults[i] = err
					failed.Store(true)
				}
			}
			parts[i] = worker.files
		})
	}
	wg.Wait()
	return slices.Concat(parts...), errors.Join(faults...)
}

// findHours finds which series have points in which hours.
func (w *flushWriter) findHours() {
	w.hours = make(map[int64][]uint32)
	var hours []int64
	for i, s := range w.series {
		hours = w.cells.AppendHours(hours[:0], s.position)
		for _, hour := range hours {
			list := w.hours[hour]
			if len(list) == cap(list) { // doubled, but not beyond what may come
				list = slices.Grow(list, min(len(list)+16, len(w.series)-i))
			}
			w.hours[hour] = append(list, uint32(i))
		}
	}
}

// usesPack is the rule for a bucket in which a job has points of so many series.
func (w *flushWriter) usesPack(series int) bool {
	return w.maxSegmentFiles >= 0 && series > w.maxSegmentFiles
}

// packTasks divides the hours that become packs into tasks.
func (w *flushWriter) packTasks() (tasks []flushTask) {
	var hours []int64
	for _, hour := range slices.Sorted(maps.Keys(w.hours)) {
		if w.usesPack(len(w.hours[hour])) {
			hours = append(hours, hour)
		}
	}
	most := min(maxTaskHours, (len(hours)-1)/runtime.GOMAXPROCS(0)+1)
	for len(hours) > 0 {
		n, segments := 0, 0
		for n < min(most, len(hours)) && (n == 0 || segments+len(w.hours[hours[n]]) <= maxTaskSegments) {
			segments += len(w.hours[hours[n]])
			n++
		}
		task := flushTask{hours: hours[:n], packs: true}
		for _, hour := range task.hours {
			task.series = append(task.series, w.hours[hour]...)
		}
		slices.Sort(task.series)
		task.series = slices.Compact(task.series)
		tasks = append(tasks, task)
		hours = hours[n:]
	}
	return tasks
}

// segmentTasks makes a task of each series that has an hour with segment files.
func (w *flushWriter) segmentTasks() (tasks []flushTask) {
	var hours [][]int64 // of each series; not made where all hours are packs, as those of many series are
	for _, hour := range slices.Sorted(maps.Keys(w.hours)) {
		if series := w.hours[hour]; !w.usesPack(len(series)) {
			if hours == nil {
				hours = make([][]int64, len(w.series))
			}
			for _, i := range series {
				hours[i] = append(hours[i], hour)
			}
		}
	}
	for i := range hours {
		if len(hours[i]) > 0 {
			tasks = append(tasks, flushTask{hours: hours[i], series: []uint32{uint32(i)}})
		}
	}
	return tasks
}

// flushWorker runs tasks in one goroutine.
type flushWorker struct {
	*flushWriter
	files   []manifest.Entry
	columns memtable.Columns
	scratch segment.Buffer
}

func (w *flushWorker) run(t *flushTask) error {
	if t.packs {
		return w.writePacks(t)
	}
	return w.each(t, func(id base.SeriesID, hour int, c columns) error {
		e, err := segment.Create(w.fs, w.ms, id, t.hours[hour], c.times, c.values, &w.scratch)
		if err == nil {
			w.files = append(w.files, e)
		}
		return err
	})
}

// each calls fn with the points of each series and hour of t.
func (w *flushWorker) each(t *flushTask, fn func(id base.SeriesID, hour int, c columns) error) error {
	for _, i := range t.series {
		s := &w.series[i]
		w.columns.Reset()
		w.cells.AppendRange(&w.columns, s.position, t.hours[0], t.hours[len(t.hours)-1]+base.Hour-1)
		id := w.catalog.ID(s.ordinal)
		c := columnsOf(&w.columns)
		for k, hour := range t.hours {
			from, _ := slices.BinarySearch(c.times, hour)
			to, _ := slices.BinarySearch(c.times, hour+base.Hour)
			if from == to {
				continue
			}
			if err := fn(id, k, c.slice(from, to)); err != nil {
				return err
			}
			c = c.slice(to, c.len())
		}
	}
	return nil
}

// writePacks writes the packs of the hours of t side by side.
func (w *flushWorker) writePacks(t *flushTask) error {
	writers := make([]*segment.BucketWriter, len(t.hours))
	defer func() {
		for _, out := range writers {
			if out != nil {
				out.Abort()
			}
		}
	}()
	for k, hour := range t.hours {
		out, err := segment.NewBucketWriter(w.fs, segment.BucketOptions{
			NowMS: w.ms, Bucket: hour, Width: base.Hour,
			Segments: len(w.hours[hour]), MaxSegmentFiles: w.maxSegmentFiles,
			SegmentCodec1: w.segmentCodec1,
		})
		if err != nil {
			return err
		}
		writers[k] = out
	}
	err := w.each(t, func(id base.SeriesID, hour int, c columns) error {
		return writers[hour].Append(id, c.times, c.values)
	})
	for k, out := range writers {
		if err != nil {
			return err
		}
		var files []manifest.Entry
		files, err = out.Finish()
		w.files = append(w.files, files...)
		if err == nil {
			writers[k] = nil
		}
	}
	return err
}
