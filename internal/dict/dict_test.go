package dict

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/sydradb/sydradb/internal/base"
)

func TestInternNumbersPairsInOrder(t *testing.T) {
	d := New()
	pairs := [][2]string{{"host", "a"}, {"host", "b"}, {"zone", "a"}, {base.NameKey, "cpu"},
		{"", ""}, {"host", ""}, {"big", strings.Repeat("v", 1<<20)}}
	for i, p := range pairs {
		if n := d.Intern(p[0], p[1]); n != uint32(i) {
			t.Fatalf("pair %d got number %d", i, n)
		}
	}
	for i, p := range pairs {
		if n := d.Intern(p[0], p[1]); n != uint32(i) {
			t.Errorf("pair %d got number %d the second time", i, n)
		}
		if n, ok := d.Lookup(p[0], p[1]); n != uint32(i) || !ok {
			t.Errorf("Lookup of pair %d = %d, %v", i, n, ok)
		}
		if k, v := d.Pair(uint32(i)); k != p[0] || v != p[1] {
			t.Errorf("Pair(%d) differs", i)
		}
	}
	if _, ok := d.Lookup("host", "c"); ok {
		t.Error("an unknown value is found")
	}
	if _, ok := d.Lookup("rack", "a"); ok {
		t.Error("an unknown key is found")
	}
	if k, v := d.Pair(d.Len()); k != "" || v != "" {
		t.Error("a number never given has a pair")
	}
	if got, want := d.Keys(), []string{"", base.NameKey, "big", "host", "zone"}; !slices.Equal(got, want) {
		t.Errorf("Keys = %q, want %q", got, want)
	}
}

func TestValuesOfAKey(t *testing.T) {
	d := New()
	for i := range 100 {
		d.Intern("even", fmt.Sprint(i))
		d.Intern("odd", fmt.Sprint(i))
	}
	all := d.AppendValues(nil, "odd", 0)
	if len(all) != 100 || !slices.IsSorted(all) {
		t.Fatalf("%d values, sorted %v", len(all), slices.IsSorted(all))
	}
	for i, n := range all {
		if k, v := d.Pair(n); k != "odd" || v != fmt.Sprint(i) {
			t.Errorf("value %d is %s=%s", i, k, v)
		}
	}
	since := d.Len()
	if got := d.AppendValues(nil, "odd", since); len(got) != 0 {
		t.Errorf("new values: %d", got)
	}
	late := d.Intern("odd", "late")
	d.Intern("even", "late")
	if got := d.AppendValues([]uint32{7}, "odd", since); !slices.Equal(got, []uint32{7, late}) {
		t.Errorf("new values: %d", got)
	}
	if got := d.AppendValues(nil, "none", 0); len(got) != 0 {
		t.Errorf("values of an unknown key: %d", got)
	}
}

func TestSeries(t *testing.T) {
	d := New()
	a := []base.Tag{{Key: "host", Value: "a"}, {Key: "zone", Value: "x"}}
	b := []base.Tag{{Key: "host", Value: "a"}, {Key: "zone", Value: "y"}}
	pa := d.InternSeries(nil, "cpu", a)
	pb := d.InternSeries(nil, "cpu", b)
	if pa[0] != pb[0] || pa[1] != pb[1] || pa[2] == pb[2] {
		t.Errorf("pairs %d and %d", pa, pb)
	}
	if !d.IsSeries(pa, "cpu", a) || !d.IsSeries(pb, "cpu", b) {
		t.Error("a series is not itself")
	}
	for _, other := range []struct {
		name string
		tags []base.Tag
	}{{"cpu", b}, {"mem", a}, {"", a}, {"cpu", a[:1]}, {"cpu", nil}} {
		if d.IsSeries(pa, other.name, other.tags) {
			t.Errorf("cpu %v is taken for %q %v", a, other.name, other.tags)
		}
	}
	nameless := d.InternSeries(nil, "", a)
	if !slices.Equal(nameless, pa[1:]) {
		t.Errorf("nameless pairs %d, want %d", nameless, pa[1:])
	}
	if d.IsSeries(nameless, "", a) || d.IsSeries(nameless, "cpu", a[:1]) {
		t.Error("a nameless series has a name")
	}
	if got := d.AppendTags(nil, pb[1:]); !slices.Equal(got, b) {
		t.Errorf("tags %v, want %v", got, b)
	}
}

// TestAgainstMap interns random series and compares with a map of strings.
func TestAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := New()
		want := map[base.Tag]uint32{}
		tag := rapid.Custom(func(t *rapid.T) base.Tag {
			return base.Tag{
				Key:   rapid.SampledFrom([]string{"a", "b", "ab", base.NameKey}).Draw(t, "key"),
				Value: rapid.StringOfN(rapid.SampledFrom([]rune("abc")), 1, 6, -1).Draw(t, "value"),
			}
		})
		for range rapid.IntRange(1, 60).Draw(t, "series") {
			tags := rapid.SliceOfN(tag, 0, 8).Draw(t, "tags")
			name := rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "name")
			got := d.InternSeries(nil, name, tags)
			if name != "" {
				tags = append([]base.Tag{{Key: base.NameKey, Value: name}}, tags...)
			}
			for i, tag := range tags {
				n, known := want[tag]
				if !known {
					n = uint32(len(want))
					want[tag] = n
				}
				if got[i] != n {
					t.Fatalf("%v has number %d, want %d", tag, got[i], n)
				}
			}
		}
		for tag, n := range want {
			if k, v := d.Pair(n); k != tag.Key || v != tag.Value {
				t.Fatalf("pair %d is %s=%s, want %v", n, k, v, tag)
			}
		}
		if int(d.Len()) != len(want) {
			t.Fatalf("Len = %d, want %d", d.Len(), len(want))
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	d := New()
	const pairs = 2000
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range pairs {
				value := fmt.Sprint(i)
				n := d.Intern("key", value)
				if k, v := d.Pair(n); k != "key" || v != value {
					t.Errorf("pair %d is %s=%s", n, k, v)
				}
				if m, ok := d.Lookup("key", value); !ok || m != n {
					t.Errorf("Lookup = %d, %v, want %d", m, ok, n)
				}
			}
		})
	}
	wg.Wait()
	if d.Len() != pairs {
		t.Errorf("Len = %d", d.Len())
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	d := New()
	tags := []base.Tag{{Key: "host", Value: "a"}, {Key: "zone", Value: "x"}}
	pairs := d.InternSeries(nil, "cpu", tags)
	got := testing.AllocsPerRun(100, func() {
		d.Lookup("host", "a")
		d.Pair(pairs[1])
		d.IsSeries(pairs, "cpu", tags)
		d.InternSeries(pairs[:0], "cpu", tags)
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkIntern(b *testing.B) {
	values := make([]string, 1<<17)
	for i := range values {
		values[i] = fmt.Sprintf("host_%d", i)
	}
	b.Run("pair=new", func(b *testing.B) {
		b.ReportAllocs()
		d := New()
		for i := 0; b.Loop(); i++ {
			if i%len(values) == 0 {
				d = New()
			}
			d.Intern("host", values[i%len(values)])
		}
	})
	b.Run("pair=known", func(b *testing.B) {
		b.ReportAllocs()
		d := New()
		for _, v := range values {
			d.Intern("host", v)
		}
		for i := 0; b.Loop(); i++ {
			d.Intern("host", values[i%len(values)])
		}
	})
}
