package ingest

import (
	"fmt"
	"testing"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
)

// Series that come and go do not pile up, and those that are alive stay known.
func TestCacheForgetsTheDead(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	c := NewCache(db)
	resolve := func(name string) *sydradb.Series {
		s, err := c.resolve([]byte(name), name, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	const each = 100
	for i := range each {
		resolve(fmt.Sprintf("lasting%d", i))
	}
	for round := range 50 {
		var dead []*sydradb.Series
		for i := range each {
			dead = append(dead, resolve(fmt.Sprintf("pod%d_%d", round, i)))
		}
		dbtest.Kill(t, db, dead...)
	}
	bytes := 0
	for text := range c.series {
		bytes += len(text)
	}
	if n := len(c.series); n > 5*each || bytes != c.bytes {
		t.Errorf("%d series of %d bytes for %d that are alive; %d bytes are counted", n, bytes, each, c.bytes)
	}
	for i := range each {
		if name := fmt.Sprintf("lasting%d", i); c.get([]byte(name)) == nil {
			t.Errorf("%s, which is alive, is forgotten", name)
		}
	}
}

// A cache whose series are alive keeps all of them, and seldom looks, also after it was cleared
// because it was full.
func TestCacheKeepsTheLiving(t *testing.T) {
	for _, bound := range []int{1 << 20, 3000} {
		c := NewBoundedCache(nil, bound)
		look, looks, cleared := c.look, 0, 0
		const n = 2000
		for i := range n {
			before := len(c.series)
			c.keep(fmt.Append(nil, i), dbtest.Series(t, i))
			if c.look > look {
				looks++
			}
			if look = c.look; len(c.series) <= before {
				cleared++
			}
			if c.look > max(firstLook, 2*len(c.series)) {
				t.Fatalf("the next look is at %d series, with %d known", c.look, len(c.series))
			}
		}
		if full := bound < 1<<20; full != (cleared > 1) || !full && len(c.series) != n {
			t.Errorf("%d of %d series are known with room for %d bytes, cleared %d times", len(c.series), n, bound, cleared)
		}
		if looks > 4*(cleared+1) {
			t.Errorf("looked for dead series %d times", looks)
		}
	}
}
