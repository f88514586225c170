//go:build linux

package torture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// A stream is one client of the soak. At each tick it writes a point for each of its slots, a
// minute after the one before, so that data for days passes by within an hour. What is
// to be read follows from the number of ticks alone: no ledger of an hour is kept.
//
//	late slots       send their points lateBy ticks later, into hours that are in files already
//	corrected slots  send their points once more, with another value, correctedBy ticks later
//	punched slots    have every holeEvery ticks a hole of some points deleted
//	all of them      become another series every lifeTicks ticks, and lose what is older than
//	                 the window of ticks that is kept
type stream struct {
	protocol protocol
	grid     grid
	slots    int
	window   int // ticks that are kept
	http     *http.Client

	mu    sync.Mutex
	next  int // ticks that are done
	floor int // ticks below are deleted, or about to be
}

const (
	lateBy      = 45
	correctedBy = 20
	holeEvery   = 60 // ticks; the points holeFirst to holeLast of each such many
	holeFirst   = 5
	holeLast    = 9
	holeAt      = 50 // when they are deleted
	settled     = 60 // ticks after which a point does not change any more
	lifeTicks   = 1200
	floorEvery  = 100 // ticks between deletions of what is too old
)

func late(slot int) bool      { return slot%7 == 3 }
func corrected(slot int) bool { return slot%5 == 2 && !late(slot) }
func punched(slot int) bool   { return slot%40 == 1 && !late(slot) }

// newStream makes a stream of that many slots, whose first point is at start.
func newStream(t testing.TB, p protocol, slots, window int, start time.Time) *stream {
	t.Helper()
	s := &stream{
		protocol: p, slots: slots, window: window, http: newHTTP(),
		grid: grid{p.name, start.Truncate(time.Hour).UnixNano(), int64(time.Minute), finite},
	}
	t.Cleanup(s.http.CloseIdleConnections)
	return s
}

// series is the text of the series that point i of a slot belongs to.
func (s *stream) series(slot, i int) string {
	return fmt.Sprintf(`soak{c="%s",pod="%d",slot="%d"}`, s.protocol.name, (i+lifeTicks*slot/s.slots)/lifeTicks, slot)
}

// at returns what point i of a slot is after so many ticks.
func (s *stream) at(slot, i, next int) (bits uint64, there bool) {
	version := 0
	switch {
	case late(slot):
		there = i+lateBy < next
	case punched(slot) && i%holeEvery >= holeFirst && i%holeEvery <= holeLast:
		there = i < next && i-i%holeEvery+holeAt >= next
	default:
		there = i < next
	}
	if corrected(slot) && i+correctedBy < next {
		version = 1
	}
	return s.grid.bits(s.series(slot, i), i, version), there && i >= 0
}

// selector selects the series of a slot, or all with slot -1, in PromQL and in our own queries.
func (s *stream) selector(slot int) string {
	if slot < 0 {
		return fmt.Sprintf(`soak{c="%s"}`, s.protocol.name)
	}
	return fmt.Sprintf(`soak{c="%s",slot="%d"}`, s.protocol.name, slot)
}

// tick sends what is due, and returns the number of its points.
func (s *stream) tick(base string) (points int, err error) {
	i := s.next // written by this goroutine alone
	var runs []run
	add := func(slot, i, version int) {
		if i >= 0 {
			runs = append(runs, run{s.series(slot, i), i, 1, version})
		}
	}
	for slot := range s.slots {
		if late(slot) {
			add(slot, i-lateBy, 0)
			continue
		}
		add(slot, i, 0)
		if corrected(slot) {
			add(slot, i-correctedBy, 1)
		}
	}
	if err := s.write(base, &request{Runs: runs}); err != nil {
		return 0, err
	}
	if i%holeEvery == holeAt {
		for slot := range s.slots {
			first := i - holeAt + holeFirst
			if punched(slot) {
				err = errors.Join(err, s.erase(base, s.selector(slot), s.grid.time(first), s.grid.time(i-holeAt+holeLast)))
			}
		}
	}
	if floor := i - s.window; i%floorEvery == 0 && floor > 0 {
		s.mu.Lock()
		s.floor = floor
		s.mu.Unlock()
		err = errors.Join(err, s.erase(base, s.selector(-1), s.grid.Start, s.grid.time(floor)-1))
	}
	s.mu.Lock()
	s.next++
	s.mu.Unlock()
	return len(runs), err
}

// write sends points until they are acknowledged.
func (s *stream) write(base string, r *request) error {
	body := s.protocol.encode(s.grid, r)
	return s.post(base+s.protocol.path, body, s.protocol.headers)
}

// erase deletes points, both ends included.
func (s *stream) erase(base, selector string, start, end int64) error {
	form := url.Values{"selector": {selector}, "start": {seconds(start)}, "end": {seconds(end)}}
	return s.post(base+"/api/v1/admin/delete", []byte(form.Encode()), map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
}

// post sends a body, and sends it again while it gets no answer or is told to, for a minute.
func (s *stream) post(address string, body []byte, headers map[string]string) error {
	return poll(time.Minute, func() (bool, error) {
		req, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(body))
		if err != nil {
			return true, err
		}
		for k, v := range headers {
			req.Header.Set(k, v)
		}
		status, answer, err := exchange(s.http, req)
		switch {
		case err != nil:
			return false, err
		case status == http.StatusOK || status == http.StatusNoContent:
			return true, nil
		}
		return status != http.StatusServiceUnavailable, fmt.Errorf("%s: status %d: %s", address, status, answer)
	})
}

// span is what can be compared of a stream: points from first on that will not change any more,
// unless they are deleted because they are old.
type span struct{ first, end int }

// now returns the ticks that are done, and the first that is kept.
func (s *stream) now() (next, floor int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next, s.floor
}

// want returns what there is of a slot, or all with slot -1, at the ticks of a span.
func (s *stream) want(slot int, within span) contents {
	out := contents{}
	next, _ := s.now()
	for n := range s.slots {
		if slot >= 0 && n != slot {
			continue
		}
		for i := within.first; i < within.end; i++ {
			bits, there := s.at(n, i, next)
			if !there {
				continue
			}
			series := s.series(n, i)
			if out[series] == nil {
				out[series] = map[int64]uint64{}
			}
			out[series][s.grid.time(i)] = bits
		}
	}
	return out
}

// difference says how two readings differ, "" if they do not.
func difference(got, want contents) string {
	for _, series := range slices.Sorted(maps.Keys(want)) {
		for ts, bits := range want[series] {
			if found, there := got[series][ts]; !there || found != bits {
				return fmt.Sprintf("%s at %d is %v, want %v", series, ts, state{found, there}, state{bits, true})
			}
		}
		if n := len(got[series]) - len(want[series]); n != 0 {
			return fmt.Sprintf("%s has %d points that should not be there", series, n)
		}
	}
	for _, series := range slices.Sorted(maps.Keys(got)) {
		if want[series] == nil && len(got[series]) > 0 {
			return fmt.Sprintf("%s should not be there, with %d points", series, len(got[series]))
		}
	}
	return ""
}

// parseSelected reads an answer of /api/v1/query/select.
func parseSelected(body []byte) (contents, error) {
	out := contents{}
	return out, lines(body, func(block struct {
		Series string
		Tags   map[string]string
		Points [][2]any
		Error  any
	}) error {
		if block.Error != nil {
			return fmt.Errorf("the answer broke off: %v", block.Error)
		}
		for _, p := range block.Points {
			if err := out.add(key(block.Series, block.Tags), p[0], p[1]); err != nil {
				return err
			}
		}
		return nil
	})
}

// parseProm reads an answer of Prometheus' query API.
func parseProm(body []byte) (contents, error) {
	out := contents{}
	return out, lines(body, func(answer struct {
		Status string
		Error  string
		Data   struct {
			Result []struct {
				Metric map[string]string
				Value  []any
				Values [][]any
			}
		}
	}) error {
		if answer.Status != "success" {
			return errors.New(answer.Error)
		}
		for _, r := range answer.Data.Result {
			name := r.Metric["__name__"]
			delete(r.Metric, "__name__")
			if r.Value != nil {
				r.Values = append(r.Values, r.Value)
			}
			for _, p := range r.Values {
				if err := out.add(key(name, r.Metric), p[0], p[1]); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// exchange sends a request and reads the answer to its end.
func exchange(c *http.Client, req *http.Request) (status int, answer []byte, err error) {
	resp, err := c.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}
