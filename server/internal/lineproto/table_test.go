package lineproto

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
)

// sums returns what the table should say that it takes, from what it holds.
func sums(t *Table) (live int, bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	refs := map[*shape]int{}
	table := *t.current.Load()
	for i := range table {
		if e := table[i].Load(); e != nil && e != gone {
			live++
			bytes += e.size()
			refs[e.shape]++
		}
	}
	for s, n := range refs {
		bytes += s.size()
		if s.refs != n || t.shapes[s.text] != s {
			return -1, -1
		}
	}
	if len(refs) != len(t.shapes) {
		return -1, -1
	}
	return live, bytes
}

func checkTable(t *testing.T, table *Table) {
	t.Helper()
	live, bytes := sums(table)
	if live != table.Len() || bytes != table.Bytes() {
		t.Fatalf("%d entries of %d bytes, the table says %d of %d", live, bytes, table.Len(), table.Bytes())
	}
}

func TestTable(t *testing.T) {
	table := NewTable(0, 0)
	s := []*sydradb.Series{dbtest.Series(t, 0), dbtest.Series(t, 1), dbtest.Series(t, 2), dbtest.Series(t, 3)}
	if table.get([]byte("a")) != nil {
		t.Error("an empty table knows something")
	}
	table.learn([]byte("a"), nil, []string{"x=", "y="}, []*sydradb.Series{s[0], s[1]})
	table.learn([]byte("b"), nil, []string{"x=", "y="}, []*sydradb.Series{s[2], s[3]})
	a, b := table.get([]byte("a")), table.get([]byte("b"))
	if a == nil || b == nil || a.shape != b.shape || a.series[1] != s[1] || b.series[0] != s[2] {
		t.Fatalf("entries %+v %+v", a, b)
	}
	checkTable(t, table)
	table.learn([]byte("a"), a, []string{"z="}, []*sydradb.Series{s[3]})
	if grown := table.get([]byte("a")); len(grown.series) != 3 || grown.series[0] != s[0] || grown.series[2] != s[3] || grown.shape.index["z="] != 2 || len(a.series) != 2 {
		t.Errorf("grown entry %+v", grown)
	}
	if table.Len() != 2 || len(table.shapes) != 2 {
		t.Errorf("%d entries, %d shapes", table.Len(), len(table.shapes))
	}
	checkTable(t, table)
	table.learn([]byte(strings.Repeat("k", keyBytes+1)), nil, []string{"x="}, []*sydradb.Series{s[0]})
	if table.Len() != 2 {
		t.Error("a very long text is remembered")
	}
}

// However much it is told, the table keeps to its bounds, and what is in use all the time
// is there.
func TestTableForgets(t *testing.T) {
	for _, tt := range []struct {
		entries int
		bytes   int64
	}{{1000, 0}, {0, 200_000}} {
		table := NewTable(tt.entries, tt.bytes)
		s := dbtest.Series(t, 0)
		table.learn([]byte("hot"), nil, []string{"x="}, []*sydradb.Series{s})
		for i := range 20000 {
			key := fmt.Appendf(nil, "key%d", i)
			table.learn(key, nil, []string{fmt.Sprintf("f%d=", i%1500)}, []*sydradb.Series{s})
			if table.get(key) == nil {
				t.Fatalf("%q is forgotten at once", key)
			}
			if table.get([]byte("hot")) == nil {
				t.Fatalf("what is used is forgotten after %d others", i)
			}
		}
		checkTable(t, table)
		if n, most := table.Len(), max(tt.entries, 1); tt.entries > 0 && n > most || n < 100 {
			t.Errorf("%d entries, at most %d are allowed", n, most)
		}
		if n := table.Bytes(); tt.bytes > 0 && n > tt.bytes+1000 {
			t.Errorf("%d bytes, at most %d are allowed", n, tt.bytes)
		}
		if n := len(*table.current.Load()); n > 16384 {
			t.Errorf("%d slots for %d entries", n, table.Len())
		}
	}
}

// Fields that come one by one do not make an entry anew each time, and not without end.
func TestManyFields(t *testing.T) {
	n := newNames(t)
	p := NewParser(NewTable(0, 0))
	for i := range 3000 {
		body := fmt.Appendf(nil, "m f%d=1,g=2 1\n", i)
		p.Reset(body, n, Options{})
		if l := p.Next(); l == nil || len(l.Points) != 2 || n.names[l.Points[0].Series] != fmt.Sprintf("%q[]", fmt.Sprintf("m_f%d", i)) {
			t.Fatalf("line %+v", l)
		}
	}
	e := p.table.get([]byte("m"))
	if len(e.series) < 100 || len(e.series) > maxFields {
		t.Errorf("%d fields are remembered", len(e.series))
	}
	checkTable(t, p.table)
}

// Many goroutines read and teach at the same time; each finds the series of its lines.
func TestTableTogether(t *testing.T) {
	table := NewTable(300, 0)
	var r seriesOf
	for i := range r {
		for j := range r[i] {
			r[i][j] = dbtest.Series(t, 8*i+j)
		}
	}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			p := NewParser(table)
			for range 2000 {
				k, f := rng.IntN(500), rng.IntN(8)
				p.Reset(fmt.Appendf(make([]byte, 0, 100), "%d %d=1,%d=2 1\n", k, f, f^1), &r, Options{})
				l := p.Next()
				if l == nil || len(l.Points) != 2 || l.Points[0].Series != r[k][f] || l.Points[1].Series != r[k][f^1] {
					t.Errorf("line %+v", l)
					return
				}
			}
		})
	}
	all.Wait()
	checkTable(t, table)
}

// seriesOf resolves "<i>_<j>".
type seriesOf [500][8]*sydradb.Series

func (s *seriesOf) Series(name string, _ []sydradb.Tag, _ int64) (*sydradb.Series, error) {
	var i, j int
	if _, err := fmt.Sscanf(name, "%d_%d", &i, &j); err != nil {
		return nil, err
	}
	return s[i][j], nil
}

// Series that come and go do not pile up, and those that are alive stay known.
func TestTableForgetsTheDead(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	resolve := func(name string) *sydradb.Series {
		s, err := db.Series(name)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	table := NewTable(0, 0)
	const each = 100
	for i := range each {
		name := fmt.Sprintf("lasting%d", i)
		table.learn([]byte(name), nil, []string{"x="}, []*sydradb.Series{resolve(name)})
	}
	for round := range 50 {
		var dead []*sydradb.Series
		for i := range each {
			name := fmt.Sprintf("pod%d_%d", round, i)
			dead = append(dead, resolve(name))
			table.learn([]byte(name), nil, []string{"x="}, dead[i:])
		}
		dbtest.Kill(t, db, dead...)
		checkTable(t, table)
	}
	for i := range each {
		if name := fmt.Sprintf("lasting%d", i); table.get([]byte(name)) == nil {
			t.Errorf("%s, which is alive, is forgotten", name)
		}
	}
	if n := table.Len(); n > 5*each {
		t.Errorf("%d entries for %d series that are alive", n, each)
	}
}
