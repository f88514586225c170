package config

import (
	"testing"

	"github.com/sydradb/sydradb/server/internal/web"
)

func webDefaults() web.Limits { return web.DefaultLimits() }

func TestReserve(t *testing.T) {
	if c, err := load(t, "", nil); err != nil || c.Options().ReserveBytes != 64<<20 {
		t.Errorf("by default: %+v, %v", c, err)
	}
	if c, err := load(t, "reserve_bytes = 0\n", nil); err != nil || c.Options().ReserveBytes >= 0 {
		t.Errorf("without a reserve: %+v, %v", c, err)
	}
}

func TestMemoryIsShared(t *testing.T) {
	c, err := load(t, "mem_limit_bytes = \"256MiB\"\nquery_slots = 4\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	m := c.Memory()
	if m.Memtable != 64<<20 || m.Cache != 32<<20 || m.Bodies != 32<<20 || m.Query != 16<<20 || c.Limits().BodiesBytes != m.Bodies {
		t.Errorf("got %+v", m)
	}
	if sum := 2*m.Memtable + m.Cache + m.Bodies + 4*m.Query; sum > 256<<20 {
		t.Errorf("the shares sum up to %d", sum)
	}
	if c, err = load(t, "mem_limit_bytes = \"1TiB\"\n", nil); err != nil || c.Memory().Memtable != 128<<20 || c.Memory().Query != 256<<20 {
		t.Errorf("a share is larger than its own limit: %+v, %v", c.Memory(), err)
	}
}
