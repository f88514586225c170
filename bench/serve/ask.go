package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/sydradb/sydradb/bench/race"
	"github.com/sydradb/sydradb/bench/target"
)

const (
	askFor  = time.Second // of the server's processor time, so that the clock is fine enough
	askMost = 2000        // times
	warm    = 3           // answers that are checked and not measured
	slack   = 1e-12       // relative, of averages: the order of their sum is the server's own
)

// ask starts the server again on what was loaded, with one processor, and asks each
// question over and over, of other times each time.
func (p *Plan) ask(ctx context.Context, kind *target.Kind, dir string, r *Result) (err error) {
	s, err := target.Start(ctx, kind, dir, "GOMAXPROCS=1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	t := newTable(p.Work())
	var failed error
	for _, q := range questions(p.Hosts) {
		if err := p.askOne(ctx, s, &q, t, r); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", q.name, err))
		}
	}
	peak, err := s.Peak()
	r.value("peak memory", float64(peak))
	return errors.Join(failed, err)
}

// askOne measures one question.
func (p *Plan) askOne(ctx context.Context, s *target.Server, q *question, t *table, r *Result) error {
	rng := rand.New(rand.NewPCG(7, uint64(q.hours)))
	end := t.start + t.step*int64(len(t.values[0])-1)
	least, most := t.start, end-int64(q.hours)*3600
	if most < least {
		return errors.New("the load is too short")
	}
	var walls []time.Duration
	var answer []byte
	var start int64
	clock := &clock{server: s}
	for i := 0; len(walls) < max(p.Asks, askMost); i++ {
		if i == warm {
			var err error
			if clock, err = startClock(s); err != nil {
				return err
			}
		}
		start = least + rng.Int64N(most-least+1)
		begin := time.Now()
		var err error
		if answer, err = s.Do(ctx, http.MethodGet, s.Kind.Query+"?"+q.form(start), nil, nil); err != nil {
			return err
		}
		if i < warm {
			if err := q.check(answer, t, start); err != nil {
				return err
			}
			continue
		}
		walls = append(walls, time.Since(begin))
		cpu, _, err := clock.read()
		if err != nil {
			return err
		}
		if len(walls) >= p.Asks && cpu >= askFor {
			break
		}
	}
	cpu, _, err := clock.read()
	if err != nil {
		return err
	}
	if err := q.check(answer, t, start); err != nil {
		return err
	}
	slices.Sort(walls)
	r.Measures = append(r.Measures, race.Measure{
		Name: q.name, CPU: float64(cpu) / float64(len(walls)), Wall: float64(walls[len(walls)/2]),
	})
	r.value(q.name+": bytes", float64(len(answer)))
	r.value(q.name+": asked", float64(len(walls)))
	return nil
}

// form returns the query string from start on, in seconds.
func (q *question) form(start int64) string {
	return url.Values{
		"query": {q.text},
		"start": {strconv.FormatInt(start, 10)},
		"end":   {strconv.FormatInt(start+int64(q.hours)*3600, 10)},
		"step":  {strconv.FormatInt(q.step, 10)},
	}.Encode()
}

// matrix is an answer.
type matrix struct {
	Data struct {
		Result []struct {
			Metric map[string]string `json:"metric"`
			Values [][2]any          `json:"values"`
		} `json:"result"`
	} `json:"data"`
}

// check compares an answer with what the points say.
func (q *question) check(answer []byte, t *table, start int64) error {
	var m matrix
	if err := json.Unmarshal(answer, &m); err != nil {
		return err
	}
	want := q.expect(t, start)
	if len(m.Data.Result) != len(want) {
		return fmt.Errorf("%d series instead of %d", len(m.Data.Result), len(want))
	}
	for _, series := range m.Data.Result {
		key := series.Metric["__name__"]
		if q.average {
			key += " " + series.Metric["hostname"]
		}
		values, found := want[key]
		if !found && len(want) == 1 { // one metric, whose name was dropped
			for _, values = range want {
				found = true
			}
		}
		if !found || len(values) != len(series.Values) {
			return fmt.Errorf("%v: %d values instead of %d", series.Metric, len(series.Values), len(values))
		}
		for i, pair := range series.Values {
			at, _ := pair[0].(float64)
			text, _ := pair[1].(string)
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return fmt.Errorf("value %q: %w", text, err)
			}
			if int64(at) != start+int64(i)*q.step || math.Abs(v-values[i]) > slack*values[i] {
				return fmt.Errorf("%v at %v: %v instead of %v", series.Metric, pair[0], v, values[i])
			}
		}
	}
	return nil
}
