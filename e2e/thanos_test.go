//go:build thanos

package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The replicas hold a point a second for five minutes, with a hole each.
const (
	thanosPoints = 300
	holeLength   = 60
)

var holes = map[string]int{"1": 100, "2": 200} // replica -> first point that it lacks

// thanosNode is a server with a sidecar beside it.
type thanosNode struct {
	*server
	grpc string
}

func startThanosNode(t *testing.T, replica string) thanosNode {
	t.Helper()
	s := serve(t, page(t, "thanos_labels", "thanos.md", `"1"`, strconv.Quote(replica)))
	grpc, http := freeAddress(t), freeAddress(t)
	sidecar := startCommand(t, page(t, "thanos_sidecar", "thanos.md",
		"localhost:8080", s.address, "0.0.0.0:10901", grpc, "0.0.0.0:10902", http, "/var/lib/thanos", t.TempDir()),
		"--prometheus.get_config_interval=1s")
	api{url: "http://" + http}.ready(t, sidecar, "/-/ready")
	return thanosNode{s, grpc}
}

// Two nodes with replicas of the same data behind stock sidecars, one stock querier over
// them that removes the duplicates.
func TestThanos(t *testing.T) {
	t.Parallel()
	base := now()/1000*1000 - thanosPoints*1000
	nodes := map[string]thanosNode{}
	for replica, hole := range holes {
		node := startThanosNode(t, replica)
		nodes[replica] = node
		var lines strings.Builder
		for i := range thanosPoints {
			if i >= hole && i < hole+holeLength {
				continue
			}
			for _, room := range []string{"kitchen", "cellar"} {
				fmt.Fprintf(&lines, "temp,room=%s value=%d %d\n", room, i, base+int64(i)*1000)
			}
		}
		fmt.Fprintf(&lines, "only,on=%s value=%s %d\n", replica, replica, base)
		node.post(t, "/write?precision=ms", "text/plain", lines.String())
	}
	address := freeAddress(t)
	querier := startCommand(t, page(t, "thanos_query", "thanos.md",
		"0.0.0.0:10904", address, "0.0.0.0:10903", freeAddress(t),
		"one:10901", nodes["1"].grpc, "two:10901", nodes["2"].grpc))
	q := api{url: "http://" + address}
	q.ready(t, querier, "/-/ready")
	end := base + (thanosPoints-1)*1000 + 500

	// The querier asks its stores what they have every few seconds.
	eventually(t, 30*time.Second, "the querier sees both nodes", func() error {
		got, err := q.dedup(t, "only", base+1000, true)
		if err == nil && len(got) != 2 {
			err = fmt.Errorf("%d series, want 2", len(got))
		}
		return err
	})
	t.Run("dedup", func(t *testing.T) { testDedup(t, q, base, end) })
	t.Run("catalog", func(t *testing.T) { testThanosCatalog(t, q, base, end) })
	t.Run("backfill", func(t *testing.T) { testThanosBackfill(t, q, nodes["1"], base) })
}

// dedup evaluates with or without the removal of duplicates.
func (a api) dedup(t *testing.T, expr string, at int64, on bool) (result, error) {
	return a.evaluate(t.Context(), "/api/v1/query", url.Values{
		"query": {expr}, "time": {seconds(at)}, "dedup": {fmt.Sprint(on)}, "partial_response": {"false"},
	})
}

func testDedup(t *testing.T, q api, base, end int64) {
	window := fmt.Sprintf("[%ds]", thanosPoints+10)
	both, err := q.dedup(t, "temp"+window, end, false)
	if err != nil {
		t.Fatal(err)
	}
	// Without deduplication each replica is there with its hole.
	want := result{}
	for replica, hole := range holes {
		for _, room := range []string{"kitchen", "cellar"} {
			key := labelText(map[string]string{"__name__": "temp", "room": room, "cluster": "a", "replica": replica})
			for i := range thanosPoints {
				if i < hole || i >= hole+holeLength {
					want[key] = append(want[key], sample{base + int64(i)*1000, fmt.Sprint(i)})
				}
			}
		}
	}
	if err := compare(want, both, 0); err != nil {
		t.Error(err)
	}

	merged, err := q.dedup(t, "temp"+window, end, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(merged) != 2 {
		t.Fatalf("%d series after deduplication, want 2: %v", len(merged), merged)
	}
	for _, room := range []string{"kitchen", "cellar"} {
		samples := merged[labelText(map[string]string{"__name__": "temp", "room": room, "cluster": "a"})]
		if len(samples) < thanosPoints-30 {
			t.Errorf("%s: %d samples of %d", room, len(samples), thanosPoints)
		}
		t.Logf("%s: %d samples of %d after deduplication", room, len(samples), thanosPoints)
		for i, s := range samples {
			if s.V != fmt.Sprint((s.T-base)/1000) {
				t.Errorf("%s: %v is not what was written", room, s)
			}
			// When one replica stops, Thanos waits a little before it trusts the other.
			if i > 0 && (s.T <= samples[i-1].T || s.T-samples[i-1].T > 15_000) {
				t.Errorf("%s: %v follows %v", room, s, samples[i-1])
			}
		}
	}
	for _, one := range []struct {
		expr  string
		dedup bool
		want  string
	}{
		{`count(temp)`, true, "2"}, {`count(temp)`, false, "4"},
		{`sum(temp{room="kitchen"})`, true, "50"}, {`sum(temp{room="kitchen"})`, false, "100"},
		{`count(temp{cluster="a",room="cellar"})`, true, "1"}, {`count(temp{cluster="b"}) or vector(0)`, true, "0"},
		{`count(temp{replica="1"})`, false, "2"},
	} {
		got, err := q.dedup(t, one.expr, base+50_500, one.dedup)
		if err != nil {
			t.Error(err)
		}
		for _, samples := range got {
			if samples[0].V != one.want {
				t.Errorf("%s, dedup %v: %s, want %s", one.expr, one.dedup, samples[0].V, one.want)
			}
		}
		if len(got) != 1 {
			t.Errorf("%s, dedup %v: %v", one.expr, one.dedup, got)
		}
	}
	// With a name, a selection by external labels is one; alone, Thanos has nothing to ask for.
	if got, err := q.dedup(t, `{cluster="a"}`, base+50_500, true); err == nil && len(got) > 0 {
		t.Errorf("external labels alone: %v; the page says that there is no answer", got)
	}
	// Where a replica has its hole, the other answers.
	steps, err := q.queryRange(t.Context(), `sum by (room) (temp)`, base+500, end, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for room, samples := range steps {
		if len(samples) != thanosPoints/10 {
			t.Errorf("%s: %d steps, want %d", room, len(samples), thanosPoints/10)
		}
	}
}

func testThanosCatalog(t *testing.T, q api, base, end int64) {
	window := url.Values{"start": {seconds(base)}, "end": {seconds(end)}}
	check := func(what string, got, want []string, err error) {
		t.Helper()
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q: %v", what, got, want, err)
		}
	}
	labels, err := q.names(t.Context(), "/api/v1/labels", window)
	labels = slices.DeleteFunc(labels, func(l string) bool { return l == "replica" }) // an external label stays listed
	check("labels", labels, []string{"__name__", "cluster", "on", "room"}, err)
	names, err := q.names(t.Context(), "/api/v1/label/__name__/values", window)
	check("names", names, []string{"only", "temp"}, err)
	rooms, err := q.names(t.Context(), "/api/v1/label/room/values", window)
	check("rooms", rooms, []string{"cellar", "kitchen"}, err)
	window.Set("match[]", `only{on="2"}`)
	on, err := q.names(t.Context(), "/api/v1/label/on/values", window)
	check("values of a selection", on, []string{"2"}, err)
	series, err := q.series(t.Context(), "temp", base, end)
	check("series", series, []string{
		labelText(map[string]string{"__name__": "temp", "room": "cellar", "cluster": "a"}),
		labelText(map[string]string{"__name__": "temp", "room": "kitchen", "cluster": "a"}),
	}, err)
}

// Points older than all others: the gauge that the sidecar reads moves, the sidecar says so to
// the querier, and the querier asks it for them.
func testThanosBackfill(t *testing.T, q api, node thanosNode, base int64) {
	if got, want := lowest(t, node), float64(base)/1000; got != want {
		t.Errorf("lowest time is %v, want %v", got, want)
	}
	begins := func(want int64) {
		t.Helper()
		eventually(t, 30*time.Second, "the sidecar has the lowest time", func() error {
			var stores map[string][]struct {
				Name    string
				MinTime int64
			}
			if err := q.get(t.Context(), "/api/v1/stores", nil, &stores); err != nil {
				return err
			}
			for _, s := range stores["sidecar"] {
				if s.Name == node.grpc && s.MinTime == want {
					return nil
				}
			}
			return fmt.Errorf("want %d: %v", want, stores)
		})
	}
	begins(base)
	old := base - 24*3600*1000
	node.post(t, "/api/v1/import", "application/json", fmt.Sprintf(`{"metric":{"__name__":"temp","room":"attic"},"values":[7],"timestamps":[%d]}`+"\n", old))
	if got, want := lowest(t, node), float64(old)/1000; got != want {
		t.Errorf("lowest time after the backfill is %v, want %v", got, want)
	}
	begins(old)
	got, err := q.dedup(t, `temp{room="attic"}`, old+1000, true)
	if err != nil || len(got) != 1 {
		t.Errorf("the backfill is not visible: %v %v", got, err)
	}
}

// lowest reads the gauge that says from when on there is data, in seconds.
func lowest(t *testing.T, node thanosNode) float64 {
	t.Helper()
	text, err := node.do(t.Context(), "GET", "/metrics", nil, "")
	if err != nil {
		t.Fatal(err)
	}
	const gauge = "\nprometheus_tsdb_lowest_timestamp_seconds "
	_, rest, found := strings.Cut(string(text), gauge)
	if !found {
		t.Fatalf("no%s", gauge)
	}
	var v float64
	if _, err := fmt.Sscan(rest, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
