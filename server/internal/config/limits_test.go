package config

import (
	"testing"

	"github.com/sydradb/sydradb/server/internal/web"
)

func webDefaults() web.Limits { return web.DefaultLimits() }

func TestFreeSpace(t *testing.T) {
	for text, want := range map[string]int64{
		"":                                256 << 20,
		"memtable_max_bytes = \"1GiB\"\n": 2 << 30,
		"memtable_max_bytes = \"1MiB\"\n": 256 << 20,
		"min_free_bytes = \"4MiB\"\n":     4 << 20,
		"mem_limit_bytes = \"64MiB\"\n":   256 << 20,
	} {
		c, err := load(t, text, nil)
		if err != nil || c.MinFree() != want || c.Options().ReserveBytes != 64<<20 {
			t.Errorf("%q: %d bytes, %+v, %v", text, c.MinFree(), c.Options(), err)
		}
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
