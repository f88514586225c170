package lineproto

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A line that was seen before costs no allocation, and asks for no series.
func TestKnownLinesAreFree(t *testing.T) {
	for _, line := range []string{
		"cpu,host=a,dc=x usage=0.5,value=2,count=3i,up=t 1694300000000000001\n",
		"cpu,host=a,dc=x usage=0.30000000000000004,count=9007199254740993i 1694300000000000001\r\n",
		"cpu,host=a,dc=x count=3u,usage=-1e-3,count=4i\n",
		"cpu,host=a,dc=x  s=\"text\",usage=1 5\n",
		"cpu,host=a\\ b u\\ sage=1 5\n",
		"# comment\n",
	} {
		n := newNames(t)
		p := NewParser(NewTable(0, 0))
		body := []byte(strings.TrimSuffix(strings.Repeat(line, 10), "\n")) // the last one has no line end
		read := func() {
			p.Reset(body, n, Options{MaxLine: 100})
			for l := p.Next(); l != nil; l = p.Next() {
				if len(l.Points) == 0 {
					t.Fatal(l.Refused)
				}
			}
		}
		read()
		asked := n.asked
		if allocs := testing.AllocsPerRun(10, read); allocs != 0 {
			t.Errorf("%v allocations for ten times %s", allocs, line)
		}
		if n.asked != asked {
			t.Errorf("series are looked up again for %s", line)
		}
	}
}

// lines returns number, text, points and refusals of each line.
func lines(p *Parser, n *names, body string, o Options) (out []string) {
	p.Reset([]byte(body), n, o)
	for l := p.Next(); l != nil; l = p.Next() {
		s := fmt.Sprintf("%d %q %d", l.Number, l.Text, len(l.Points))
		for _, r := range l.Refused {
			s += fmt.Sprintf(" %s/%d/%v", r.Field, r.Count, r.Err)
		}
		out = append(out, s)
	}
	return out
}

func TestLines(t *testing.T) {
	late := errors.New("late")
	for _, tt := range []struct {
		body string
		want []string
	}{
		{"m v=1 1\n\n# c\r\n m v=2 2\r\nm v=3", []string{`1 "m v=1 1" 1`, `4 "m v=2 2" 1`, `5 "m v=3" 1`}},
		{"m s=\"a\nb\",v=1 1\nm v=2", []string{`1 "m s=\"a\nb\",v=1 1" 1 s/1/strings are not stored`, `3 "m v=2" 1`}},
		{"x\nm v=1 1\nm s=\"a\nb\"x 1\nm v=2\n", []string{
			`1 "x" 0 /1/column 2: no fields after measurement and tags`, `2 "m v=1 1" 1`,
			`3 "m s=\"a\nb\"x 1" 0 /1/column 3: found 'x' after a field`, `5 "m v=2" 1`}},
		{"m v=1,w=2 101\nm v=1 100\nm v=1,s=\"x\" 101\nm v=1 4611686018427387905\n", []string{
			`1 "m v=1,w=2 101" 0 /2/late`, `2 "m v=1 100" 1`, `3 "m v=1,s=\"x\" 101" 0 /2/late`,
			`4 "m v=1 4611686018427387905" 0 /1/timestamp "4611686018427387905": time is outside the accepted range, 1823-11-12 to 2116-02-20`}},
		{"bad v=1,w=2 1\nm v=1e999,w=1.2.3,x=1 1\nm v=1 x\n", []string{
			`1 "bad v=1,w=2 1" 0 v/1/bad name w/1/bad name`,
			`2 "m v=1e999,w=1.2.3,x=1 1" 1 v/1/number is outside the range of a 64-bit float w/1/not a number`,
			`3 "m v=1 x" 0 /1/column 7: the timestamp is not an integer`}},
		{"m v=1" + strings.Repeat(" ", 34) + "7\nm v=1" + strings.Repeat(" ", 35) + "7\nm v=2 2\nm s=\"" + strings.Repeat("\n", 45) + "\nm v=3", []string{
			`1 "m v=1` + strings.Repeat(" ", 34) + `7" 1`, `2 "m v=1` + strings.Repeat(" ", 35) + `7" 0 /1/longer than 40 bytes`, `3 "m v=2 2" 1`,
			`4 "m s=\"` + strings.Repeat(`\n`, 38) + `" 0 /1/longer than 40 bytes`, `50 "m v=3" 1`}},
		{"m," + strings.Repeat("a=b,", 20) + "c=d v=1 1\nm v=1 1\n", []string{`1 "m,` + strings.Repeat("a=b,", 20) + `c=d v=1 1" 0 /1/longer than 40 bytes`, `2 "m v=1 1" 1`}},
	} {
		n := newNames(t)
		p := NewParser(NewTable(0, 0))
		for range 2 { // known lines are told in the same way
			if got := lines(p, n, tt.body, Options{MaxLine: 40, Latest: 100, ErrLatest: late}); !slices.Equal(got, tt.want) {
				t.Errorf("%q:\n%s\nwant\n%s", tt.body, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		}
	}
}

// A long body without line ends is not copied.
func TestNoLineEnd(t *testing.T) {
	n := newNames(t)
	p := NewParser(NewTable(0, 0))
	body := "m v=1 1\nm v=2" + strings.Repeat(" ", 2*tailBytes) + "2"
	for range 2 {
		if got := lines(p, n, body, Options{}); len(got) != 2 || !strings.HasSuffix(got[1], `2" 1`) || cap(p.tail) > 0 {
			t.Errorf("%d lines, %d bytes copied", len(got), cap(p.tail))
		}
	}
}

// FuzzPaths: with limits, too, a line that is known is read as one that is not.
func FuzzPaths(f *testing.F) {
	for _, body := range bodies {
		f.Add([]byte(body), uint8(30), int64(50))
	}
	f.Fuzz(func(t *testing.T, body []byte, maxLine uint8, latest int64) {
		o := Options{MaxLine: int(maxLine), Latest: max(latest, 42), ErrLatest: errBad, Now: 42}
		n := newNames(t)
		p := NewParser(NewTable(0, 0))
		first := lines(p, n, string(body), o)
		if again := lines(p, n, string(body), o); !slices.Equal(first, again) {
			t.Errorf("%q:\n%q\nand when it is known\n%q", body, first, again)
		}
		if live, bytes := sums(p.table); live != p.table.Len() || bytes != p.table.Bytes() {
			t.Errorf("%d entries of %d bytes, the table says %d of %d", live, bytes, p.table.Len(), p.table.Bytes())
		}
	})
}
