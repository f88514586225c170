// Package storetest is the conformance suite of object stores: what every
// objectstore.Store must do alike. It is a test helper and knows nothing about power cuts
// and damage, which each implementation tests by itself. Each implementation's test is
// one call of Run.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/sydradb/sydradb/internal/objectstore"
)

// Run tests the stores that open returns, each empty and used by one subtest.
func Run(t *testing.T, open func(t *testing.T) objectstore.Store) {
	tests := []struct {
		name string
		run  func(*testing.T, objectstore.Store)
	}{
		{"PutGet", putGet},
		{"PutTwiceIsOneObject", putTwice},
		{"TypeIsPartOfTheIdentity", typeCounts},
		{"PayloadsAreCopied", payloadsAreCopied},
		{"PutRefuses", putRefuses},
		{"LargestPayload", largestPayload},
		{"MissingObject", missingObject},
		{"ListIsSortedAndComplete", list},
		{"ListStops", listStops},
		{"ConcurrentPuts", concurrentPuts},
		{"RefsMove", refsMove},
		{"RefsAreCompared", refsAreCompared},
		{"RefNames", refNames},
		{"RefsInConflict", refsInConflict},
		{"RefsMakeWay", refsMakeWay},
		{"RefsAreDeleted", refsAreDeleted},
		{"RefsAreListed", refsAreListed},
		{"OneOfManyMovesARef", oneOfMany},
		{"CancelledContext", cancelled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

var types = []objectstore.Type{
	objectstore.TypeBlob, objectstore.TypeTree, objectstore.TypeCommit, objectstore.TypeRef,
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put stores an object and checks its id.
func put(t *testing.T, s objectstore.Store, kind objectstore.Type, payload string) objectstore.ID {
	t.Helper()
	id, err := s.Put(t.Context(), kind, []byte(payload))
	check(t, err)
	if want := objectstore.IDOf(kind, []byte(payload)); id != want {
		t.Fatalf("Put returned %v, want %v", id, want)
	}
	return id
}

// wantObject checks that an object is there.
func wantObject(t *testing.T, s objectstore.Store, id objectstore.ID, kind objectstore.Type, payload string) {
	t.Helper()
	gotKind, got, err := s.Get(t.Context(), id)
	if err != nil || gotKind != kind || string(got) != payload {
		t.Errorf("Get(%v) = %v, %.40q, %v, want %v, %.40q", id, gotKind, got, err, kind, payload)
	}
	if has, err := s.Has(t.Context(), id); !has || err != nil {
		t.Errorf("Has(%v) = %v, %v", id, has, err)
	}
}

// ids collects what List yields.
func ids(t *testing.T, s objectstore.Store, prefix string) []objectstore.ID {
	t.Helper()
	var out []objectstore.ID
	for id, err := range s.List(t.Context(), prefix) {
		check(t, err)
		out = append(out, id)
	}
	return out
}

func putGet(t *testing.T, s objectstore.Store) {
	all := map[objectstore.ID]string{}
	for _, kind := range types {
		for _, payload := range []string{"", "x", "\x00\xff", string(bytes.Repeat([]byte("sydra"), 50_000))} {
			all[put(t, s, kind, payload)] = payload
			wantObject(t, s, objectstore.IDOf(kind, []byte(payload)), kind, payload)
		}
	}
	for id, payload := range all {
		if _, got, err := s.Get(t.Context(), id); err != nil || string(got) != payload {
			t.Errorf("Get(%v) after others were put: %.40q, %v", id, got, err)
		}
	}
}

func putTwice(t *testing.T, s objectstore.Store) {
	id := put(t, s, objectstore.TypeBlob, "x")
	if again := put(t, s, objectstore.TypeBlob, "x"); again != id {
		t.Errorf("put again it is %v, not %v", again, id)
	}
	wantObject(t, s, id, objectstore.TypeBlob, "x")
	if got := ids(t, s, ""); len(got) != 1 {
		t.Errorf("%d objects, want 1", len(got))
	}
}

func typeCounts(t *testing.T, s objectstore.Store) {
	for _, kind := range types {
		put(t, s, kind, "x")
	}
	for _, kind := range types {
		wantObject(t, s, objectstore.IDOf(kind, []byte("x")), kind, "x")
	}
}

func payloadsAreCopied(t *testing.T, s objectstore.Store) {
	payload := []byte("mine")
	id, err := s.Put(t.Context(), objectstore.TypeBlob, payload)
	check(t, err)
	copy(payload, "xxxx")
	_, got, err := s.Get(t.Context(), id)
	check(t, err)
	clear(got)
	wantObject(t, s, id, objectstore.TypeBlob, "mine")
}

func putRefuses(t *testing.T, s objectstore.Store) {
	for _, kind := range []objectstore.Type{0, 5, 255} {
		if id, err := s.Put(t.Context(), kind, nil); !errors.Is(err, objectstore.ErrUnknownType) || id != (objectstore.ID{}) {
			t.Errorf("Put of %v: %v, %v", kind, id, err)
		}
	}
	tooLarge := make([]byte, objectstore.MaxPayloadBytes+1)
	if id, err := s.Put(t.Context(), objectstore.TypeBlob, tooLarge); !errors.Is(err, objectstore.ErrTooLarge) || id != (objectstore.ID{}) {
		t.Errorf("Put of %d bytes: %v, %v", len(tooLarge), id, err)
	}
	if got := ids(t, s, ""); len(got) != 0 {
		t.Errorf("what was refused is there: %v", got)
	}
}

func largestPayload(t *testing.T, s objectstore.Store) {
	payload := make([]byte, objectstore.MaxPayloadBytes)
	payload[len(payload)-1] = 1
	id, err := s.Put(t.Context(), objectstore.TypeBlob, payload)
	check(t, err)
	if _, got, err := s.Get(t.Context(), id); err != nil || !bytes.Equal(got, payload) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func missingObject(t *testing.T, s objectstore.Store) {
	there := put(t, s, objectstore.TypeBlob, "x")
	near := there
	near[31] ^= 1
	for _, id := range []objectstore.ID{{}, near, objectstore.IDOf(objectstore.TypeBlob, []byte("y"))} {
		if kind, got, err := s.Get(t.Context(), id); !errors.Is(err, objectstore.ErrNotFound) || kind != 0 || got != nil {
			t.Errorf("Get(%v) = %v, %q, %v, want ErrNotFound", id, kind, got, err)
		}
		if has, err := s.Has(t.Context(), id); has || err != nil {
			t.Errorf("Has(%v) = %v, %v", id, has, err)
		}
	}
}

func list(t *testing.T, s objectstore.Store) {
	if got := ids(t, s, ""); len(got) != 0 {
		t.Errorf("a new store holds %v", got)
	}
	var all []objectstore.ID
	for i := range 60 {
		all = append(all, put(t, s, objectstore.TypeTree, fmt.Sprint(i)))
	}
	slices.SortFunc(all, func(a, b objectstore.ID) int { return bytes.Compare(a[:], b[:]) })
	whole := all[7].String()
	missing := "1"
	if whole[64-1:] == missing {
		missing = "2"
	}
	for _, prefix := range []string{"", "0", "f", whole[:1], whole[:2], whole[:3], whole[:63], whole, whole[:63] + missing} {
		var want []objectstore.ID
		for _, id := range all {
			if id.String()[:len(prefix)] == prefix {
				want = append(want, id)
			}
		}
		if got := ids(t, s, prefix); !slices.Equal(got, want) {
			t.Errorf("List(%q) = %v, want %v", prefix, got, want)
		}
	}
	for _, prefix := range []string{"g", "A", "0/", "..", whole + "0"} {
		n := 0
		for id, err := range s.List(t.Context(), prefix) {
			if n++; n > 1 || err == nil || id != (objectstore.ID{}) {
				t.Errorf("List(%q) yields %v, %v", prefix, id, err)
			}
		}
		if n != 1 {
			t.Errorf("List(%q) yields no error", prefix)
		}
	}
}

func listStops(t *testing.T, s objectstore.Store) {
	for i := range 20 {
		put(t, s, objectstore.TypeBlob, fmt.Sprint(i))
	}
	n := 0
	for _, err := range s.List(t.Context(), "") {
		check(t, err)
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d ids, want 3", n)
	}
}

// concurrentPuts has many put the same objects and read them back at once.
func concurrentPuts(t *testing.T, s objectstore.Store) {
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 20 {
				payload := []byte(fmt.Sprint((i + 5*g) % 20))
				id, err := s.Put(t.Context(), objectstore.TypeBlob, payload)
				if err != nil {
					t.Error(err)
					return
				}
				if _, got, err := s.Get(t.Context(), id); err != nil || !bytes.Equal(got, payload) {
					t.Errorf("Get(%v) = %q, %v", id, got, err)
				}
			}
		})
	}
	all.Wait()
	if got := ids(t, s, ""); len(got) != 20 {
		t.Errorf("%d objects, want 20", len(got))
	}
}

func cancelled(t *testing.T, s objectstore.Store) {
	id := put(t, s, objectstore.TypeBlob, "x")
	check(t, s.SetRef(t.Context(), "heads/main", objectstore.ID{}, id))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, putErr := s.Put(ctx, objectstore.TypeBlob, []byte("y"))
	_, _, getErr := s.Get(ctx, id)
	_, hasErr := s.Has(ctx, id)
	_, refErr := s.Ref(ctx, "heads/main")
	_, refsErr := s.Refs(ctx, "")
	var listErr error
	for _, err := range s.List(ctx, "") {
		listErr = err
	}
	for name, err := range map[string]error{
		"Put": putErr, "Get": getErr, "Has": hasErr, "List": listErr, "Ref": refErr, "Refs": refsErr,
		"SetRef": s.SetRef(ctx, "heads/main", id, objectstore.ID{}), "DeleteRef": s.DeleteRef(ctx, "heads/main"),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", name, err)
		}
	}
	wantRef(t, s, "heads/main", id)
	if got := ids(t, s, ""); len(got) != 1 {
		t.Errorf("%d objects, want 1", len(got))
	}
}
