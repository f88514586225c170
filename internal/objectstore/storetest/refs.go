package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/sydradb/sydradb/internal/objectstore"
)

// Ids for refs, which need no objects.
var none, one, two = objectstore.ID{}, objectstore.ID{1}, objectstore.ID{2}

func set(t *testing.T, s objectstore.Store, name string, old, id objectstore.ID) {
	t.Helper()
	if err := s.SetRef(t.Context(), name, old, id); err != nil {
		t.Fatal(err)
	}
}

func wantRef(t *testing.T, s objectstore.Store, name string, want objectstore.ID) {
	t.Helper()
	if got, err := s.Ref(t.Context(), name); err != nil || got != want {
		t.Errorf("Ref(%q) = %v, %v, want %v", name, got, err, want)
	}
}

// wantRefs checks what Refs returns: names, each with an id.
func wantRefs(t *testing.T, s objectstore.Store, prefix string, want ...objectstore.Ref) {
	t.Helper()
	if got, err := s.Refs(t.Context(), prefix); err != nil || !slices.Equal(got, want) {
		t.Errorf("Refs(%q) = %v, %v, want %v", prefix, got, err, want)
	}
}

func refsMove(t *testing.T, s objectstore.Store) {
	wantRef(t, s, "heads/main", none)
	set(t, s, "heads/main", none, one)
	wantRef(t, s, "heads/main", one)
	set(t, s, "heads/main", one, two)
	wantRef(t, s, "heads/main", two)
	set(t, s, "heads/main", two, two)
	wantRef(t, s, "heads/main", two)
	wantRef(t, s, "heads/other", none)
	wantRef(t, s, "heads", none)
	wantRef(t, s, "heads/main/more", none)
}

func refsAreCompared(t *testing.T, s objectstore.Store) {
	refuse := func(name string, old, id objectstore.ID) {
		t.Helper()
		if err := s.SetRef(t.Context(), name, old, id); !errors.Is(err, objectstore.ErrRefMoved) {
			t.Errorf("SetRef(%q, %v, %v): %v, want ErrRefMoved", name, old, id, err)
		}
	}
	refuse("a", one, two)
	refuse("a", one, one)
	refuse("a", one, none)
	wantRef(t, s, "a", none)
	set(t, s, "a", none, one)
	refuse("a", none, two)
	refuse("a", none, one)
	refuse("a", two, one)
	refuse("a", two, none)
	refuse("a/b", one, two)
	wantRef(t, s, "a", one)
	wantRefs(t, s, "", objectstore.Ref{Name: "a", ID: one})
}

func refNames(t *testing.T, s objectstore.Store) {
	good := []string{"a", "tags/v1.0", "remotes/origin/feature/x", "0", "b-_", "c.d"}
	for _, name := range good {
		set(t, s, name, none, one)
		wantRef(t, s, name, one)
	}
	for _, name := range []string{"", "/a", "a/", "x//y", "../a", "x/../../a", "x.lock", "X", "a/b/c/d/e", "con", one.String()} {
		_, err := s.Ref(t.Context(), name)
		for op, err := range map[string]error{
			"Ref": err, "SetRef": s.SetRef(t.Context(), name, none, one), "DeleteRef": s.DeleteRef(t.Context(), name),
		} {
			if !errors.Is(err, objectstore.ErrRefName) {
				t.Errorf("%s(%q): %v, want ErrRefName", op, name, err)
			}
		}
	}
	if got, err := s.Refs(t.Context(), ""); err != nil || len(got) != len(good) {
		t.Errorf("%v, %v", got, err)
	}
}

func refsInConflict(t *testing.T, s objectstore.Store) {
	set(t, s, "a/b", none, one)
	set(t, s, "c", none, one)
	for _, name := range []string{"a", "a/b/c", "a/b/c/d", "c/d", "c/d/e"} {
		if err := s.SetRef(t.Context(), name, none, two); !errors.Is(err, objectstore.ErrRefConflict) {
			t.Errorf("SetRef(%q): %v, want ErrRefConflict", name, err)
		}
		wantRef(t, s, name, none)
	}
	set(t, s, "a/c", none, two)
	set(t, s, "ab", none, two)
	set(t, s, "c-d", none, two)
	wantRef(t, s, "a/b", one)
	wantRef(t, s, "c", one)
}

// refsMakeWay has names that were in conflict follow one another.
func refsMakeWay(t *testing.T, s objectstore.Store) {
	set(t, s, "a/b/c", none, one)
	set(t, s, "a/b/c", one, none)
	set(t, s, "a", none, two)
	wantRef(t, s, "a/b/c", none)
	wantRefs(t, s, "", objectstore.Ref{Name: "a", ID: two})
	if err := s.DeleteRef(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	set(t, s, "a/b", none, one)
	wantRefs(t, s, "", objectstore.Ref{Name: "a/b", ID: one})
}

func refsAreDeleted(t *testing.T, s objectstore.Store) {
	for _, name := range []string{"a", "never/was", "d", "d/e/f"} {
		if err := s.DeleteRef(t.Context(), name); err != nil {
			t.Errorf("DeleteRef(%q) of what is not there: %v", name, err)
		}
	}
	set(t, s, "never/was", none, none)
	set(t, s, "d/e", none, one)
	for _, name := range []string{"d", "d/e/f"} {
		if err := s.DeleteRef(t.Context(), name); err != nil {
			t.Errorf("DeleteRef(%q) beside d/e: %v", name, err)
		}
		set(t, s, name, none, none)
	}
	wantRef(t, s, "d/e", one)
	if err := s.DeleteRef(t.Context(), "d/e"); err != nil {
		t.Fatal(err)
	}
	wantRef(t, s, "d/e", none)
	set(t, s, "d/e", none, two)
	set(t, s, "d/e", two, none)
	wantRefs(t, s, "")
}

func refsAreListed(t *testing.T, s objectstore.Store) {
	wantRefs(t, s, "")
	names := []string{"heads/a", "heads/a-b", "heads/b/c", "heads-x", "main", "tags/v1.0"}
	var all []objectstore.Ref
	for i, name := range names {
		id := objectstore.ID{byte(i + 1)}
		set(t, s, name, none, id)
		all = append(all, objectstore.Ref{Name: name, ID: id})
	}
	slices.SortFunc(all, func(a, b objectstore.Ref) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	for _, prefix := range []string{"", "heads", "heads/", "heads/a", "heads/b/", "heads/b/c", "heads/b/c/", "t", "main", "x", "/", "HEADS"} {
		var want []objectstore.Ref
		for _, r := range all {
			if len(r.Name) >= len(prefix) && r.Name[:len(prefix)] == prefix {
				want = append(want, r)
			}
		}
		wantRefs(t, s, prefix, want...)
	}
}

// oneOfMany lets several move a ref from where it is, again and again: each time one of
// them succeeds, and whoever reads meanwhile sees one of the values.
func oneOfMany(t *testing.T, s objectstore.Store) {
	const rounds, rivals = 15, 4
	for round := range rounds {
		old, err := s.Ref(t.Context(), "heads/main")
		check(t, err)
		won := make([]bool, rivals)
		var all sync.WaitGroup
		for g := range rivals {
			all.Go(func() {
				err := s.SetRef(t.Context(), "heads/main", old, objectstore.ID{byte(round + 1), byte(g)})
				if won[g] = err == nil; !won[g] && !errors.Is(err, objectstore.ErrRefMoved) {
					t.Error(err)
				}
			})
		}
		all.Go(func() {
			got, err := s.Ref(t.Context(), "heads/main")
			if err != nil || got != old && got[0] != byte(round+1) {
				t.Errorf("read %v, %v", got, err)
			}
		})
		all.Wait()
		winner := slices.Index(won, true)
		if winner < 0 || slices.Contains(won[winner+1:], true) {
			t.Fatalf("winners %v, want one", fmt.Sprint(won))
		}
		wantRef(t, s, "heads/main", objectstore.ID{byte(round + 1), byte(winner)})
	}
}
