package catalog

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/dict"
	"github.com/sydradb/sydradb/internal/fsys"
)

// everything returns what a catalog knows, by ordinal.
func everything(c *Catalog) []base.Registration {
	var all []base.Ordinal
	for o := range c.Limit() {
		all = append(all, o)
	}
	return c.appendRegistrationsLocked(nil, all)
}

func sameSeries(a, b []base.Registration) bool {
	return slices.EqualFunc(a, b, func(x, y base.Registration) bool {
		return x.Ordinal == y.Ordinal && x.ID == y.ID && x.Name == y.Name && slices.Equal(x.Tags, y.Tags)
	})
}

// save appends all series of c to a new catalog file and returns its length.
func save(t testing.TB, fs fsys.FS, c *Catalog) int64 {
	t.Helper()
	f, err := CreateFile(fs, 1)
	if err != nil {
		t.Fatal(err)
	}
	var all []base.Ordinal
	for o := range c.Limit() {
		all = append(all, o)
	}
	size, err := f.Append(c, all)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return size
}

// mixed fills a catalog with series of all sorts: with collisions if its hash is
// narrow, known by id only, with and without tags.
func mixed(t testing.TB, c *Catalog) {
	t.Helper()
	for i := range 30 {
		resolve(t, c, fmt.Sprint("room.", i%4), "floor", fmt.Sprint(i%3), "room", fmt.Sprint(i))
		resolve(t, c, fmt.Sprint("plain.", i))
		if _, err := c.ResolveID(base.SeriesID(1000+i), tagsOf("floor", "1", "z", fmt.Sprint(i))[:i%3%2*2]); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFileRoundTrip(t *testing.T) {
	for _, narrow := range []bool{false, true} {
		create := newCatalog
		if narrow {
			create = func() *Catalog { return newNarrow(7) }
		}
		fs, c := fsys.NewMem(), create()
		mixed(t, c)
		size := save(t, fs, c)
		again := create()
		f, err := OpenFile(fs, 1, size, "", again)
		if err != nil {
			t.Fatal(err)
		}
		if !sameSeries(everything(again), everything(c)) || again.Len() != c.Len() || again.Unlogged() {
			t.Fatalf("narrow %v: %d series came back as %d, unlogged %v", narrow, c.Len(), again.Len(), again.Unlogged())
		}
		if err := again.Verify(); err != nil {
			t.Error(err)
		}
		for _, reg := range everything(c) {
			if reg.Name == "" {
				continue
			}
			if o, ok := lookup(again, reg.Name, reg.Tags); !ok || o != reg.Ordinal {
				t.Errorf("narrow %v: %s is found as %d, %v", narrow, reg.Name, o, ok)
			}
		}
		if f.Bytes() != size || f.Generation() != 1 {
			t.Errorf("%d bytes of generation %d", f.Bytes(), f.Generation())
		}
		// Go on where the file ends, and say again what it says already.
		if err := f.CutTail(); err != nil {
			t.Fatal(err)
		}
		o := resolve(t, again, "new", "floor", "1")
		size, err = f.Append(again, []base.Ordinal{o, 3, 1 << 30, o, 1})
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		third := create()
		if err := Load(fs, base.CatalogFile(1), size, "", third); err != nil {
			t.Fatal(err)
		}
		if !sameSeries(everything(third), everything(again)) {
			t.Errorf("narrow %v: a second append is not read", narrow)
		}
	}
}

// TestNameComesLater appends a series twice: known by its id, and with its name.
func TestNameComesLater(t *testing.T) {
	fs, c := fsys.NewMem(), newCatalog()
	o, _ := c.ResolveID(KeyID(AppendKey(nil, "a", tagsOf("k", "v"))), tagsOf("k", "v"))
	f, err := CreateFile(fs, 1)
	if err != nil {
		t.Fatal(err)
	}
	before, err := f.Append(c, []base.Ordinal{o})
	if err != nil {
		t.Fatal(err)
	}
	resolve(t, c, "a", "k", "v")
	after, err := f.Append(c, []base.Ordinal{o})
	if err != nil {
		t.Fatal(err)
	}
	for size, name := range map[int64]string{before: "", after: "a"} {
		again := newCatalog()
		if err := Load(fs, "CATALOG.1", size, "", again); err != nil || again.Name(o) != name || len(tagsAt(again, o)) != 1 {
			t.Errorf("at %d bytes: name %q, %v", size, again.Name(o), err)
		}
		if err := again.Verify(); err != nil {
			t.Error(err)
		}
	}
}

func TestCutTail(t *testing.T) {
	fs, c := fsys.NewMem(), newCatalog()
	resolve(t, c, "a")
	size := save(t, fs, c)
	h, err := fs.OpenAppend("CATALOG.1")
	if err != nil {
		t.Fatal(err)
	}
	h.Write([]byte("half a frame"))
	h.Close()
	again := newCatalog()
	f, err := OpenFile(fs, 1, size, "", again)
	if err != nil || again.Len() != 1 {
		t.Fatal(err)
	}
	b := resolve(t, again, "b")
	before, err := fsys.ReadFile(fs, "CATALOG.1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Append(again, []base.Ordinal{b}); err == nil {
		t.Error("an append behind what does not count")
	}
	if after, err := fsys.ReadFile(fs, "CATALOG.1"); err != nil || !slices.Equal(after, before) {
		t.Errorf("changed before CutTail, %v", err)
	}
	if err := f.CutTail(); err != nil {
		t.Fatal(err)
	}
	size, err = f.Append(again, []base.Ordinal{b})
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	third := newCatalog()
	if err := Load(fs, "CATALOG.1", -1, "", third); err != nil || third.Len() != 2 {
		t.Errorf("%d series of %d bytes: %v", third.Len(), size, err)
	}
}

// TestDamage cuts and changes a catalog file at every byte. Nothing of it is ever taken
// for something else.
func TestDamage(t *testing.T) {
	fs, c := fsys.NewMem(), newNarrow(5)
	mixed(t, c)
	size := save(t, fs, c)
	whole, err := fsys.ReadFile(fs, "CATALOG.1")
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, data []byte) {
		t.Helper()
		bad := fsys.NewMem()
		if err := fsys.WriteFileAtomic(bad, "CATALOG.1", data); err != nil {
			t.Fatal(err)
		}
		_, err := OpenFile(bad, 1, size, "", newNarrow(5))
		var damage *base.CorruptionError
		if !errors.As(err, &damage) || damage.File != "CATALOG.1" || damage.Offset < 0 || damage.Offset >= size {
			t.Fatalf("%s: %v", what, err)
		}
		if left, err := fsys.ReadFile(bad, "CATALOG.1"); err != nil || !slices.Equal(left, data) {
			t.Fatalf("%s: the file was changed", what)
		}
	}
	for i := range whole {
		check(fmt.Sprint("cut at ", i), whole[:i])
		flipped := slices.Clone(whole)
		flipped[i] ^= 1 << (i % 8)
		check(fmt.Sprint("flipped at ", i), flipped)
	}
	if _, err := OpenFile(fs, 2, 0, "", newCatalog()); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("a missing generation: %v", err)
	}
	if _, err := OpenFile(fs, 1, size-1, "", newNarrow(5)); !errors.Is(err, base.ErrCorrupt) {
		t.Errorf("a length within a frame: %v", err)
	}
}

// TestFramesAreFilled writes more series than fit into a frame, and one that fits into
// none.
func TestFramesAreFilled(t *testing.T) {
	fs, c := fsys.NewMem(), newCatalog()
	for i := range 40_000 {
		resolve(t, c, "metric", "host", fmt.Sprint("host-", i), "zone", fmt.Sprint(i%10))
	}
	huge := resolve(t, c, "huge", "k", strings.Repeat("v", frameBytes+1))
	resolve(t, c, "last")
	size := save(t, fs, c)
	var frames, full int
	h, err := fs.Open("CATALOG.1")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	var data frameData
	_, err = scan(h, "CATALOG.1", size, func(_ int64, payload []byte) error {
		if err := data.decode(string(payload)); err != nil {
			return err
		}
		frames++
		if len(payload) > frameBytes && (len(data.series) != 1 || data.series[0].ordinal != huge) {
			t.Errorf("a frame of %d bytes with %d series", len(payload), len(data.series))
		}
		if len(payload) > frameBytes*9/10 && len(payload) <= frameBytes {
			full++
		}
		return nil
	})
	if err != nil || frames < 6 || full < frames-5 {
		t.Errorf("%d frames, %d of them full: %v", frames, full, err)
	}
	again := newCatalog()
	if err := Load(fs, "CATALOG.1", size, "", again); err != nil || !sameSeries(everything(again), everything(c)) {
		t.Errorf("%d series came back: %v", again.Len(), err)
	}
}

func TestScan(t *testing.T) {
	fs, c := fsys.NewMem(), newNarrow(5)
	mixed(t, c)
	size := save(t, fs, c)
	last := map[base.Ordinal]base.Registration{}
	var offsets []int64
	err := Scan(fs, "CATALOG.1", -1, func(offset int64, regs []base.Registration) error {
		offsets = append(offsets, offset)
		for _, reg := range regs {
			last[reg.Ordinal] = reg
		}
		return nil
	})
	if err != nil || len(offsets) != 2 || offsets[0] != 0 || offsets[1] <= 0 || offsets[1] >= size {
		t.Errorf("frames at %d: %v", offsets, err)
	}
	for _, reg := range everything(c) {
		if !sameSeries([]base.Registration{last[reg.Ordinal]}, []base.Registration{reg}) {
			t.Errorf("%v, want %v", last[reg.Ordinal], reg)
		}
	}
	stop := errors.New("stop")
	err = Scan(fs, "CATALOG.1", size, func(int64, []base.Registration) error { return stop })
	if err != stop {
		t.Errorf("the error of the caller came back as %v", err)
	}
	if err := Scan(fs, "CATALOG.1", size+1, func(int64, []base.Registration) error { return nil }); !errors.Is(err, base.ErrCorrupt) {
		t.Errorf("a file that is too short: %v", err)
	}
}

// TestAppendUnderFaults fails every operation of two appends, in turn. Either the
// series are in the file, or the file is as before and goes on, or it has failed.
func TestAppendUnderFaults(t *testing.T) {
	for _, fault := range []fsys.Fault{{Err: errors.New("i/o error")}, {Err: fsys.ErrNoSpace, Written: 7}} {
		for failAt := 1; ; failAt++ {
			fs, c := fsys.NewMem(), newCatalog()
			a, b := resolve(t, c, "a", "k", "v"), resolve(t, c, "b")
			f, err := CreateFile(fs, 1)
			if err != nil {
				t.Fatal(err)
			}
			n, hit := 0, false
			fs.SetHook(func(op fsys.Op) fsys.Fault {
				if !op.Kind.Mutates() {
					return fsys.Fault{}
				}
				if n++; n != failAt {
					return fsys.Fault{}
				}
				hit = true
				return fault
			})
			first, err1 := f.Append(c, []base.Ordinal{a})
			second, err2 := f.Append(c, []base.Ordinal{b})
			fs.SetHook(nil)
			if !hit {
				if failAt < 4 {
					t.Fatalf("only %d operations", failAt)
				}
				break
			}
			if err1 == nil && err2 == nil {
				t.Fatalf("operation %d failed and nobody was told", failAt)
			}
			if err := errors.Join(err1, err2); !errors.Is(err, fault.Err) {
				t.Errorf("operation %d: the cause is lost: %v", failAt, err)
			}
			if failed := errors.Is(err1, ErrFailed); failed != (errors.Is(err2, ErrFailed) && err1 != nil) {
				t.Errorf("operation %d: a file that failed goes on: %v, %v", failAt, err1, err2)
			}
			again := newCatalog()
			if err := Load(fs, "CATALOG.1", f.Bytes(), "", again); err != nil {
				t.Fatalf("operation %d: %v", failAt, err)
			}
			if again.Known(a) != (err1 == nil) || again.Known(b) != (err2 == nil) {
				t.Errorf("operation %d: appends %v and %v, but the file holds %v and %v", failAt, err1, err2, again.Known(a), again.Known(b))
			}
			if err1 != nil && first != 0 || err2 != nil && second != first {
				t.Errorf("operation %d: lengths %d and %d", failAt, first, second)
			}
		}
	}
}

// TestFailedCutIsSticky lets a write fail, and the cut after it.
func TestFailedCutIsSticky(t *testing.T) {
	fs, c := fsys.NewMem(), newCatalog()
	o := resolve(t, c, "a")
	f, err := CreateFile(fs, 1)
	if err != nil {
		t.Fatal(err)
	}
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind.Mutates() {
			return fsys.Fault{Err: fsys.ErrNoSpace, Written: 3}
		}
		return fsys.Fault{}
	})
	_, err = f.Append(c, []base.Ordinal{o})
	fs.SetHook(nil)
	if !errors.Is(err, ErrFailed) || !errors.Is(err, fsys.ErrNoSpace) {
		t.Errorf("error %v", err)
	}
	if size, err := f.Append(c, []base.Ordinal{o}); !errors.Is(err, ErrFailed) || size != 0 {
		t.Errorf("the file goes on: %d, %v", size, err)
	}
}

// TestAppendIsDurable cuts the power after each append.
func TestAppendIsDurable(t *testing.T) {
	fs, c := fsys.NewMem(), newCatalog()
	f, err := CreateFile(fs, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		o := resolve(t, c, fmt.Sprint("s", i))
		size, err := f.Append(c, []base.Ordinal{o})
		if err != nil {
			t.Fatal(err)
		}
		clone := fs.CrashClone(rand.New(rand.NewPCG(1, uint64(i))), 0)
		again := newCatalog()
		if _, err := OpenFile(clone, 1, size, "", again); err != nil || again.Len() != i+1 {
			t.Errorf("%d series after a power cut: %v", again.Len(), err)
		}
	}
}

// TestLoadContradictions loads frames that are sound and say what cannot be.
func TestLoadContradictions(t *testing.T) {
	frames := func(fill func(c *Catalog)) (payloads [][]byte) {
		c := New(dict.New(), Options{})
		fill(c)
		all := make([]base.Ordinal, 0, 4)
		for o := range c.Limit() {
			if c.Known(o) {
				all = append(all, o)
			}
		}
		ids, _ := c.appendIDs(nil, all)
		names, _ := c.appendNames(nil, all)
		return [][]byte{ids, names}
	}
	register := func(reg base.Registration) func(*Catalog) {
		return func(c *Catalog) {
			if err := c.Register(reg); err != nil {
				t.Fatal(err)
			}
		}
	}
	a := register(base.Registration{Ordinal: 1, ID: KeyID([]byte("a|{}")), Name: "a"})
	for _, c := range []struct {
		what  string
		other func(*Catalog)
	}{
		{"other id", register(base.Registration{Ordinal: 1, ID: 5})},
		{"other name", register(base.Registration{Ordinal: 1, ID: KeyID([]byte("a|{}")), Name: "b"})},
		{"other tags", register(base.Registration{Ordinal: 1, ID: KeyID([]byte("a|{}")), Name: "a", Tags: tagsOf("k", "v")})},
		{"id of a later life", register(base.Registration{Ordinal: 0, ID: KeyID([]byte("a|{}")), Name: "c"})},
		{"key of a later life", register(base.Registration{Ordinal: 0, ID: 7, Name: "a"})},
	} {
		l := loader{c: newCatalog()}
		var err error
		for _, payload := range slices.Concat(frames(a), frames(c.other)) {
			if err == nil {
				err = l.load(payload)
			}
		}
		if err == nil {
			t.Errorf("%s: no error", c.what)
		}
	}
	// A names frame alone is enough to know an id.
	l := loader{c: newCatalog()}
	if err := l.load(frames(a)[1]); err != nil || l.c.ID(1) != KeyID([]byte("a|{}")) {
		t.Errorf("id %x: %v", uint64(l.c.ID(1)), err)
	}
}

// TestForeignFile opens a sound file of the same length that is not the one meant.
func TestForeignFile(t *testing.T) {
	files := make([]*fsys.Mem, 2)
	crcs := make([]string, 2)
	var size int64
	for i, name := range []string{"mine", "hers"} {
		files[i] = fsys.NewMem()
		c := newCatalog()
		f, err := CreateFile(files[i], 1)
		if err != nil {
			t.Fatal(err)
		}
		if f.CRC() != CRC(nil) {
			t.Errorf("an empty file has the checksum %s", f.CRC())
		}
		for _, host := range []string{"a", "b"} { // two appends continue one checksum
			if size, err = f.Append(c, []base.Ordinal{resolve(t, c, name, "host", host)}); err != nil {
				t.Fatal(err)
			}
		}
		crcs[i] = f.CRC()
		data, err := fsys.ReadFile(files[i], "CATALOG.1")
		if err != nil || int64(len(data)) != size || CRC(data) != f.CRC() {
			t.Fatalf("%d bytes, %v, checksum %s, want %s", len(data), err, f.CRC(), CRC(data))
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i, fs := range files {
		for j, crc := range crcs {
			_, opening := OpenFile(fs, 1, size, crc, newCatalog())
			loading := Load(fs, "CATALOG.1", size, crc, newCatalog())
			for _, err := range []error{opening, loading} {
				if i == j && err != nil || i != j && !errors.Is(err, base.ErrCorrupt) {
					t.Errorf("file %d with the checksum of %d: %v", i, j, err)
				}
			}
		}
	}
}
