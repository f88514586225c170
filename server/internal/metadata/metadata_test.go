package metadata

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

func answer(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestStore(t *testing.T) {
	s := New(3)
	s.Set("b", "gauge", "bytes", "What is used.")
	s.Set("b", "gauge", "bytes", "What is used.")
	s.Set("b", "counter", "", "Something else.")
	s.Set("a", "", "", "")
	s.Set("c", "summary", "seconds", "How long.")
	s.Set("d", "gauge", "", "One family too many.")
	s.Set("", "gauge", "", "No name.")
	s.Set(strings.Repeat("x", maxFamily+1), "gauge", "", "A long name.")
	const b = `"b":[{"type":"counter","unit":"","help":"Something else."},{"type":"gauge","unit":"bytes","help":"What is used."}]`
	const a = `"a":[{"type":"unknown","unit":"","help":""}]`
	for _, tt := range []struct {
		family string
		limit  int
		want   string
	}{
		{"", 0, `{` + a + `,` + b + `,"c":[{"type":"summary","unit":"seconds","help":"How long."}]}`},
		{"", 2, `{` + a + `,` + b + `}`},
		{"b", 0, `{` + b + `}`},
		{"d", 0, `{}`},
	} {
		if got := answer(t, s.Get(tt.family, tt.limit)); got != tt.want {
			t.Errorf("Get(%q, %d):\n%s\nwant\n%s", tt.family, tt.limit, got, tt.want)
		}
	}
	if n := s.Len(); n != 3 {
		t.Errorf("%d families, want 3", n)
	}
}

func TestNewestEntriesStay(t *testing.T) {
	s := New(0)
	for i := range 7 {
		s.Set("a", "gauge", "", fmt.Sprint(i))
	}
	var help []string
	for _, e := range s.Get("a", 0)["a"] {
		help = append(help, e.Help)
	}
	if got := strings.Join(help, ""); got != "3456" {
		t.Errorf("entries %s, want the last four", got)
	}
}

func TestLongTextsAreCut(t *testing.T) {
	s := New(0)
	s.Set("a", "gauge", "", "x"+strings.Repeat("ü", maxText))
	help := s.Get("a", 0)["a"][0].Help
	if len(help) > maxText || len(help) < maxText-1 || !utf8.ValidString(help) {
		t.Errorf("%d bytes of help, valid: %v", len(help), utf8.ValidString(help))
	}
}

func TestKnownCostsNothing(t *testing.T) {
	s := New(0)
	s.Set("a", "gauge", "bytes", "Help.")
	if n := testing.AllocsPerRun(100, func() { s.Set("a", "gauge", "bytes", "Help.") }); n != 0 {
		t.Errorf("%v allocations for what is known", n)
	}
}

func TestConcurrentUse(t *testing.T) {
	s := New(10)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				s.Set(fmt.Sprint("m", (g+i)%20), "gauge", "", fmt.Sprint(i%7))
				s.Get("", 5)
			}
		})
	}
	wg.Wait()
	if n := s.Len(); n != 10 {
		t.Errorf("%d families, want 10", n)
	}
}

func TestFamily(t *testing.T) {
	for _, tt := range []struct{ series, typ, want string }{
		{"latency_bucket", "histogram", "latency"},
		{"latency_count", "histogram", "latency"},
		{"latency_sum", "summary", "latency"},
		{"latency", "summary", "latency"},
		{"size_gcount", "gaugehistogram", "size"},
		{"size_bucket", "gauge", "size_bucket"},
		{"_sum", "histogram", "_sum"},
		{"requests_total", "counter", "requests_total"},
	} {
		if got := Family(tt.series, tt.typ); got != tt.want {
			t.Errorf("Family(%q, %q) = %q, want %q", tt.series, tt.typ, got, tt.want)
		}
	}
	if got := TypeName(3) + " " + TypeName(7) + " " + TypeName(8); got != "histogram stateset unknown" {
		t.Error(got)
	}
}
