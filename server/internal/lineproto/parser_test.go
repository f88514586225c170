package lineproto

import (
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
		n := newNames()
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
