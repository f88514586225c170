package race

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/sydradb/sydradb/bench/engine"
	"github.com/sydradb/sydradb/bench/meter"
	"github.com/sydradb/sydradb/bench/workload"
)

// Questions are asked again and again for enough, after a round that warms up; if that
// round took tooLong, it is the measure.
const (
	enough    = time.Second
	tooLong   = 5 * time.Second
	maxRounds = 50
)

// rounds asks n questions once to warm up, then again for a while. The round checks the
// answers.
func (w *worker) rounds(name string, n int64, round func() error) error {
	m := meter.Start()
	if err := round(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if c := m.Cost(); c.Wall > tooLong {
		w.timed(name, c, n)
		return nil
	}
	m, asked := meter.Start(), int64(0)
	for i := 0; i < maxRounds && (i == 0 || m.Cost().Wall < enough); i++ {
		if err := round(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		asked += n
	}
	w.timed(name, m.Cost(), asked)
	return nil
}

// near reports whether two sums of the same values may differ by the order of adding.
func near(a, b, tolerance float64) bool {
	return a == b || math.Abs(a-b) <= tolerance*max(math.Abs(a), math.Abs(b), 1)
}

// scan reads every point.
func (w *worker) scan() error {
	var want engine.Sum
	columns, _ := w.work.Expect()
	for _, c := range columns {
		want.Points += int64(len(c.Times))
		for _, v := range c.Values {
			want.Value += v
		}
	}
	columns = nil
	return w.opened(func(e engine.Engine) error {
		return w.rounds("scan", w.work.Points, func() error {
			got, err := e.Scan()
			if err == nil && (got.Points != want.Points || !near(got.Value, want.Value, 1e-6)) {
				return fmt.Errorf("%d points that add up to %g, not %d and %g", got.Points, got.Value, want.Points, want.Value)
			}
			return err
		})
	})
}

// question asks for some points of a series.
type question struct {
	series     int
	start, end int64
	want       engine.Sum
}

// questions returns n of them, each for a stretch of time that lies somewhere within the
// workload.
func (w *worker) questions(columns []workload.Column, n int, stretch time.Duration) []question {
	rng := rand.New(rand.NewPCG(7, 7))
	out := make([]question, n)
	room := max(w.work.End-w.work.Start-stretch.Milliseconds(), 0)
	for i := range out {
		q := &out[i]
		q.series = rng.IntN(w.work.Series)
		q.start = w.work.Start + rng.Int64N(room+1)
		q.end = q.start + stretch.Milliseconds() - 1
		c := columns[q.series]
		for j, ts := range c.Times {
			if ts >= q.start && ts <= q.end {
				q.want.Points++
				q.want.Value += c.Values[j]
			}
		}
	}
	return out
}

// ranges reads an hour and six hours of single series.
func (w *worker) ranges() error {
	columns, _ := w.work.Expect()
	hour, six := w.questions(columns, 500, time.Hour), w.questions(columns, 500, 6*time.Hour)
	columns = nil
	return w.opened(func(e engine.Engine) error {
		ask := func(questions []question) func() error {
			return func() error {
				for _, q := range questions {
					got, err := e.Sum(q.series, q.start, q.end)
					if err != nil {
						return err
					}
					if got.Points != q.want.Points || !near(got.Value, q.want.Value, 1e-9) {
						return fmt.Errorf("series %d: %v, not %v", q.series, got, q.want)
					}
				}
				return nil
			}
		}
		if err := w.rounds("series 1 h", int64(len(hour)), ask(hour)); err != nil {
			return err
		}
		return w.rounds("series 6 h", int64(len(six)), ask(six))
	})
}

// averages makes them from what must be stored.
func averages(window engine.Window, columns ...workload.Column) engine.Averages {
	a := engine.Averager{Window: window}
	for _, c := range columns {
		for i, ts := range c.Times {
			if ts >= window.Start && ts < window.End {
				a.Add(ts, c.Values[i])
			}
		}
		a.Finish()
	}
	return a.Finish()
}

// compare reports averages that are not the expected ones.
func compare(got, want engine.Averages) error {
	if got.Count != want.Count || !near(got.Total, want.Total, 1e-9) {
		return fmt.Errorf("%d averages that add up to %g, not %d and %g", got.Count, got.Total, want.Count, want.Total)
	}
	return nil
}

// group averages by the hour the series that share a tag, one of each host.
func (w *worker) group() error {
	columns, _ := w.work.Expect()
	window := engine.Window{Start: w.work.Start, End: w.work.End, Width: time.Hour.Milliseconds()}
	const asked = 20
	want := make([]engine.Averages, asked)
	for i := range want {
		var mine []workload.Column
		for s := range columns {
			if workload.FleetMetric(s) == workload.FleetMetric(i) {
				mine = append(mine, columns[s])
			}
		}
		want[i] = averages(window, mine...)
	}
	columns = nil
	return w.opened(func(e engine.Engine) error {
		return w.rounds("group", asked, func() error {
			for i, want := range want {
				got, err := e.Group(workload.FleetName, []engine.Tag{workload.FleetMetric(i)}, window)
				if err = errors.Join(err, compare(got, want)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// buckets averages all that there is of a series by a thousand windows.
func (w *worker) buckets() error {
	columns, _ := w.work.Expect()
	window := engine.Window{Start: w.work.Start, End: w.work.End, Width: (w.work.End - w.work.Start) / 1000}
	want := make([]engine.Averages, w.work.Series)
	for i := range want {
		want[i] = averages(window, columns[i])
	}
	columns = nil
	return w.opened(func(e engine.Engine) error {
		return w.rounds("buckets", int64(w.work.Series), func() error {
			for i, want := range want {
				got, err := e.Windows(i, window)
				if err = errors.Join(err, compare(got, want)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// lookUp finds one series among all.
func (w *worker) lookUp(e engine.Engine, i int) error {
	key := workload.ManyKey(i)
	n, err := e.Find(key[:])
	if err == nil && n != 1 {
		return fmt.Errorf("found %d series with %v", n, key)
	}
	return err
}

// find looks up single series by two tags.
func (w *worker) find() error {
	const asked = 2000
	e, err := w.open(false)
	if err != nil {
		return err
	}
	err = w.rounds("find", asked, func() error {
		for i := range asked {
			if err := w.lookUp(e, i*(w.work.Series/min(asked, w.work.Series))%w.work.Series); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, e.Close())
}

// reopen opens a database that was closed, until it answers a question.
func (w *worker) reopen() error {
	m := meter.Start()
	e, err := w.open(false)
	if err != nil {
		return err
	}
	err = w.lookUp(e, w.work.Series/2)
	if errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	w.timed("reopen", m.Cost(), 1)
	return errors.Join(err, e.Close())
}

// replay opens a database that was killed with all points in its log.
func (w *worker) replay() error {
	m := meter.Start()
	e, err := w.open(true)
	if err != nil {
		return err
	}
	w.timed("replay", m.Cost(), w.work.Points)
	if err = w.registerAll(e); err == nil {
		err = w.readBack(e)
	}
	return errors.Join(err, e.Close())
}
