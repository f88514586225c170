package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/dict"
)

// TestShapesDoNotMatter resolves series of few kinds again and again, so that most find the
// shape of their kind, and compares with what is said of keys without any.
func TestShapesDoNotMatter(t *testing.T) {
	keys := []string{"host", "core", "a", "b", `q"`, "tab\t", "é", "dc", "", "bad\xff", base.NameKey}
	values := []string{"", "x", "y", `back\slash`, "\x01", "é", "\xff", strings.Repeat("v", 600)}
	kind := rapid.Custom(func(t *rapid.T) []string {
		few := keys[:8]
		if rapid.IntRange(0, 9).Draw(t, "odd") == 0 {
			few = keys
		}
		return rapid.SliceOfN(rapid.SampledFrom(few), 0, shapeTags+2).Draw(t, "keys")
	})
	rapid.Check(t, func(t *rapid.T) {
		c := New(dict.New(), Options{})
		kinds := rapid.SliceOfN(kind, 1, 3).Draw(t, "kinds")
		for range 60 {
			name := rapid.SampledFrom([]string{"cpu", "mem", "", "\xff", "é"}).Draw(t, "name")
			var tags []base.Tag
			for _, key := range rapid.SampledFrom(kinds).Draw(t, "kind") {
				tags = append(tags, base.Tag{Key: key, Value: rapid.SampledFrom(values).Draw(t, "value")})
			}
			given := slices.Clone(tags)
			o, err := c.Resolve(name, tags)
			normal, want := ValidateSeries(name, tags)
			if (err == nil) != (want == nil) || want != nil && !errors.Is(err, ErrInvalid) {
				t.Fatalf("%q %q: %v, want %v", name, tags, err, want)
			}
			if !slices.Equal(tags, given) {
				t.Fatalf("%q has become %q", given, tags)
			}
			if err != nil {
				continue
			}
			got, _ := c.Get(o)
			if got.ID != KeyID(AppendKey(nil, name, normal)) || got.Name != name || !slices.Equal(got.Tags, normal) {
				t.Fatalf("%q %q is %v", name, tags, got)
			}
		}
	})
}

// TestShapesAreLearnt resolves many series with keys in an order of their own, which must
// come to cost no allocation.
func TestShapesAreLearnt(t *testing.T) {
	c := New(dict.New(), Options{})
	tags := func(i int) []base.Tag {
		return []base.Tag{{Key: "host", Value: fmt.Sprint(i)}, {Key: "core", Value: "1"}, {Key: "dc", Value: "eu"}}
	}
	for i := range 2 * learnEvery {
		if _, err := c.Resolve("cpu", tags(i)); err != nil {
			t.Fatal(err)
		}
	}
	if c.shapes.find(tags(-1)) == nil {
		t.Fatal("no shape")
	}
	if c.shapes.find(append(tags(-1), base.Tag{Key: "x", Value: "y"})) != nil {
		t.Error("a shape fits series with one tag more")
	}
	known := tags(1)
	if got := testing.AllocsPerRun(100, func() { c.Resolve("cpu", known) }); got != 0 {
		t.Errorf("%v allocations for a known series whose tags are not in order", got)
	}
	long := tags(1)
	long[0].Value = strings.Repeat("v", MaxKeyBytes)
	if _, err := c.Resolve("cpu", long); !errors.Is(err, ErrInvalid) {
		t.Errorf("a key that is too long: %v", err)
	}
}
