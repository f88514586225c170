package engine

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// TestHandleOutlivesItsSeries lets a series die, with the register built anew, while
// others ask its handle what it is of.
func TestHandleOutlivesItsSeries(t *testing.T) {
	e, err := Open(fsys.NewMem(), Options{MergeOff: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	tags := []base.Tag{{Key: "host", Value: "a"}, {Key: "rack", Value: "7"}}
	s, err := e.Resolve("cpu", tags)
	if err != nil {
		t.Fatal(err)
	}
	put(t, e, s, 1, 1)
	found, err := e.Find(t.Context(), Selector{}, base.MinTime, base.MaxTime)
	if err != nil || len(found) != 1 || found[0] != s {
		t.Fatalf("found %v, not the handle that there is: %v", found, err)
	}
	check := func() {
		if s.Name() != "cpu" || !slices.Equal(s.Tags(), tags) || s.ID() != found[0].ID() {
			t.Errorf("the handle is of %s %v", s.Name(), s.Tags())
		}
	}
	var readers sync.WaitGroup
	stop := make(chan struct{})
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				check()
			}
		}
	})
	before := s.Ordinal()
	_, err = e.Delete(t.Context(), Selector{}, base.MinTime, base.MaxTime)
	if err = errors.Join(err, e.Flush(t.Context()), e.Compact(t.Context())); err != nil {
		t.Fatal(err)
	}
	close(stop)
	readers.Wait()
	if e.reg.now().catalog.Known(before) {
		t.Fatal("the series is not dead")
	}
	check()
	if h := e.reg.handles.mu.series.At(uint32(before)); h != nil {
		t.Error("the registry holds the handle of a dead series")
	}

	again, err := e.Resolve("cpu", tags)
	if err != nil || again == s || again.Ordinal() == before {
		t.Fatalf("resolved to %v: %v", again, err)
	}
	put(t, e, s, 2, 2)
	if s.Ordinal() != again.Ordinal() {
		t.Errorf("ordinals %d and %d of one series", s.Ordinal(), again.Ordinal())
	}
	check()
	if got := countPoints(t, e, Query{Start: base.MinTime, End: base.MaxTime}); got != 1 {
		t.Errorf("%d points", got)
	}
}

// TestHandleOfAnEarlierRegister asks for a series by a register that has been renewed, as a
// query may that was captured before: it died since, and nothing would tell its handle.
func TestHandleOfAnEarlierRegister(t *testing.T) {
	e := openTest(t, fsys.NewMem(), Options{MergeOff: true})
	die := func(s *Series) {
		_, err := e.Delete(t.Context(), Selector{IDs: []base.SeriesID{s.ID()}}, base.MinTime, base.MaxTime)
		if err = errors.Join(err, e.Flush(t.Context()), e.Compact(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	var both [2]*Series
	for i, name := range []string{"a", "b"} {
		s, err := e.Resolve(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		put(t, e, s, 1, 1)
		both[i] = s
	}
	before := e.reg.now()
	die(both[0])
	if h := e.reg.handle(before, both[1].Ordinal()); h != both[1] {
		t.Error("the handle that there is was not found")
	}
	die(both[1])
	if e.reg.now() == before || !before.catalog.Known(both[1].Ordinal()) {
		t.Fatal("the register was not renewed before the series died")
	}
	if h := e.reg.handle(before, both[1].Ordinal()); h != nil {
		t.Error("a dead series has got a handle that knows no name")
	}
}

// TestHandlesAreShared resolves the same series from several goroutines.
func TestHandlesAreShared(t *testing.T) {
	e, err := Open(fsys.NewMem(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var all [4][]*Series
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			for _, host := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
				s, err := e.Resolve("cpu", []base.Tag{{Key: "host", Value: host}})
				if err != nil {
					t.Error(err)
				}
				all[i] = append(all[i], s)
			}
		})
	}
	wg.Wait()
	for i := range all {
		if !slices.Equal(all[i], all[0]) {
			t.Errorf("goroutine %d got other handles", i)
		}
	}
	got := testing.AllocsPerRun(100, func() {
		if _, err := e.Resolve("cpu", []base.Tag{{Key: "host", Value: "a"}}); err != nil {
			t.Error(err)
		}
	})
	if got != 0 {
		t.Errorf("%v allocations for a series that is known", got)
	}
}

// TestHandleOfANamelessSeries gets no name when its series does.
func TestHandleOfANamelessSeries(t *testing.T) {
	e, err := Open(fsys.NewMem(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	named, err := e.Resolve("cpu", nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Open(fsys.NewMem(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	nameless, err := other.ResolveID(named.ID(), nil)
	if err != nil {
		t.Fatal(err)
	}
	shown := nameless.Name()
	put(t, other, nameless, time.Now().UnixNano(), 1)
	again, err := other.Resolve("cpu", nil)
	if err != nil || again.Ordinal() != nameless.Ordinal() {
		t.Fatalf("%v: %v", again, err)
	}
	if nameless.Name() != shown || again.Name() != "cpu" || shown != namelessName(named.ID()) {
		t.Errorf("%q, now %q, and %q", shown, nameless.Name(), again.Name())
	}
}
