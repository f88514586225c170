package handles

import (
	"fmt"
	"sync"
	"testing"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
)

func key(i int) []byte { return fmt.Appendf(nil, "key %d", i) }

func TestTable(t *testing.T) {
	table := NewTable(1<<20, 1<<20)
	const n = 10_000
	for i := range n {
		if _, found := table.Find(key(i)); found {
			t.Fatalf("key %d found before it was added", i)
		}
		if number, added := table.Add(key(i)); !added || number != uint32(i) {
			t.Fatalf("key %d: number %d, added: %v", i, number, added)
		}
	}
	for i := range n {
		number, found := table.Find(key(i))
		if !found || number != uint32(i) || string(table.Key(number)) != string(key(i)) {
			t.Fatalf("key %d: number %d, found: %v", i, number, found)
		}
	}
	if table.Len() != n {
		t.Errorf("%d keys, want %d", table.Len(), n)
	}
	if _, found := table.Find([]byte("key")); found {
		t.Error("part of a key found")
	}
	probe := key(77)
	if allocs := testing.AllocsPerRun(100, func() { table.Find(probe) }); allocs != 0 {
		t.Errorf("Find allocates %v times", allocs)
	}
	table.Reset()
	if _, found := table.Find(probe); found || table.Len() != 0 {
		t.Error("Reset left something")
	}
}

func TestEmptyKey(t *testing.T) {
	table := NewTable(10, 1000)
	for i, k := range []string{"", "a"} {
		if n, added := table.Add([]byte(k)); !added || n != uint32(i) {
			t.Fatalf("%q: %d, %v", k, n, added)
		}
	}
	if n, found := table.Find(nil); !found || n != 0 {
		t.Errorf("empty key: %d, %v", n, found)
	}
}

// A full table keeps what it has until it has turned away more than that.
func TestBounds(t *testing.T) {
	for _, tt := range []struct {
		name               string
		maxCount, maxBytes int
		want               int
	}{
		{"count", 5, 1 << 20, 5},
		{"bytes", 100, 5 * (len("key 0") + entryBytes), 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table := NewTable(tt.maxCount, tt.maxBytes)
			turned := 0
			for i := range 10 {
				if _, added := table.Add(key(i)); !added {
					turned++
				}
			}
			if table.Len() != tt.want || turned != 10-tt.want || table.Worn() {
				t.Fatalf("%d keys, %d turned away, worn: %v", table.Len(), turned, table.Worn())
			}
			if _, found := table.Find(key(0)); !found {
				t.Error("the first key is gone")
			}
			table.Add(key(11))
			if !table.Worn() {
				t.Error("not worn after more were turned away than it holds")
			}
		})
	}
}

func TestCache(t *testing.T) {
	c := NewCache(4, 1<<20)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 100 {
				want := dbtest.Series(t, i%10)
				if got := c.Get(key(i % 10)); got != nil && got.ID() != want.ID() {
					t.Errorf("key %d: series %v", i%10, got)
				}
				c.Put(key(i%10), want)
			}
		})
	}
	wg.Wait()
	// After so many misses the old entries have gone, and a new one finds room.
	for i := 100; ; i++ {
		c.Put(key(i), dbtest.Series(t, i))
		if c.Get(key(i)) != nil {
			break
		}
		if i > 200 {
			t.Fatal("the cache never takes anything new")
		}
	}
	k := key(100)
	if allocs := testing.AllocsPerRun(100, func() { c.Get(k) }); allocs != 0 {
		t.Errorf("Get allocates %v times", allocs)
	}
}

// Series that come and go do not pile up: the cache empties itself before it holds more than a
// few times as many as live, and never while most of them do.
func TestCacheForgetsTheDead(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	c := NewCache(1<<20, 1<<20)
	use := func(name string) *sydradb.Series {
		if s := c.Get([]byte(name)); s != nil {
			return s
		}
		s, err := db.Series(name)
		if err != nil {
			t.Fatal(err)
		}
		c.Put([]byte(name), s)
		return s
	}
	const each = 100
	emptied := 0
	for round := range 50 {
		before := c.keys.Len()
		var dead []*sydradb.Series
		for i := range each {
			use(fmt.Sprintf("lasting%d", i))
			dead = append(dead, use(fmt.Sprintf("pod%d_%d", round, i)))
		}
		dbtest.Kill(t, db, dead...)
		if n := c.keys.Len(); n > 8*each || n != len(c.series) {
			t.Fatalf("round %d: %d keys and %d handles for %d series that are alive", round, n, len(c.series), each)
		} else if n < before {
			emptied++
		}
	}
	if emptied == 0 || emptied > 25 {
		t.Errorf("emptied %d times in 50 rounds", emptied)
	}
}

// A cache that most series in are alive keeps all of them, and seldom looks.
func TestCacheKeepsTheLiving(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	c := NewCache(1<<20, 1<<20)
	var dead []*sydradb.Series
	for i := range firstLook / 3 {
		s, err := db.Series(fmt.Sprintf("pod%d", i))
		if err != nil {
			t.Fatal(err)
		}
		dead = append(dead, s)
		c.Put(fmt.Append(nil, "pod", i), s)
	}
	dbtest.Kill(t, db, dead...)
	const n = 5000
	look, looks := c.keys.look, 0
	for i := range n {
		c.Put(key(i), dbtest.Series(t, i))
		if c.keys.look != look {
			look = c.keys.look
			looks++
		}
	}
	if got := c.keys.Len(); got != n+len(dead) {
		t.Errorf("%d series are known of %d that are alive and %d that are dead", got, n, len(dead))
	}
	if looks < 3 || looks > 6 {
		t.Errorf("looked for dead series %d times while it grew to %d", looks, n)
	}
}
