package sydradb

import (
	"reflect"
	"testing"
)

func TestTagCardinality(t *testing.T) {
	db, err := Open("", &Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	b := db.NewBatch()
	for _, host := range []string{"a", "b"} {
		for _, name := range []string{"cpu", "mem", "net"} {
			s, err := db.Series(name, Tag{Key: "host", Value: host}, Tag{Key: "dc", Value: "x"})
			if err != nil {
				t.Fatal(err)
			}
			b.Add(s, 1, 1)
		}
	}
	if err := db.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if got, want := db.TagCardinality(0), []TagCardinality{{"host", 2, 6}, {"dc", 1, 6}}; !reflect.DeepEqual(got, want) {
		t.Errorf("tags %v, want %v", got, want)
	}
	if got, want := db.TagCardinality(1), []TagCardinality{{"host", 2, 6}}; !reflect.DeepEqual(got, want) {
		t.Errorf("first tag %v, want %v", got, want)
	}
	if got, want := db.ValueCardinality("__name__", 2), []ValueCardinality{{"cpu", 2}, {"mem", 2}}; !reflect.DeepEqual(got, want) {
		t.Errorf("names %v, want %v", got, want)
	}
}
