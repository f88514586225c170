package tags

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// checkSet compares a set with what it should hold.
func checkSet(t testing.TB, s *set, want map[uint32]bool) {
	t.Helper()
	sorted := slices.Sorted(maps.Keys(want))
	if got := s.appendTo(nil); !slices.Equal(got, sorted) {
		t.Fatalf("the set holds %d ordinals, want %d", len(got), len(sorted))
	}
	if s.n != len(want) {
		t.Fatalf("n = %d, want %d", s.n, len(want))
	}
}

// TestSetChangesForm drives a set from list to bitmap and back, from both ends.
func TestSetChangesForm(t *testing.T) {
	var s set
	want := map[uint32]bool{}
	add := func(o uint32) {
		t.Helper()
		if s.add(o) == want[o] {
			t.Fatalf("adding %d: new is %v", o, want[o])
		}
		want[o] = true
	}
	for i := range uint32(bitmapMin) {
		add(100_000 + i)
	}
	if s.bits != nil {
		t.Fatal("a short list is a bitmap")
	}
	add(100_000 + bitmapMin)
	if s.bits == nil || s.list != nil {
		t.Fatal("a long, dense list is not a bitmap")
	}
	checkSet(t, &s, want)
	add(100_000 + bitmapMin) // again
	add(99_000)              // below the first word
	add(120_000)             // beyond the last
	if s.bits == nil {
		t.Fatal("the bitmap did not grow")
	}
	checkSet(t, &s, want)
	for _, o := range []uint32{0, 98_999, 99_001, 119_999, 120_001, 120_064, math.MaxUint32 - 1} {
		if s.contains(o) {
			t.Errorf("contains %d", o)
		}
	}
	add(math.MaxUint32 - 1)
	if s.bits != nil {
		t.Fatal("a far ordinal made the bitmap huge")
	}
	add(5)
	checkSet(t, &s, want)
}

// TestSparseSetStaysList holds what a bitmap would need 40 times the room for.
func TestSparseSetStaysList(t *testing.T) {
	var s set
	want := map[uint32]bool{}
	for i := range uint32(3 * bitmapMin) {
		s.add(i * 40)
		want[i*40] = true
	}
	if s.bits != nil {
		t.Error("a sparse set is a bitmap")
	}
	checkSet(t, &s, want)
}

func TestSetAgainstMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, span := range []uint32{3000, 50_000, 200_000, 1 << 31} {
		var s set
		want := map[uint32]bool{}
		for i := range 12_000 {
			o := rng.Uint32N(span)
			if i%3000 < 2200 {
				if s.add(o) == want[o] {
					t.Fatalf("span %d: adding %d", span, o)
				}
				want[o] = true
			}
			if s.contains(o) != want[o] {
				t.Fatalf("span %d: contains %d", span, o)
			}
			if i%1000 == 0 {
				checkSet(t, &s, want)
			}
		}
		checkSet(t, &s, want)
	}
}

func TestPostingsAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ps postings
		want := map[uint32]map[uint32]bool{}
		for range rapid.IntRange(1, 200).Draw(t, "operations") {
			pair, o := rapid.Uint32Range(0, 3).Draw(t, "pair"), rapid.Uint32Range(0, 12).Draw(t, "ordinal")
			if want[pair] == nil {
				want[pair] = map[uint32]bool{}
			}
			ps.add(pair, o)
			want[pair][o] = true
			for o := range uint32(13) {
				if ps.contains(pair, o) != want[pair][o] {
					t.Fatalf("contains(%d, %d) = %v", pair, o, !want[pair][o])
				}
			}
		}
		for pair := range uint32(5) {
			sorted := slices.Sorted(maps.Keys(want[pair]))
			if got := ps.appendTo(nil, pair); !slices.Equal(got, sorted) || ps.count(pair) != len(sorted) {
				t.Fatalf("pair %d: %d, want %d", pair, got, sorted)
			}
		}
		if len(ps.sets) > 4 {
			t.Fatalf("%d sets for 4 pairs", len(ps.sets))
		}
	})
}

// TestFilterListAgainstContains filters one list by another of any length.
func TestFilterListAgainstContains(t *testing.T) {
	ascending := func(name string) *rapid.Generator[[]uint32] {
		return rapid.Custom(func(t *rapid.T) []uint32 {
			list := rapid.SliceOfN(rapid.Uint32Range(0, 300), 0, 100).Draw(t, name)
			slices.Sort(list)
			return slices.Compact(list)
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		found, list := ascending("found").Draw(t, "found"), ascending("list").Draw(t, "list")
		except := rapid.Bool().Draw(t, "except")
		want := slices.DeleteFunc(slices.Clone(found), func(o uint32) bool { return slices.Contains(list, o) == except })
		before := slices.Clone(list)
		if got := filterList(slices.Clone(found), list, except); !slices.Equal(got, want) {
			t.Errorf("%d of %d and %d, except %v, want %d", got, found, list, except, want)
		}
		if !slices.Equal(list, before) {
			t.Error("the list has changed")
		}
	})
}
