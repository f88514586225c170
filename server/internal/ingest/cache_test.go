package ingest

import (
	"fmt"
	"testing"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/seriestest"
)

// Series that come and go do not pile up, and those that are alive stay known.
func TestCacheForgetsTheDead(t *testing.T) {
	db := seriestest.Open(t)
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
		seriestest.Kill(t, db, dead...)
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
