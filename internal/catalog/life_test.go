package catalog

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/dict"
	"github.com/sydradb/sydradb/internal/fsys"
)

func TestKill(t *testing.T) {
	c := newCatalog()
	a := resolve(t, c, "a", "k", "v")
	b := resolve(t, c, "b", "k", "w")
	c.SetLogged(nil, c.AppendUnlogged(nil, rowsOf(b)))
	id := c.ID(a)
	if n := c.Kill([]base.Ordinal{a, 77, a, 1<<32 - 1}); n != 1 {
		t.Errorf("killed %d", n)
	}
	if _, ok := c.Get(a); ok || c.Known(a) || c.ID(a) != 0 || c.Name(a) != "" || c.Pairs(nil, a) != nil {
		t.Error("a void ordinal stands for something")
	}
	if c.Len() != 1 || c.Dead() != 1 || c.Limit() != 2 || c.Unlogged() {
		t.Errorf("%d series, %d dead, limit %d, unlogged %v", c.Len(), c.Dead(), c.Limit(), c.Unlogged())
	}
	if _, ok := c.ByID(id); ok {
		t.Error("a dead series is found by its id")
	}
	if o, found := c.FirstUnknown(rowsOf(b, a)); !found || o != a {
		t.Errorf("FirstUnknown = %d, %v", o, found)
	}
	if regs := c.AppendUnlogged(nil, rowsOf(a, b)); len(regs) != 0 {
		t.Errorf("registrations %v", regs)
	}
	if again := resolve(t, c, "a", "k", "v"); again != 2 || c.ID(again) != id || c.Name(again) != "a" {
		t.Errorf("the series came back as %d with id %x", again, uint64(c.ID(again)))
	}
	if regs := c.AppendUnlogged(nil, rowsOf(2)); len(regs) != 1 || regs[0].ID != id {
		t.Errorf("registrations %v", regs)
	}
	if got := slices.Collect(c.Living()); !slices.Equal(got, []base.Ordinal{1, 2}) {
		t.Errorf("living %d", got)
	}
	if n := c.Kill([]base.Ordinal{a}); n != 0 || c.Len() != 2 {
		t.Errorf("a void ordinal was killed again: %d", n)
	}
}

// TestKillAmongCollisions kills series that share one hash with others. Those that stay
// are found, and what comes back takes the lowest id of the chain that is free.
func TestKillAmongCollisions(t *testing.T) {
	c := New(dict.New(), Options{Hash: func([]byte) uint64 { return 7 }})
	for i := range 6 {
		resolve(t, c, fmt.Sprint("s", i))
	}
	c.Kill([]base.Ordinal{0, 3})
	for i := range 6 {
		if o, ok := lookup(c, fmt.Sprint("s", i), nil); ok != (i != 0 && i != 3) || ok && int(o) != i {
			t.Errorf("series %d is found as %d, %v", i, o, ok)
		}
	}
	for _, back := range []struct {
		name string
		id   base.SeriesID
	}{{"s3", 7}, {"s0", 10}} {
		if o := resolve(t, c, back.name); c.ID(o) != back.id {
			t.Errorf("%s came back with id %d, want %d", back.name, c.ID(o), back.id)
		}
	}
	c.Kill(slices.Collect(c.Living()))
	if c.Len() != 0 || len(c.mu.displaced) != 0 || c.Dead() != 8 {
		t.Errorf("%d series, %d lists of displaced, %d dead", c.Len(), len(c.mu.displaced), c.Dead())
	}
	if o := resolve(t, c, "s5"); o != 8 || c.ID(o) != 7 {
		t.Errorf("s5 came back as %d with id %d", o, c.ID(o))
	}
}

// TestTableForgets empties the table of ids in random order. Whatever is left of a
// chain of slots is found.
func TestTableForgets(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := newStore(0)
	ids := make([]base.SeriesID, firstSlots*3/4)
	for o := range ids {
		ids[o] = base.SeriesID(r.Uint64())
		s.add(base.Ordinal(o), ids[o], nil, false)
	}
	if len(s.slots) != firstSlots {
		t.Fatalf("%d slots: the table is not as full as it gets", len(s.slots))
	}
	left := r.Perm(len(ids))
	for len(left) > 0 {
		gone := left[0]
		left = left[1:]
		s.remove(base.Ordinal(gone))
		if o, ok := s.byID(ids[gone]); ok {
			t.Fatalf("%d is found as %d after it was removed", gone, o)
		}
		for _, o := range left {
			if got, ok := s.byID(ids[o]); !ok || int(got) != o {
				t.Fatalf("%d is found as %d, %v", o, got, ok)
			}
		}
	}
	if i := slices.IndexFunc(s.slots, func(slot uint64) bool { return slot != 0 }); i >= 0 || s.count != 0 {
		t.Errorf("slot %d of an empty table is taken, %d series", i, s.count)
	}
}

func TestRenew(t *testing.T) {
	c := New(dict.New(), Options{Hash: func(key []byte) uint64 { return uint64(KeyID(key)) % 7 }, MaxSeries: 95})
	mixed(t, c)
	c.SetLogged(nil, c.AppendUnlogged(nil, rowsOf(slices.Collect(c.Living())...)))
	fresh := resolve(t, c, "fresh", "own", "value")
	resolve(t, c, "gone", "rare", "tag")
	nameless, err := c.ResolveID(base.SeriesID(uint64(KeyID([]byte("late|{}")))%7+1<<40), nil)
	if err != nil {
		t.Fatal(err)
	}
	var dead []base.Ordinal
	for o := range c.Living() {
		if o%3 == 1 {
			dead = append(dead, o)
		}
	}
	c.Kill(append(dead, fresh+1))
	limit, len0, before := c.Limit(), c.Len(), everything(c)

	d := dict.New()
	n := c.Renew(d)
	if !sameSeries(everything(n), before) || n.Len() != len0 || n.Limit() != limit || n.Dead() != 0 {
		t.Fatalf("%d series of %d, limit %d of %d, %d dead", n.Len(), len0, n.Limit(), limit, n.Dead())
	}
	if err := n.Verify(); err != nil {
		t.Error(err)
	}
	if regs := n.AppendUnlogged(nil, rowsOf(slices.Collect(n.Living())...)); len(regs) != 2 || regs[0].Ordinal != fresh || regs[1].Ordinal != nameless {
		t.Errorf("unlogged: %v", regs)
	}
	for _, key := range d.Keys() {
		if key == "rare" {
			t.Error("the new dictionary knows a tag of the dead")
		}
	}
	n.SetLogged(nil, n.AppendUnlogged(nil, rowsOf(fresh, nameless)))
	if n.Unlogged() || !c.Unlogged() {
		t.Errorf("unlogged %v, in the old one %v", n.Unlogged(), c.Unlogged())
	}

	// The old one answers and makes nothing.
	if o, err := c.Resolve("fresh", tagsOf("own", "value")); err != nil || o != fresh {
		t.Errorf("a known series is %d, %v", o, err)
	}
	if _, err := c.Resolve("new", nil); !errors.Is(err, ErrRenewed) {
		t.Errorf("a new series: %v", err)
	}
	if _, err := c.ResolveID(1<<50, nil); !errors.Is(err, ErrRenewed) {
		t.Errorf("a new id: %v", err)
	}
	if o := resolve(t, n, "new"); o != limit {
		t.Errorf("the next ordinal is %d, want %d", o, limit)
	}
	for n.Len() < 95 {
		resolve(t, n, fmt.Sprint("more", n.Len()))
	}
	if _, err := n.Resolve("one too many", nil); !errors.Is(err, ErrSeriesLimit) {
		t.Errorf("the limit is lost: %v", err)
	}
}

func TestRenewedGivesNoNames(t *testing.T) {
	c := newCatalog()
	o, err := c.ResolveID(KeyID([]byte("a|{}")), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := c.Renew(dict.New())
	if _, err := c.Resolve("a", nil); !errors.Is(err, ErrRenewed) || c.Name(o) != "" {
		t.Errorf("name %q, %v", c.Name(o), err)
	}
	if got := resolve(t, n, "a"); got != o || n.Name(o) != "a" {
		t.Errorf("ordinal %d, name %q", got, n.Name(o))
	}
}

func TestSealedTakesNothingIn(t *testing.T) {
	c := New(dict.New(), Options{})
	known := resolve(t, c, "known")
	nameless, err := c.ResolveID(KeyID([]byte("a|{}")), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Seal()
	if o, err := c.Resolve("known", nil); err != nil || o != known {
		t.Errorf("a known series is %d, %v", o, err)
	}
	if o, err := c.ResolveID(c.ID(nameless), nil); err != nil || o != nameless {
		t.Errorf("a known id is %d, %v", o, err)
	}
	if _, err := c.Resolve("new", nil); !errors.Is(err, ErrSealed) {
		t.Errorf("a new series: %v", err)
	}
	if _, err := c.Resolve("a", nil); !errors.Is(err, ErrSealed) || c.Name(nameless) != "" {
		t.Errorf("a new name %q: %v", c.Name(nameless), err)
	}
	if _, err := c.ResolveID(1<<50, nil); !errors.Is(err, ErrSealed) {
		t.Errorf("a new id: %v", err)
	}
	if _, err := c.Resolve("bad", tagsOf("", "x")); !errors.Is(err, ErrInvalid) {
		t.Errorf("an invalid series: %v", err)
	}
}

func TestSeriesLimit(t *testing.T) {
	c := New(dict.New(), Options{MaxSeries: 2})
	a := resolve(t, c, "a")
	if _, err := c.ResolveID(5, nil); err != nil {
		t.Fatal(err)
	}
	for what, resolve := range map[string]func() (base.Ordinal, error){
		"by key": func() (base.Ordinal, error) { return c.Resolve("b", tagsOf("own", "value")) },
		"by id":  func() (base.Ordinal, error) { return c.ResolveID(6, tagsOf("own", "value")) },
	} {
		_, err := resolve()
		if !errors.Is(err, ErrSeriesLimit) || !strings.Contains(err.Error(), "2 are allowed") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, known := c.dict.Lookup("own", "value"); known || c.Len() != 2 || c.Limit() != 2 {
		t.Errorf("what was refused left traces: %d series, limit %d", c.Len(), c.Limit())
	}
	if o, err := c.Resolve("a", nil); err != nil || o != a {
		t.Errorf("a known series: %d, %v", o, err)
	}
	c.Kill([]base.Ordinal{a})
	resolve(t, c, "b")
	// What the log holds is taken in whatever the limit is now.
	if err := c.Register(base.Registration{Ordinal: 9, ID: 9}); err != nil || c.Len() != 3 {
		t.Errorf("%d series, %v", c.Len(), err)
	}
	if _, err := c.Resolve("c", nil); !errors.Is(err, ErrSeriesLimit) {
		t.Errorf("beyond the limit: %v", err)
	}
}

// TestLaterLives brings up series under new ordinals, in a log and in a file.
func TestLaterLives(t *testing.T) {
	hash := KeyID([]byte("a|{}"))
	for _, c := range []struct {
		what  string
		first []base.Registration
		reg   base.Registration
		void  []base.Ordinal
	}{
		{"the same series again", []base.Registration{{Ordinal: 3, ID: hash, Name: "a"}},
			base.Registration{Ordinal: 8, ID: hash, Name: "a"}, []base.Ordinal{3}},
		{"another series under the id", []base.Registration{{Ordinal: 3, ID: hash, Name: "a"}},
			base.Registration{Ordinal: 8, ID: hash, Name: "b"}, []base.Ordinal{3}},
		{"without a name", []base.Registration{{Ordinal: 3, ID: hash, Name: "a"}},
			base.Registration{Ordinal: 8, ID: hash}, []base.Ordinal{3}},
		{"with a name that it had not", []base.Registration{{Ordinal: 3, ID: hash, Tags: tagsOf("k", "v")}},
			base.Registration{Ordinal: 8, ID: hash, Name: "a"}, []base.Ordinal{3}},
		{"with the id that was taken in the life before", []base.Registration{{Ordinal: 3, ID: hash, Name: "b"}, {Ordinal: 4, ID: hash + 1, Name: "a"}},
			base.Registration{Ordinal: 8, ID: hash, Name: "a"}, []base.Ordinal{3, 4}},
		{"with an id further on", []base.Registration{{Ordinal: 3, ID: hash, Name: "a"}},
			base.Registration{Ordinal: 8, ID: hash + 1, Name: "a"}, []base.Ordinal{3}},
		{"nobody", []base.Registration{{Ordinal: 3, ID: hash, Name: "a"}},
			base.Registration{Ordinal: 8, ID: 1, Name: "b"}, nil},
		{"itself", []base.Registration{{Ordinal: 3, ID: hash, Name: "a"}},
			base.Registration{Ordinal: 3, ID: hash, Name: "a"}, nil},
	} {
		fs, cat := fsys.NewMem(), newCatalog()
		file, err := CreateFile(fs, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, reg := range c.first {
			if _, err := cat.Replay(reg); err != nil {
				t.Fatalf("%s: %v", c.what, err)
			}
		}
		if _, err := file.Append(cat, slices.Collect(cat.Living())); err != nil {
			t.Fatal(err)
		}
		void, err := cat.Replay(c.reg)
		if err != nil || !slices.Equal(void, c.void) || cat.Dead() != len(c.void) {
			t.Errorf("%s: dead %d, %v", c.what, void, err)
		}
		for _, o := range c.void {
			if cat.Known(o) {
				t.Errorf("%s: %d is known", c.what, o)
			}
		}
		if o, ok := cat.ByID(c.reg.ID); !ok || o != c.reg.Ordinal || cat.Name(o) != c.reg.Name {
			t.Errorf("%s: the id stands for %d, %v", c.what, o, ok)
		}
		size, err := file.Append(cat, []base.Ordinal{c.reg.Ordinal})
		if err != nil {
			t.Fatal(err)
		}
		loaded := newCatalog()
		if err := Load(fs, base.CatalogFile(1), size, "", loaded); err != nil || loaded.Dead() != len(c.void) {
			t.Errorf("%s: %d dead in the file, %v", c.what, loaded.Dead(), err)
		}
		if !sameSeries(everything(loaded), everything(cat)) {
			t.Errorf("%s: the file holds %v", c.what, everything(loaded))
		}
		if err := errors.Join(cat.Verify(), loaded.Verify()); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

// TestRefusedReplayKillsNobody has a registration contradict one series after it would
// have taken the place of another.
func TestRefusedReplayKillsNobody(t *testing.T) {
	c := newCatalog()
	for _, reg := range []base.Registration{{Ordinal: 3, ID: 5}, {Ordinal: 8, ID: KeyID([]byte("a|{}")), Name: "a"}} {
		if err := c.Register(reg); err != nil {
			t.Fatal(err)
		}
	}
	if void, err := c.Replay(base.Registration{Ordinal: 4, ID: 5, Name: "a"}); err == nil || void != nil || c.Len() != 2 {
		t.Errorf("dead %d, %d series, %v", void, c.Len(), err)
	}
}

// TestSparseOrdinals has few series among as many ordinals as there can be.
func TestSparseOrdinals(t *testing.T) {
	c := newCatalog()
	const n = 1000
	for i := range base.Ordinal(n) {
		if err := c.Register(base.Registration{Ordinal: i * 4_000_000, ID: base.SeriesID(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	fs := fsys.NewMem()
	f, err := CreateFile(fs, 2)
	if err != nil {
		t.Fatal(err)
	}
	size, err := f.Append(c, slices.Collect(c.Living()))
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	loaded := newCatalog()
	if err := Load(fs, base.CatalogFile(2), size, "", loaded); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]*Catalog{"made": c, "loaded": loaded, "renewed": loaded.Renew(dict.New())} {
		next := base.Ordinal(0)
		for o := range c.Living() {
			if o != next {
				t.Fatalf("%s: ordinal %d, want %d", what, o, next)
			}
			next += 4_000_000
		}
		if c.Len() != n || next != n*4_000_000 {
			t.Errorf("%s: %d series up to %d", what, c.Len(), next)
		}
		if err := c.Verify(); err != nil {
			t.Error(err)
		}
	}
	for range c.Living() {
		break
	}
}

// lives is what the model test expects: a catalog, its file and its log against maps.
type lives struct {
	catalog *Catalog
	file    *File
	fs      *fsys.Mem
	opts    Options

	living   map[base.Ordinal]base.Registration
	highest  int // ordinal ever given, -1 at first
	unlogged map[base.Ordinal]bool
	unsaved  []base.Ordinal // logged, not in the file
	log      []base.Registration
	dead     int // since the last Renew
}

// check compares everything that can be asked.
func (l *lives) check(t *rapid.T) {
	c := l.catalog
	if c.Len() != len(l.living) || c.Dead() != l.dead || int(c.Limit()) != l.highest+1 || c.Unlogged() != (len(l.unlogged) > 0) {
		t.Fatalf("%d series, %d dead, limit %d, unlogged %v; want %d, %d, %d, %v", c.Len(), c.Dead(), c.Limit(), c.Unlogged(),
			len(l.living), l.dead, l.highest+1, len(l.unlogged) > 0)
	}
	if got, want := slices.Collect(c.Living()), slices.Sorted(maps.Keys(l.living)); !slices.Equal(got, want) {
		t.Fatalf("living %d, want %d", got, want)
	}
	for o := range base.Ordinal(l.highest + 2) {
		want, ok := l.living[o]
		if c.Known(o) != ok {
			t.Fatalf("ordinal %d is known: %v", o, !ok)
		}
		if !ok {
			continue
		}
		if got, ok := c.Get(o); !ok || !sameSeries([]base.Registration{got}, []base.Registration{want}) {
			t.Fatalf("series %v, want %v", got, want)
		}
		if found, ok := c.ByID(want.ID); !ok || found != o {
			t.Fatalf("id %d stands for %d, %v, want %d", want.ID, found, ok, o)
		}
	}
	if err := c.Verify(); err != nil {
		t.Fatal(err)
	}
}

// checkHolds checks that a catalog read back has each living series of which says says
// that it must be there, and contradicts none.
func (l *lives) checkHolds(t *rapid.T, what string, c *Catalog, must func(base.Ordinal) bool) {
	for o, reg := range l.living {
		if !must(o) {
			continue
		}
		got := c.appendRegistrationsLocked(nil, []base.Ordinal{o})
		if !sameSeries(got, []base.Registration{reg}) {
			t.Fatalf("%s: series %v, want %v", what, got, reg)
		}
		if found, ok := c.ByID(reg.ID); !ok || found != o {
			t.Fatalf("%s: id %d stands for %d, want %d", what, reg.ID, found, o)
		}
	}
	if err := c.Verify(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func (l *lives) resolve(t *rapid.T, o base.Ordinal, err error) {
	if err != nil {
		t.Fatal(err)
	}
	before, known := l.living[o]
	if !known && int(o) <= l.highest {
		t.Fatalf("ordinal %d was given twice", o)
	}
	now := l.catalog.appendRegistrationsLocked(nil, []base.Ordinal{o})[0]
	if known && now.ID != before.ID || now.ID >= 1000 {
		t.Fatalf("the series %v became %v", before, now)
	}
	if !known || now.Name != before.Name {
		l.unlogged[o] = true
	}
	l.highest = max(l.highest, int(o))
	l.living[o] = now
}

// TestLivesAgainstMaps makes series, lets them die and come back, with colliding ids,
// writes log and file and generations of it, renews, and reads all of it back.
func TestLivesAgainstMaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		opts := Options{Hash: func(key []byte) uint64 { return uint64(KeyID(key)) % 5 }}
		l := &lives{fs: fsys.NewMem(), opts: opts, catalog: New(dict.New(), opts), highest: -1,
			living: map[base.Ordinal]base.Registration{}, unlogged: map[base.Ordinal]bool{}}
		var err error
		if l.file, err = CreateFile(l.fs, 1); err != nil {
			t.Fatal(err)
		}
		some := func(label string) (some []base.Ordinal) {
			for _, o := range slices.Sorted(maps.Keys(l.living)) {
				if rapid.IntRange(0, 2).Draw(t, label) == 0 {
					some = append(some, o)
				}
			}
			return some
		}
		resolve := func(t *rapid.T) {
			tags := tagsOf("k", rapid.SampledFrom([]string{"", "v", "w"}).Draw(t, "tag"))
			o, err := l.catalog.Resolve(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"), tags)
			l.resolve(t, o, err)
		}
		t.Repeat(map[string]func(*rapid.T){
			"":             l.check,
			"resolve":      resolve,
			"resolveAgain": resolve,
			"resolveID": func(t *rapid.T) {
				o, err := l.catalog.ResolveID(base.SeriesID(rapid.IntRange(0, 12).Draw(t, "id")), nil)
				l.resolve(t, o, err)
			},
			"log": func(t *rapid.T) {
				regs := l.catalog.AppendUnlogged(nil, rowsOf(some("logged")...))
				l.catalog.SetLogged(nil, regs)
				for _, reg := range regs {
					if !l.unlogged[reg.Ordinal] {
						t.Fatalf("%v is logged again", reg)
					}
					delete(l.unlogged, reg.Ordinal)
					l.unsaved = append(l.unsaved, reg.Ordinal)
				}
				l.log = append(l.log, regs...)
			},
			"save": func(t *rapid.T) {
				if _, err := l.file.Append(l.catalog, l.unsaved); err != nil {
					t.Fatal(err)
				}
				l.unsaved = nil
			},
			"kill": func(t *rapid.T) {
				// What the file lacks is in the log above what is flushed, and so not dead.
				for _, o := range some("killed") {
					if slices.Contains(l.unsaved, o) {
						continue
					}
					if l.catalog.Kill([]base.Ordinal{o}) != 1 {
						t.Fatalf("%d was not killed", o)
					}
					delete(l.living, o)
					delete(l.unlogged, o)
					l.dead++
				}
			},
			"renew": func(t *rapid.T) {
				l.catalog = l.catalog.Renew(dict.New())
				l.dead = 0
			},
			"generation": func(t *rapid.T) {
				file, err := CreateFile(l.fs, l.file.Generation()+1)
				if err != nil {
					t.Fatal(err)
				}
				var logged []base.Ordinal
				for o := range l.catalog.Living() {
					if !l.unlogged[o] {
						logged = append(logged, o)
					}
				}
				for part := range slices.Chunk(logged, 2) {
					if _, err := file.Append(l.catalog, part); err != nil {
						t.Fatal(err)
					}
				}
				l.file, l.unsaved = file, nil
			},
			"reload": func(t *rapid.T) {
				again := New(dict.New(), l.opts)
				if err := Load(l.fs, base.CatalogFile(l.file.Generation()), l.file.Bytes(), "", again); err != nil {
					t.Fatal(err)
				}
				l.checkHolds(t, "file", again, func(o base.Ordinal) bool {
					return !l.unlogged[o] && !slices.Contains(l.unsaved, o)
				})
			},
			"replay": func(t *rapid.T) {
				again := New(dict.New(), l.opts)
				for _, reg := range l.log {
					if err := again.Register(reg); err != nil {
						t.Fatal(err)
					}
				}
				l.checkHolds(t, "log", again, func(o base.Ordinal) bool { return !l.unlogged[o] })
			},
		})
	})
}

// A series known by its id alone takes a name that another had, under another id because
// of a collision, before it died: in a log nothing else says that it is dead.
func TestReplayedNameOfADeadSeries(t *testing.T) {
	opts := Options{Hash: func([]byte) uint64 { return 3 }}
	c := New(dict.New(), opts)
	register := func(o base.Ordinal, id base.SeriesID, name string) ([]base.Ordinal, error) {
		return c.Replay(base.Registration{Ordinal: o, ID: id, Name: name})
	}
	for _, step := range []struct {
		o    base.Ordinal
		id   base.SeriesID
		name string
		void []base.Ordinal
	}{{13, 4, "a", nil}, {15, 3, "", nil}, {15, 3, "a", []base.Ordinal{13}}} {
		if void, err := register(step.o, step.id, step.name); err != nil || !slices.Equal(void, step.void) {
			t.Fatalf("%+v: void %d, %v", step, void, err)
		}
	}
	if err := c.Verify(); err != nil {
		t.Fatal(err)
	}
	if o, err := c.Resolve("a", nil); err != nil || o != 15 || c.Known(13) {
		t.Errorf("ordinal %d, %v", o, err)
	}
	// One with a higher ordinal came up later, and cannot have been dead.
	c = New(dict.New(), opts)
	for _, o := range []base.Ordinal{15, 20} {
		if _, err := register(o, base.SeriesID(o-12), map[base.Ordinal]string{20: "a"}[o]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := register(15, 3, "a"); err == nil {
		t.Error("two living series have one name")
	}
}

// TestConcurrentLives resolves, appends and asks while series die and a renewed catalog
// takes over.
func TestConcurrentLives(t *testing.T) {
	c := newCatalog()
	fs := fsys.NewMem()
	file, err := CreateFile(fs, 1)
	if err != nil {
		t.Fatal(err)
	}
	const n = 2000
	var all []base.Ordinal
	for i := range n {
		all = append(all, resolve(t, c, "s", "i", fmt.Sprint(i)))
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for part := range slices.Chunk(all, 50) {
			c.Kill(part)
		}
	})
	wg.Go(func() {
		for range 5 {
			if _, err := file.Append(c, all); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Go(func() {
		for i := range n {
			if _, err := c.Resolve("s", tagsOf("i", fmt.Sprint(i))); err != nil && !errors.Is(err, ErrRenewed) {
				t.Error(err)
			}
		}
	})
	wg.Go(func() {
		for o := range c.Living() {
			if name, tags := c.Describe(nil, o); name != "" && len(tags) != 1 {
				t.Errorf("tags %v", tags)
			}
		}
	})
	wg.Wait()
	again := newCatalog()
	if err := Load(fs, base.CatalogFile(1), file.Bytes(), "", again); err != nil {
		t.Error(err)
	}
	old := c
	wg.Go(func() { c = old.Renew(dict.New()) })
	for i := range n {
		o, err := old.Resolve("s", tagsOf("i", fmt.Sprint(n+i)))
		if err == nil {
			all = append(all, o)
		} else if !errors.Is(err, ErrRenewed) {
			t.Error(err)
		}
	}
	wg.Wait()
	for _, o := range all[n:] {
		if !c.Known(o) {
			t.Fatalf("series %d was made while the catalog was renewed, and lost", o)
		}
	}
}

// TestGenerationsReturnMemory lets ten generations of series live one after the other.
// The last takes no more memory than the first.
func TestGenerationsReturnMemory(t *testing.T) {
	const n = 20_000
	c := newCatalog()
	first := uint64(0)
	for generation := range 10 {
		var gone []base.Ordinal
		for o := range c.Living() {
			gone = append(gone, o)
		}
		for i := range n {
			host := fmt.Sprint("host-", generation, "-", i/4)
			if _, err := c.Resolve(fmt.Sprint("metric_", i%4), tagsOf("host", host, "service", fmt.Sprint(i%100))); err != nil {
				t.Fatal(err)
			}
		}
		c.Kill(gone)
		c = c.Renew(dict.New())
		if c.Len() != n || int(c.Limit()) != n*(generation+1) {
			t.Fatalf("generation %d: %d series, limit %d", generation, c.Len(), c.Limit())
		}
		heap := heapBytes()
		if generation == 0 {
			first = heap
		} else if heap > first+first/4+1<<18 {
			t.Errorf("generation %d takes %d bytes, the first took %d", generation, heap, first)
		}
	}
	runtime.KeepAlive(c)
}
