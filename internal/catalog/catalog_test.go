package catalog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/dict"
)

func newCatalog() *Catalog { return New(dict.New(), Options{}) }

// newNarrow returns a catalog whose hash knows only n values, so that keys collide.
func newNarrow(n uint64) *Catalog {
	return New(dict.New(), Options{Hash: func(key []byte) uint64 { return uint64(KeyID(key)) % n }})
}

// resolve registers a series and fails the test if it cannot be.
func resolve(t testing.TB, c *Catalog, name string, tags ...string) base.Ordinal {
	t.Helper()
	o, err := c.Resolve(name, tagsOf(tags...))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// lookup finds a series as Resolve does, and never makes one.
func lookup(c *Catalog, name string, tags []base.Tag) (base.Ordinal, bool) {
	tags, ok := normalise(tags)
	if !ok {
		return 0, false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.findLocked(c.keyID(name, tags), name, tags)
}

// tagsAt returns the tags of a series.
func tagsAt(c *Catalog, o base.Ordinal) []base.Tag {
	_, tags := c.Describe(nil, o)
	return tags
}

// rowsOf returns a row for each ordinal.
func rowsOf(ordinals ...base.Ordinal) []base.Row {
	rows := make([]base.Row, len(ordinals))
	for i, o := range ordinals {
		rows[i].Ordinal = o
	}
	return rows
}

func TestResolve(t *testing.T) {
	c := newCatalog()
	a := resolve(t, c, "room.temp", "room", "kitchen", "floor", "2")
	b := resolve(t, c, "room.temp", "room", "hall", "floor", "2")
	plain := resolve(t, c, "room.temp")
	if a != 0 || b != 1 || plain != 2 || c.Len() != 3 || c.Limit() != 3 {
		t.Fatalf("ordinals %d, %d, %d, Len %d, Limit %d", a, b, plain, c.Len(), c.Limit())
	}
	if o := resolve(t, c, "room.temp", "empty", "", "floor", "2", "room", "kitchen"); o != a {
		t.Errorf("the same series in other words has ordinal %d", o)
	}
	if o, ok := lookup(c, "room.temp", tagsOf("room", "hall", "floor", "2")); !ok || o != b {
		t.Errorf("lookup = %d, %v", o, ok)
	}
	for _, tags := range [][]base.Tag{tagsOf("floor", "2"), tagsOf("a", "1", "a", "1"), tagsOf("", "")} {
		if o, ok := lookup(c, "room.temp", tags); ok && o != plain {
			t.Errorf("lookup of %v = %d", tags, o)
		}
	}
	want := base.SeriesID(0xfe2dce6f981377f5)
	if id := c.ID(a); id != want {
		t.Errorf("id %x", uint64(id))
	}
	if o, ok := c.ByID(want); !ok || o != a {
		t.Errorf("ByID = %d, %v", o, ok)
	}
	if name, tags := c.Name(a), tagsAt(c, a); name != "room.temp" || !slices.Equal(tags, tagsOf("floor", "2", "room", "kitchen")) {
		t.Errorf("series %s %v", name, tags)
	}
	if pairs := c.Pairs(nil, a); len(pairs) != 3 || pairs[0] != c.Pairs(nil, plain)[0] {
		t.Errorf("pairs %d", pairs)
	}
	if _, err := c.Resolve("", nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("no name: %v", err)
	}
	if _, err := c.Resolve("a", tagsOf("b", "\xff")); !errors.Is(err, ErrInvalid) {
		t.Errorf("not UTF-8: %v", err)
	}
	if _, err := c.Resolve("a", tagsOf("b", "1", "b", "2")); !errors.Is(err, ErrInvalid) {
		t.Errorf("key twice: %v", err)
	}
	if _, err := c.Resolve(strings.Repeat("n", MaxKeyBytes), nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("key too long: %v", err)
	}
	if c.Len() != 3 {
		t.Errorf("refused series are registered: Len %d", c.Len())
	}
	if err := c.Verify(); err != nil {
		t.Error(err)
	}
}

func TestUnknownOrdinal(t *testing.T) {
	c := newCatalog()
	resolve(t, c, "a")
	for _, o := range []base.Ordinal{1, 1 << 20, 1<<32 - 1} {
		if c.Known(o) || c.ID(o) != 0 || c.Name(o) != "" || tagsAt(c, o) != nil || c.Pairs(nil, o) != nil {
			t.Errorf("ordinal %d stands for something", o)
		}
	}
	if got := c.AppendUnlogged(nil, rowsOf(1, 1<<32-1)); len(got) != 0 {
		t.Errorf("registrations of unknown series: %v", got)
	}
}

// TestCollisions gives 40 series one of three hashes each. Every one is still found by
// its key, has its own id, and comes out the same after a replay in any order, even
// where the series that took its id first is not in the log.
func TestCollisions(t *testing.T) {
	c := newNarrow(3)
	const n = 40
	ids := map[base.SeriesID]bool{}
	for i := range n {
		o := resolve(t, c, fmt.Sprint("s", i), "k", "v")
		if ids[c.ID(o)] {
			t.Fatalf("id %x twice", uint64(c.ID(o)))
		}
		ids[c.ID(o)] = true
	}
	for id := range base.SeriesID(n) { // the chains grow together
		if !ids[id] {
			t.Errorf("id %d was skipped", id)
		}
	}
	for i := range n {
		if o, ok := lookup(c, fmt.Sprint("s", i), tagsOf("k", "v")); !ok || int(o) != i {
			t.Errorf("series %d is found as %d, %v", i, o, ok)
		}
	}
	if err := c.Verify(); err != nil {
		t.Error(err)
	}

	again := newNarrow(3)
	regs := c.AppendUnlogged(nil, rowsOf(39, 7, 20, 3, 38)) // the others never got a point
	slices.Reverse(regs)
	for _, reg := range regs {
		if err := again.Register(reg); err != nil {
			t.Fatal(err)
		}
	}
	for _, reg := range regs {
		if o := resolve(t, again, reg.Name, "k", "v"); o != reg.Ordinal || again.ID(o) != reg.ID {
			t.Errorf("series %d is %d after the replay", reg.Ordinal, o)
		}
	}
	if o := resolve(t, again, "new"); o != 40 {
		t.Errorf("the next ordinal is %d, want 40", o)
	}
	if err := again.Verify(); err != nil {
		t.Error(err)
	}
}

func TestIDWrapsAround(t *testing.T) {
	c := New(dict.New(), Options{Hash: func([]byte) uint64 { return 1<<64 - 1 }})
	resolve(t, c, "a")
	if b := resolve(t, c, "b"); c.ID(b) != 0 {
		t.Errorf("id %x, want 0", uint64(c.ID(b)))
	}
	if o := resolve(t, c, "b"); o != 1 {
		t.Errorf("b is found as %d", o)
	}
}

func TestNamelessSeriesTakesItsName(t *testing.T) {
	c := newCatalog()
	id := KeyID(AppendKey(nil, "a", tagsOf("k", "v")))
	o, err := c.ResolveID(id, tagsOf("k", "v"))
	if err != nil || c.ID(o) != id || c.Name(o) != "" {
		t.Fatalf("ordinal %d, %v", o, err)
	}
	if again, _ := c.ResolveID(id, nil); again != o {
		t.Errorf("ResolveID = %d", again)
	}
	c.SetLogged(nil, c.AppendUnlogged(nil, rowsOf(o)))
	if c.Unlogged() {
		t.Fatal("still unlogged")
	}
	if _, ok := lookup(c, "a", tagsOf("k", "v")); ok {
		t.Error("lookup gives names")
	}

	if got := resolve(t, c, "a", "k", "v"); got != o {
		t.Fatalf("the series that hashes to the id is %d, want %d", got, o)
	}
	if c.Name(o) != "a" || c.Len() != 1 || !slices.Equal(tagsAt(c, o), tagsOf("k", "v")) {
		t.Errorf("name %q, %d series", c.Name(o), c.Len())
	}
	regs := c.AppendUnlogged(nil, rowsOf(o))
	if len(regs) != 1 || regs[0].Name != "a" || regs[0].ID != id {
		t.Errorf("the name is not logged: %v", regs)
	}
	if got, _ := c.ResolveID(id, nil); got != o {
		t.Errorf("ResolveID = %d", got)
	}
}

// TestNameWaitsForTheLog makes a registration before the name is known and logs it
// after: the name still has to be logged.
func TestNameWaitsForTheLog(t *testing.T) {
	c := newCatalog()
	o, _ := c.ResolveID(KeyID([]byte("a|{}")), nil)
	before := c.AppendUnlogged(nil, rowsOf(o))
	resolve(t, c, "a")
	if fresh := c.SetLogged(nil, before); len(fresh) != 1 {
		t.Errorf("logged %v", fresh)
	}
	regs := c.AppendUnlogged(nil, rowsOf(o))
	if len(regs) != 1 || regs[0].Name != "a" {
		t.Fatalf("registrations %v", regs)
	}
	if fresh := c.SetLogged(nil, regs); len(fresh) != 1 || c.Unlogged() {
		t.Errorf("logged %v, unlogged %v", fresh, c.Unlogged())
	}
}

// TestNamelessWithOtherTags shows that a nameless series does not take a name along
// with tags that contradict its own: that is a collision.
func TestNamelessWithOtherTags(t *testing.T) {
	c := newCatalog()
	id := KeyID(AppendKey(nil, "a", tagsOf("k", "v")))
	o, _ := c.ResolveID(id, tagsOf("k", "w"))
	named := resolve(t, c, "a", "k", "v")
	if named == o || c.ID(named) != id+1 || c.Name(o) != "" {
		t.Errorf("ordinals %d and %d, id %x", o, named, uint64(c.ID(named)))
	}
	if got := resolve(t, c, "a", "k", "v"); got != named {
		t.Errorf("found as %d, want %d", got, named)
	}
	if _, err := c.ResolveID(5, tagsOf("", "w")); !errors.Is(err, ErrInvalid) {
		t.Errorf("invalid tags: %v", err)
	}
}

func TestUnlogged(t *testing.T) {
	c := newCatalog()
	var all []base.Ordinal
	for i := range 200 {
		all = append(all, resolve(t, c, fmt.Sprint("s", i), "a", "1", "b", fmt.Sprint(i)))
	}
	if !c.Unlogged() {
		t.Fatal("new series are logged")
	}
	regs := c.AppendUnlogged(nil, rowsOf(150, 3, 3, 150, 3, 70))
	if len(regs) != 3 || regs[0].Ordinal != 3 || regs[1].Ordinal != 70 || regs[2].Ordinal != 150 {
		t.Fatalf("registrations %v", regs)
	}
	if r := regs[1]; r.Name != "s70" || r.ID != c.ID(70) || !slices.Equal(r.Tags, tagsOf("a", "1", "b", "70")) {
		t.Errorf("registration %v", r)
	}
	if fresh := c.SetLogged(nil, regs); len(fresh) != 3 || fresh[1] != 70 {
		t.Errorf("logged %v", fresh)
	}
	if fresh := c.SetLogged(nil, regs); len(fresh) != 0 {
		t.Errorf("logged again: %v", fresh)
	}
	if got := c.AppendUnlogged(nil, rowsOf(150, 3, 70)); len(got) != 0 {
		t.Errorf("registered again: %v", got)
	}
	regs = c.AppendUnlogged(regs, rowsOf(all...))
	if len(regs) != 3+197 {
		t.Errorf("%d registrations", len(regs))
	}
	for _, r := range regs {
		if !slices.Equal(r.Tags, tagsAt(c, r.Ordinal)) {
			t.Errorf("tags of %s: %v", r.Name, r.Tags)
		}
	}
	c.SetLogged(nil, regs)
	if c.Unlogged() {
		t.Error("still unlogged")
	}
	if got := c.AppendUnlogged(nil, rowsOf(all...)); got != nil {
		t.Errorf("registrations %v", got)
	}
}

// TestUnloggedUsesMemoryAgain asks for series with none to many tags, in one slice again
// and again.
func TestUnloggedUsesMemoryAgain(t *testing.T) {
	c := New(dict.New(), Options{})
	var all []base.Ordinal
	for i := range 100 {
		var tags []string
		for k := range i * 7 % 45 {
			tags = append(tags, fmt.Sprint("k", k+10), fmt.Sprint(i))
		}
		all = append(all, resolve(t, c, fmt.Sprint("s", i), tags...))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var regs []base.Registration
	for range 100 {
		rng.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
		regs = c.AppendUnlogged(regs[:0], rowsOf(all[:rng.IntN(len(all))]...))
		for _, r := range regs {
			if !slices.Equal(r.Tags, tagsAt(c, r.Ordinal)) {
				t.Fatalf("tags of %s: %v", r.Name, r.Tags)
			}
		}
	}
	one := rowsOf(all[0])
	if got := testing.AllocsPerRun(100, func() { regs = c.AppendUnlogged(regs[:0], one) }); got > 1 {
		t.Errorf("%v allocations", got)
	}
}

func TestRegister(t *testing.T) {
	idOf := func(name string, tags ...string) base.SeriesID { return KeyID(AppendKey(nil, name, tagsOf(tags...))) }
	named := base.Registration{Ordinal: 9, ID: idOf("a", "k", "v"), Name: "a", Tags: tagsOf("k", "v")}
	nameless := base.Registration{Ordinal: 4, ID: idOf("n", "k", "v"), Tags: tagsOf("k", "v")}
	adopt := base.Registration{Ordinal: 4, ID: nameless.ID, Name: "n", Tags: tagsOf("k", "v")}
	change := func(r base.Registration, f func(*base.Registration)) base.Registration { f(&r); return r }
	for _, c := range []struct {
		what  string
		first []base.Registration
		reg   base.Registration
		ok    bool
	}{
		{"first", nil, named, true},
		{"again", []base.Registration{named}, named, true},
		{"first nameless", nil, nameless, true},
		{"nameless again", []base.Registration{nameless}, nameless, true},
		{"nameless without its tags", []base.Registration{nameless}, change(nameless, func(r *base.Registration) { r.Tags = nil }), true},
		{"takes its name", []base.Registration{nameless}, adopt, true},
		{"nameless after its name", []base.Registration{nameless, adopt}, nameless, true},
		{"other id", []base.Registration{named}, change(named, func(r *base.Registration) { r.ID++ }), false},
		{"other name", []base.Registration{named}, change(named, func(r *base.Registration) { r.Name = "b" }), false},
		{"other tags", []base.Registration{named}, change(named, func(r *base.Registration) { r.Tags = nil }), false},
		{"second name", []base.Registration{nameless, adopt}, change(adopt, func(r *base.Registration) { r.Name = "m" }), false},
		{"name of another id", []base.Registration{nameless}, change(adopt, func(r *base.Registration) { r.Name = "m" }), false},
		{"name with other tags", []base.Registration{nameless}, change(adopt, func(r *base.Registration) { r.Tags = nil }), false},
		{"nameless with other tags", []base.Registration{nameless}, change(nameless, func(r *base.Registration) { r.Tags = tagsOf("k", "w") }), false},
		{"id of a later life", []base.Registration{named}, change(nameless, func(r *base.Registration) { r.ID = named.ID }), false},
		{"key of a later life", []base.Registration{named}, change(named, func(r *base.Registration) { r.Ordinal, r.ID = 1, 7 }), false},
		{"unsorted tags", nil, change(named, func(r *base.Registration) { r.Tags = tagsOf("k", "v", "j", "v") }), false},
		{"empty tag", nil, change(named, func(r *base.Registration) { r.Tags = tagsOf("k", "") }), false},
		{"nameless, reserved tag", nil, change(nameless, func(r *base.Registration) { r.Tags = tagsOf("__name__", "x") }), false},
		{"not UTF-8", nil, change(named, func(r *base.Registration) { r.Name = "\xff" }), false},
		{"highest ordinal", nil, change(named, func(r *base.Registration) { r.Ordinal = 1<<32 - 1 }), false},
	} {
		cat := newCatalog()
		for _, reg := range c.first {
			if err := cat.Register(reg); err != nil {
				t.Fatalf("%s: %v", c.what, err)
			}
		}
		err := cat.Register(c.reg)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.what, err)
		}
		if cat.Unlogged() {
			t.Errorf("%s: what comes from the log is unlogged", c.what)
		}
		if !c.ok {
			continue
		}
		if c.reg.Name != "" && cat.Name(c.reg.Ordinal) != c.reg.Name {
			t.Errorf("%s: name %q", c.what, cat.Name(c.reg.Ordinal))
		}
		if got := resolve(t, cat, "next"); got != c.reg.Ordinal+1 {
			t.Errorf("%s: the next ordinal is %d", c.what, got)
		}
	}
}

// TestRegisterLogsResolved shows that a replayed registration counts as logged even if
// the series was resolved before.
func TestRegisterLogsResolved(t *testing.T) {
	c := newCatalog()
	o := resolve(t, c, "a")
	if err := c.Register(c.AppendUnlogged(nil, rowsOf(o))[0]); err != nil || c.Unlogged() {
		t.Errorf("error %v, unlogged %v", err, c.Unlogged())
	}
}

func TestConcurrentUse(t *testing.T) {
	c := newNarrow(50)
	const n = 500
	var wg sync.WaitGroup
	got := make([][]base.Ordinal, 4)
	for g := range got {
		wg.Go(func() {
			var regs []base.Registration
			for i := range n {
				o, err := c.Resolve(fmt.Sprint("s", i%7), tagsOf("i", fmt.Sprint(i)))
				if err != nil {
					t.Error(err)
				}
				got[g] = append(got[g], o)
				regs = c.AppendUnlogged(regs[:0], rowsOf(got[g]...))
				c.SetLogged(nil, regs)
				if name := c.Name(o); name != fmt.Sprint("s", i%7) {
					t.Errorf("name %q", name)
				}
			}
		})
	}
	wg.Wait()
	for g := range got {
		if !slices.Equal(got[g], got[0]) {
			t.Error("two callers got different ordinals for one series")
		}
	}
	if c.Len() != n || c.Unlogged() {
		t.Errorf("%d series, unlogged %v", c.Len(), c.Unlogged())
	}
	if err := c.Verify(); err != nil {
		t.Error(err)
	}
}

func TestKnownSeriesAllocatesNothing(t *testing.T) {
	c := newCatalog()
	tags := tagsOf("a", "1", "b", "2", "c", "3")
	o, _ := c.Resolve("n", tags)
	rows := rowsOf(o)
	c.SetLogged(nil, c.AppendUnlogged(nil, rows))
	var pairs [8]uint32
	got := testing.AllocsPerRun(100, func() {
		c.Resolve("n", tags)
		c.AppendUnlogged(nil, rows)
		c.Pairs(pairs[:0], o)
		c.Name(o)
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}
