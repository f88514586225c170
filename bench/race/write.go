package race

import (
	"errors"
	"runtime"

	"github.com/sydradb/sydradb/bench/engine"
	"github.com/sydradb/sydradb/bench/meter"
	"github.com/sydradb/sydradb/bench/workload"
)

// blockPoints is how many points are made ahead, so that making them can be told apart
// from writing them.
const blockPoints = 1 << 18

// feed makes points ahead, block by block, and writes them in batches.
type feed struct {
	source workload.Source
	block  []engine.Point
	batch  int
	faults *Faults
}

func (w *worker) newFeed() *feed {
	// A block ends with the scrape that fills it.
	return &feed{
		source: w.work.Open(),
		block:  make([]engine.Point, 0, blockPoints+2*w.work.Series),
		batch:  w.Batch,
		faults: w.faults(),
	}
}

// fill makes the next block, of one scrape only if first is set.
func (f *feed) fill(first bool) {
	f.block = f.block[:0]
	for len(f.block) < blockPoints {
		before := len(f.block)
		f.block = f.source.Next(f.block)
		if first || len(f.block) == before {
			return
		}
	}
}

// write writes the block.
func (f *feed) write(e engine.Engine) error {
	for points := f.block; len(points) > 0; {
		n := min(f.batch, len(points))
		rejected, err := e.Write(points[:n])
		if err != nil {
			return err
		}
		f.faults.Rejected += int64(rejected)
		points = points[n:]
	}
	return nil
}

// writeAll writes what is left of the source and returns the number of points.
func (f *feed) writeAll(e engine.Engine, m *meter.Meter) (n int64, err error) {
	for {
		m.Outside(func() { f.fill(false) })
		if len(f.block) == 0 {
			return n, nil
		}
		if err := f.write(e); err != nil {
			return n, err
		}
		n += int64(len(f.block))
	}
}

// ingest is the life of a writer: new series with one point each, then all other points
// through their handles, then the end.
func (w *worker) ingest() error {
	f := w.newFeed()
	e, err := w.open(false)
	if err != nil {
		return err
	}
	first, err := w.firstPoints(e, f)
	if err != nil {
		return errors.Join(err, e.Close())
	}
	w.timed("first point", first, int64(w.work.Series))

	m := meter.Start()
	n, err := f.writeAll(e, m)
	if err != nil {
		return errors.Join(err, e.Close())
	}
	w.timed("ingest", m.Cost(), n)
	if err := errors.Join(e.Flush(), e.Close()); err != nil {
		return err
	}
	w.timed("all in", m.Cost(), n)
	_, peak := meter.Resident()
	w.value("peak memory", float64(peak))
	return w.disk("closed")
}

// firstPoints registers all series and writes one point to each.
func (w *worker) firstPoints(e engine.Engine, f *feed) (meter.Cost, error) {
	const ahead = 5000
	names, tags := make([]string, ahead), make([][]engine.Tag, ahead)
	m := meter.Start()
	for begin := 0; begin < w.work.Series; begin += ahead {
		n := min(ahead, w.work.Series-begin)
		m.Outside(func() {
			for i := range n {
				names[i], tags[i] = w.work.Describe(begin+i, tags[i][:0])
			}
		})
		for i := range n {
			if err := e.Register(names[i], tags[i]); err != nil {
				return meter.Cost{}, err
			}
		}
	}
	m.Outside(func() { f.fill(true) })
	err := f.write(e)
	return m.Cost(), err
}

// memory measures what a database with all its points takes beyond an empty program, with
// the handles of all series and then without them. It is a phase of its own, as it keeps
// the processor busy.
func (w *worker) memory() error {
	f := w.newFeed()
	empty := meter.Heap()
	e, err := w.open(false)
	if err != nil {
		return err
	}
	_, err = w.firstPoints(e, f)
	if err == nil {
		_, err = f.writeAll(e, meter.Start())
	}
	if err = errors.Join(err, e.Flush()); err != nil {
		return errors.Join(err, e.Close())
	}
	series := float64(w.work.Series)
	_, peak := meter.Resident()
	w.value("heap with handles", float64(meter.Heap()-empty)/series)
	e.Forget()
	w.value("heap", float64(meter.Heap()-empty)/series)
	resident, _ := meter.Resident()
	w.value("resident", float64(resident)/series)
	w.value("peak over resident", float64(peak-resident))
	runtime.KeepAlive(f) // part of the empty program
	return e.Close()
}

// merge brings the files into their final form.
func (w *worker) merge() error {
	e, err := w.open(false)
	if err != nil {
		return err
	}
	m := meter.Start()
	err = e.Compact()
	w.timed("merge", m.Cost(), w.work.Points)
	_, peak := meter.Resident()
	w.value("merge peak memory", float64(peak))
	if err = errors.Join(err, e.Close()); err != nil {
		return err
	}
	return w.disk("merged")
}

// wal writes all points to the log alone. The process is killed afterwards.
func (w *worker) wal() error {
	f := w.newFeed()
	e, err := w.open(true)
	if err != nil {
		return err
	}
	m := meter.Start()
	if _, err := w.firstPoints(e, f); err != nil {
		return err
	}
	if _, err := f.writeAll(e, m); err != nil {
		return err
	}
	d, err := w.kind.Disk(w.Dir)
	w.value("log", float64(d.Log)/float64(w.work.Points))
	return err
}
