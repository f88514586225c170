//go:build linux

package torture

import (
	"path/filepath"
	"strings"
	"testing"
)

// A ledger notices what must not be, and nothing else. Client a writes point 0 (acknowledged),
// points 1 and 2 in one request (no answer), 3 (no answer), 4 (refused), 5 (acknowledged, then deleted).
func TestLedgerNotices(t *testing.T) {
	const x, y = `t{c="a",g="0"}`, `t{c="a",g="1"}`
	g := grid{Client: "a", Start: 1000, Step: 10, Values: anyBits}
	write := func(runs ...run) *request { return &request{Runs: runs} }
	open := func(t *testing.T, path string) *ledger {
		l := openLedger(t, path, g)
		requests := []*request{
			write(run{Series: x, Count: 1}),
			write(run{Series: x, First: 4, Count: 1}),
			write(run{Series: x, First: 5, Count: 1}),
			{Delete: true, Runs: []run{{Series: x, First: 5, Count: 1}}},
			write(run{Series: x, First: 1, Count: 2}, run{Series: y, First: 1, Count: 1}),
			write(run{Series: x, First: 3, Count: 1}),
		}
		must(t, l.intent(requests...))
		must(t, l.ack(requests[0]))
		must(t, l.refuse(requests[1]))
		must(t, l.ack(requests[2], requests[3]))
		return l
	}
	v := func(series string, i int) uint64 { return g.bits(series, i, 0) }
	acknowledged := map[int64]uint64{1000: v(x, 0)}
	part := map[int64]uint64{1000: v(x, 0), 1010: v(x, 1), 1020: v(x, 2)}
	for name, c := range map[string]struct {
		found contents
		want  string
	}{
		"acknowledged only":    {contents{x: acknowledged}, ""},
		"the next one, too":    {contents{x: part, y: {1010: v(y, 1)}}, ""},
		"all":                  {contents{x: with(part, 1030, v(x, 3)), y: {1010: v(y, 1)}}, ""},
		"nothing":              {contents{}, "point 0 (1000) of"},
		"another value":        {contents{x: {1000: v(x, 0) ^ 1}}, "point 0 (1000) of"},
		"of several series":    {contents{x: part}, "request 4 is there in part"},
		"of one series":        {contents{x: with(acknowledged, 1010, v(x, 1)), y: {1010: v(y, 1)}}, "request 4 is there in part"},
		"a gap":                {contents{x: with(acknowledged, 1030, v(x, 3))}, "request 5 is there, and request 4 before it is not"},
		"what was refused":     {contents{x: with(acknowledged, 1040, v(x, 4))}, "point 4 (1040) of"},
		"what was deleted":     {contents{x: with(acknowledged, 1050, v(x, 5))}, "point 5 (1050) of"},
		"a point of nobody":    {contents{x: with(acknowledged, 1060, v(x, 6))}, "at times that nobody sent"},
		"a point between":      {contents{x: with(acknowledged, 1001, v(x, 0))}, "at times that nobody sent"},
		"of another series":    {contents{x: acknowledged, y: {1000: v(x, 0)}}, "point 0 (1000) of"},
		"of the wrong request": {contents{x: part, y: {1010: v(x, 1)}}, "point 1 (1010) of"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger")
			for i, l := range []*ledger{open(t, path), openLedger(t, path, grid{})} { // the same, read from the file
				_, err := l.compare(c.found)
				if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("ledger %d: %v, want %q", i, err, c.want)
				}
			}
		})
	}
	t.Run("what was found stays", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "ledger")
		l := open(t, path)
		must(t, l.verify(contents{x: part, y: {1010: v(y, 1)}}))
		for _, l := range []*ledger{l, openLedger(t, path, grid{})} {
			if len(l.open) != 0 {
				t.Errorf("%d requests are open", len(l.open))
			}
			for _, found := range []contents{{x: acknowledged}, {x: with(part, 1030, v(x, 3)), y: {1010: v(y, 1)}}} {
				if _, err := l.compare(found); err == nil {
					t.Error("a request without an answer was first this, then that")
				}
			}
		}
	})
}

// with is a copy of points, and one more.
func with(points map[int64]uint64, ns int64, bits uint64) map[int64]uint64 {
	out := map[int64]uint64{ns: bits}
	for k, v := range points {
		out[k] = v
	}
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Two points of a series at one time are noticed when they are read.
func TestContentsNoticeDuplicates(t *testing.T) {
	c := contents{}
	must(t, c.put("t{}", "1700000000.5", "1"))
	must(t, c.put("t{}", "1700000000.25", "NaN:7ff0000000000002"))
	if err := c.put("t{}", "1700000000.500", "1"); err == nil {
		t.Error("two points at one time are no error")
	}
	if got := c["t{}"][1_700_000_000_250_000_000]; got != 0x7ff0000000000002 {
		t.Errorf("the bits of a NaN are read as %x", got)
	}
}
