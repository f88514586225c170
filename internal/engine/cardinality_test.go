package engine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

func TestCardinality(t *testing.T) {
	e, err := Open(fsys.NewMem(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	resolve := func(name string, tags ...base.Tag) *Series {
		s, err := e.Resolve(name, tags)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	// More names than any tag has values.
	for i := range 6 {
		s := resolve(fmt.Sprintf("n%d", i), base.Tag{Key: "host", Value: fmt.Sprint(i % 3)}, base.Tag{Key: "dc", Value: "x"})
		if _, err := e.Write(t.Context(), []base.Row{{Ordinal: s.Ordinal(), TS: 1, Value: 1}}, []*Series{s}); err != nil {
			t.Fatal(err)
		}
	}
	resolve("never written", base.Tag{Key: "ghost", Value: "1"})

	host, dc := Cardinality{Key: "host", Values: 3, Series: 6}, Cardinality{Key: "dc", Values: 1, Series: 6}
	for n, want := range [][]Cardinality{{host, dc}, {host}, {host, dc}, {host, dc}} {
		if got := e.TagCardinality(n); !slices.Equal(got, want) {
			t.Errorf("the first %d tags are %v, want %v", n, got, want)
		}
	}
	if got, want := e.ValueCardinality("host", 2), []ValueCount{{Value: "0", Series: 2}, {Value: "1", Series: 2}}; !slices.Equal(got, want) {
		t.Errorf("hosts: %v, want %v", got, want)
	}
	if got := e.ValueCardinality(base.NameKey, 0); len(got) != 6 {
		t.Errorf("names: %v", got)
	}
	if got := e.ValueCardinality("nothing", 0); len(got) != 0 {
		t.Errorf("a key that no series has: %v", got)
	}
}
