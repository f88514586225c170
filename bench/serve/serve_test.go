package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/sydradb/sydradb/bench/engine"
	"github.com/sydradb/sydradb/bench/meter"
	"github.com/sydradb/sydradb/bench/target"
	"github.com/sydradb/sydradb/bench/wire"
	"github.com/sydradb/sydradb/bench/workload"
)

// This program is also the server that is loaded, when it is told an address.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "fake" {
		fake(os.Args[2])
		return
	}
	os.Exit(m.Run())
}

// fake counts lines, is busy once, and answers every question with nothing.
func fake(address string) {
	var lines, busy atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/ready", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/write", func(w http.ResponseWriter, r *http.Request) {
		if busy.Add(1) == 3 {
			http.Error(w, "come again", http.StatusServiceUnavailable)
			return
		}
		body, _ := io.ReadAll(r.Body)
		lines.Add(int64(bytes.Count(body, []byte("\n"))))
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("/flush", func(w http.ResponseWriter, _ *http.Request) {
		if lines.Load() != 2*30*360 {
			http.Error(w, fmt.Sprint(lines.Load(), " lines"), http.StatusTeapot)
		}
	})
	mux.HandleFunc("/query", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"data":{"result":[]}}`) })
	go func() { _ = http.ListenAndServe(address, mux) }()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
}

func fakeKind(t *testing.T) *target.Kind {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &target.Kind{
		Name: "fake", Program: self,
		Command: func(_, address string) []string { return []string{"fake", address} },
		Ready:   "/ready", Write: map[string]string{"line": "/write"}, Flush: "/flush", Query: "/query",
		Slow: []string{"slow"}, Part: func(string) engine.Part { return engine.Data },
	}
}

// A server gets every line once although it was busy, its costs are in the result, and a
// wrong answer is a failure.
func TestRun(t *testing.T) {
	if err := meter.Check(); err != nil {
		t.Skip(err)
	}
	var log bytes.Buffer
	line, _ := wire.Named("line")
	p := Plan{
		Kinds: []*target.Kind{fakeKind(t)}, Formats: []wire.Format{line}, Phases: Phases,
		Hosts: 2, Steps: 30 * 360, Clients: 1, Flood: 3, Runs: 1, Asks: 1, Dir: t.TempDir(), Log: &log,
	}
	results, err := p.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 3 {
		t.Fatalf("%d results: %s", len(results), &log)
	}
	for i, want := range []struct{ phase, measure, failure string }{
		{"load", "all in", ""}, {"ask", "", "0 series instead of 1"}, {"flood", "busy", ""},
	} {
		r := &results[i]
		if r.Phase != want.phase || r.Run != 1 || !strings.Contains(r.Error, want.failure) || (r.Error == "") != (want.failure == "") {
			t.Errorf("%+v", r)
		}
		if want.measure != "" && !slices.Contains(measured(r), want.measure) {
			t.Errorf("%s lacks %s: %v", r.Phase, want.measure, measured(r))
		}
	}
	p.Phases = []string{"sleep"}
	if _, err := p.Run(context.Background()); err == nil {
		t.Error("there is a phase sleep")
	}
}

func measured(r *Result) (names []string) {
	for _, m := range r.Measures {
		names = append(names, m.Name)
	}
	return names
}

// What is expected of a question is what its points say, and other answers are refused.
func TestCheck(t *testing.T) {
	load := workload.Load(9, 13*360)
	columns, _ := load.Expect()
	table := newTable(load)
	start := load.Start/1000 + 1234
	for _, q := range questions(9) {
		want := q.expect(table, start)
		groups := map[bool]int{false: q.metrics, true: q.metrics * 9}[q.average]
		if len(want) != groups {
			t.Errorf("%s: %d groups, want %d", q.name, len(want), groups)
		}
		// The second window of the last metric, the slow way.
		greatest, sum, n := 0.0, 0.0, 0.0
		for host := q.first; host < q.first+q.hosts; host++ {
			c := columns[host*10+q.metrics-1]
			for i, ts := range c.Times {
				if ts > start*1000 && ts <= (start+q.step)*1000 {
					greatest = max(greatest, c.Values[i])
					if host == q.hosts-1 {
						sum, n = sum+c.Values[i], n+1
					}
				}
			}
		}
		key, value := "cpu_"+workload.DevOpsFields[q.metrics-1], greatest
		if q.average {
			key, value = key+" host_8", sum/n
		}
		if got := want[key]; len(got) != q.hours*3600/int(q.step)+1 || got[1] != value {
			t.Errorf("%s: %d values of %s, the second %v, want %v", q.name, len(got), key, got[1], value)
		}

		answer := answerOf(t, &q, want, start)
		if err := q.check(answer, table, start); err != nil {
			t.Errorf("%s: %v", q.name, err)
		}
		for what, wrong := range map[string][]byte{
			"another time":  answerOf(t, &q, want, start+1),
			"no groups":     []byte(`{"data":{"result":[]}}`),
			"another value": bytes.Replace(answer, []byte(`,"`), []byte(`,"1`), 1),
			"no JSON":       answer[1:],
		} {
			if err := q.check(wrong, table, start); err == nil {
				t.Errorf("%s: %s is right", q.name, what)
			}
		}
	}
}

// answerOf is what a server says.
func answerOf(t *testing.T, q *question, values map[string][]float64, start int64) []byte {
	type series struct {
		Metric map[string]string `json:"metric"`
		Values [][2]any          `json:"values"`
	}
	var out struct {
		Data struct {
			Result []series `json:"result"`
		} `json:"data"`
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		name, host, _ := strings.Cut(key, " ")
		s := series{Metric: map[string]string{"__name__": name}}
		if host != "" {
			s.Metric["hostname"] = host
		}
		for i, v := range values[key] {
			s.Values = append(s.Values, [2]any{start + int64(i)*q.step, fmt.Sprint(v)})
		}
		out.Data.Result = append(out.Data.Result, s)
	}
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
