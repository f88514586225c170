package catalog

import (
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/dict"
)

func TestKill(t *testing.T) {
	c := newCatalog()
	a := resolve(t, c, "a", "k", "v")
	b := resolve(t, c, "b", "k", "w")
	id := c.ID(a)
	if n := c.Kill([]base.Ordinal{a, a, 77}); n != 1 {
		t.Errorf("killed %d", n)
	}
	if c.Known(a) || c.ID(a) != 0 || c.Name(a) != "" || c.Len() != 1 || c.Dead() != 1 || c.Limit() != 2 {
		t.Errorf("%d series, %d dead", c.Len(), c.Dead())
	}
	if _, ok := c.ByID(id); ok {
		t.Error("a dead series is found by its id")
	}
	if o, found := c.FirstUnknown(rowsOf(b, a)); !found || o != a {
		t.Errorf("FirstUnknown = %d, %v", o, found)
	}
	if again := resolve(t, c, "a", "k", "v"); again != 2 || c.ID(again) != id {
		t.Errorf("the series came back as %d with id %x", again, uint64(c.ID(again)))
	}
	n := c.Renew(dict.New())
	if got := slices.Collect(n.Living()); !slices.Equal(got, []base.Ordinal{1, 2}) {
		t.Errorf("living %d", got)
	}
	if got := resolve(t, n, "b", "k", "w"); got != b {
		t.Errorf("b is %d", got)
	}
}
