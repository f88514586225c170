package objectstore_test

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/golden"
	"github.com/sydradb/sydradb/internal/objectstore"
	"github.com/sydradb/sydradb/internal/objectstore/storetest"
)

func TestDirInMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) objectstore.Store {
		fs := fsys.NewMem()
		t.Cleanup(func() {
			if open := fs.OpenFiles(); len(open) > 0 {
				t.Errorf("left open: %v", open)
			}
		})
		return objectstore.Open(fs)
	})
}

func TestDirOnDisk(t *testing.T) {
	storetest.Run(t, func(t *testing.T) objectstore.Store {
		fs, err := fsys.OS(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { check(t, fs.(io.Closer).Close()) })
		return objectstore.Open(fs)
	})
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// writeFile puts data at file, whose directory is made.
func writeFile(t testing.TB, fs fsys.FS, file string, data []byte) {
	t.Helper()
	check(t, fs.MkdirAll(path.Dir(file)))
	check(t, fsys.WriteFileAtomic(fs, file, data))
}

func readFile(t testing.TB, fs fsys.FS, file string) []byte {
	t.Helper()
	data, err := fsys.ReadFile(fs, file)
	check(t, err)
	return data
}

// wantDamage checks that err reports damage to a file.
func wantDamage(t testing.TB, what string, err error, file string) {
	t.Helper()
	var damage *base.CorruptionError
	if !errors.As(err, &damage) || damage.File != file {
		t.Errorf("%s: %v, want damage to %s", what, err, file)
	}
}

// The order of operations that makes objects and refs durable.
func TestOrderOfSyncs(t *testing.T) {
	var trace strings.Builder
	d := objectstore.Open(fsys.Trace(fsys.NewMem(), func(op fsys.Op) {
		if op.Kind.Mutates() {
			trace.WriteString(op.String() + "\n")
		}
	}))
	put := func(note, payload string) objectstore.ID {
		trace.WriteString("# " + note + "\n")
		id, err := d.Put(t.Context(), objectstore.TypeBlob, []byte(payload))
		check(t, err)
		return id
	}
	set := func(note string, old, id objectstore.ID) {
		trace.WriteString("# " + note + "\n")
		check(t, d.SetRef(t.Context(), "heads/main", old, id))
	}
	a := put("Put", "SydraDB object")
	put("Put what is there", "SydraDB object")
	set("SetRef of a new ref", none, a)
	set("SetRef of one that exists", a, one)
	set("SetRef to nothing", one, none)
	golden.Check(t, "testdata/trace.golden", []byte(trace.String()))
}

// Every bit of an object is covered: a change to any of them is found, and Put of the
// object heals it.
func TestDamagedObject(t *testing.T) {
	fs := fsys.NewMem()
	d := objectstore.Open(fs)
	payload := []byte("some bytes")
	id, err := d.Put(t.Context(), objectstore.TypeCommit, payload)
	check(t, err)
	other, err := d.Put(t.Context(), objectstore.TypeCommit, []byte("other"))
	check(t, err)
	file := base.ObjectFile(id)
	sound := readFile(t, fs, file)

	damaged := map[string][]byte{
		"empty": {}, "header only": sound[:5], "cut": sound[:len(sound)-1], "longer": append(slices.Clone(sound), 0),
		"another object": readFile(t, fs, base.ObjectFile(other)), "far too long": make([]byte, 5+objectstore.MaxPayloadBytes+1),
	}
	for bit := range 8 * len(sound) {
		flipped := slices.Clone(sound)
		flipped[bit/8] ^= 1 << (bit % 8)
		damaged[fmt.Sprint("bit ", bit)] = flipped
	}
	for name, data := range damaged {
		writeFile(t, fs, file, data)
		kind, got, err := d.Get(t.Context(), id)
		wantDamage(t, name, err, file)
		wantDamage(t, name, d.Verify(t.Context(), id), file)
		if kind != 0 || got != nil {
			t.Errorf("%s: Get returned %v, %q", name, kind, got)
		}
		if has, err := d.Has(t.Context(), id); !has || err != nil {
			t.Errorf("%s: Has = %v, %v", name, has, err)
		}
		if again, err := d.Put(t.Context(), objectstore.TypeCommit, payload); err != nil || again != id {
			t.Fatalf("%s: Put again: %v, %v", name, again, err)
		}
		check(t, d.Verify(t.Context(), id))
	}
}

// An object that cannot be read is written anew as well.
func TestUnreadableObject(t *testing.T) {
	fs := fsys.NewMem()
	d := objectstore.Open(fs)
	id, err := d.Put(t.Context(), objectstore.TypeBlob, []byte("x"))
	check(t, err)
	errMedium := errors.New("medium error")
	bad := readFile(t, fs, base.ObjectFile(id))
	renamed := false
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		renamed = renamed || op.Kind == fsys.OpRename
		if op.Kind == fsys.OpRead && !renamed {
			return fsys.Fault{Err: errMedium}
		}
		return fsys.Fault{}
	})
	if err := d.Verify(t.Context(), id); !errors.Is(err, errMedium) || errors.Is(err, base.ErrCorrupt) {
		t.Errorf("Verify: %v", err)
	}
	_, err = d.Put(t.Context(), objectstore.TypeBlob, []byte("x"))
	check(t, err)
	check(t, d.Verify(t.Context(), id))
	if got := readFile(t, fs, base.ObjectFile(id)); !renamed || !slices.Equal(got, bad) {
		t.Errorf("renamed %v, file % x", renamed, got)
	}
}

// A type of a newer version is no damage, and nothing is known about it.
func TestTypeOfTheFuture(t *testing.T) {
	fs := fsys.NewMem()
	d := objectstore.Open(fs)
	id := objectstore.IDOf(9, []byte("x"))
	writeFile(t, fs, base.ObjectFile(id), []byte{9, 1, 0, 0, 0, 'x'})
	_, _, err := d.Get(t.Context(), id)
	if !errors.Is(err, objectstore.ErrUnknownType) || errors.Is(err, base.ErrCorrupt) || !strings.Contains(err.Error(), "type 9") {
		t.Errorf("error %v", err)
	}
}

func TestDamagedRef(t *testing.T) {
	fs := fsys.NewMem()
	d := objectstore.Open(fs)
	check(t, d.SetRef(t.Context(), "heads/good", none, one))
	sound := string(readFile(t, fs, "refs/heads/good"))
	for _, text := range []string{"", sound[:64], sound + sound, strings.ToUpper("a" + sound[1:]), strings.Repeat("0", 64) + "\n"} {
		for _, name := range []string{"heads/bad", "worse"} {
			writeFile(t, fs, base.RefFile(name), []byte(text))
			_, err := d.Ref(t.Context(), name)
			wantDamage(t, "Ref", err, base.RefFile(name))
			wantDamage(t, "SetRef", d.SetRef(t.Context(), name, one, two), base.RefFile(name))
			wantDamage(t, "SetRef of none", d.SetRef(t.Context(), name, none, two), base.RefFile(name))
		}
		refs, err := d.Refs(t.Context(), "")
		if !slices.Equal(refs, []objectstore.Ref{{Name: "heads/good", ID: one}}) {
			t.Errorf("the sound refs are %v", refs)
		}
		wantDamage(t, "Refs", err, "refs/heads/bad")
		if !strings.Contains(err.Error(), "refs/worse") {
			t.Errorf("one of two damaged refs: %v", err)
		}
		if _, err := d.Refs(t.Context(), "heads/g"); err != nil {
			t.Errorf("damage elsewhere: %v", err)
		}
		for _, name := range []string{"heads/bad", "worse"} {
			check(t, d.DeleteRef(t.Context(), name))
			check(t, d.SetRef(t.Context(), name, none, two))
		}
	}
}

// A ref that is being replaced, so that opening it fails for a moment, is read all the
// same; one that cannot be read at all is an error.
func TestRefThatCannotBeOpened(t *testing.T) {
	fs := fsys.NewMem()
	d := objectstore.Open(fs)
	check(t, d.SetRef(t.Context(), "heads/main", none, one))
	errOpen := errors.New("replaced while being opened")
	left := 2
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpOpen && left > 0 {
			left--
			return fsys.Fault{Err: errOpen}
		}
		return fsys.Fault{}
	})
	if got, err := d.Ref(t.Context(), "heads/main"); err != nil || got != one {
		t.Errorf("Ref = %v, %v", got, err)
	}
	left = 100
	if got, err := d.Ref(t.Context(), "heads/main"); !errors.Is(err, errOpen) || got != none {
		t.Errorf("Ref = %v, %v", got, err)
	}
	if err := d.SetRef(t.Context(), "heads/main", none, two); !errors.Is(err, errOpen) {
		t.Errorf("SetRef: %v", err)
	}
}

// Names that are no objects and no refs are passed over and left alone.
func TestForeignNames(t *testing.T) {
	fs := fsys.NewMem()
	d := objectstore.Open(fs)
	id, err := d.Put(t.Context(), objectstore.TypeBlob, []byte("x"))
	check(t, err)
	check(t, d.SetRef(t.Context(), "heads/main", objectstore.ID{}, id))
	file := base.ObjectFile(id)
	near := id
	near[31] ^= 1
	foreign := []string{
		"objects/README", "objects/0/x", "objects/zz/y", path.Dir(file) + "/note", file + base.TempSuffix,
		base.ObjectFile(near) + "/inside", "refs/README", "refs/heads/main" + base.TempSuffix, "refs/Heads/x", "refs/a/b/c/d/e",
	}
	for _, p := range foreign {
		writeFile(t, fs, p, []byte("?"))
	}
	for got, err := range d.List(t.Context(), "") {
		if err != nil || got != id {
			t.Errorf("List yields %v, %v", got, err)
		}
	}
	if refs, err := d.Refs(t.Context(), ""); err != nil || len(refs) != 1 || refs[0].Name != "heads/main" {
		t.Errorf("Refs = %v, %v", refs, err)
	}
	if has, err := d.Has(t.Context(), near); has || err != nil {
		t.Errorf("a directory passes for an object: %v, %v", has, err)
	}
	for _, p := range foreign {
		if there, err := fsys.Exists(fs, p); !there || err != nil {
			t.Errorf("%s: %v, %v", p, there, err)
		}
	}
	// What a crash left of another attempt does not stand in the way, even where it is
	// another name of the file.
	check(t, fs.Remove("refs/heads/main"+base.TempSuffix))
	check(t, fs.Link("refs/heads/main", "refs/heads/main"+base.TempSuffix))
	reader, err := fs.Open("refs/heads/main")
	check(t, err)
	check(t, d.SetRef(t.Context(), "heads/main", id, near))
	text := make([]byte, 64)
	if _, err := reader.ReadAt(text, 0); err != nil || string(text) != id.String() {
		t.Errorf("the old file was overwritten: %s, %v", text, err)
	}
	check(t, reader.Close())
}

// Empty directories and leftovers give way to a ref, other files do not.
func TestRefInPlaceOfDirectories(t *testing.T) {
	fs := fsys.NewMem()
	d := objectstore.Open(fs)
	check(t, fs.MkdirAll("refs/a/b/c"))
	check(t, fs.MkdirAll("refs/a/d"))
	writeFile(t, fs, "refs/a/b/x"+base.TempSuffix, []byte("half"))
	check(t, d.SetRef(t.Context(), "a", none, one))
	writeFile(t, fs, "refs/b/NOTE", []byte("mine"))
	if err := d.SetRef(t.Context(), "b", none, one); !errors.Is(err, objectstore.ErrRefConflict) {
		t.Errorf("error %v", err)
	}
	if got := readFile(t, fs, "refs/b/NOTE"); string(got) != "mine" {
		t.Errorf("the file in the way holds %q", got)
	}
}

// Reading makes nothing, not even directories.
func TestReadingChangesNothing(t *testing.T) {
	fs := fsys.NewMem()
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind.Mutates() {
			t.Errorf("reading did %v", op)
		}
		return fsys.Fault{}
	})
	d := objectstore.Open(fs)
	if _, _, err := d.Get(t.Context(), objectstore.ID{}); !errors.Is(err, objectstore.ErrNotFound) || errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("Get: %v", err)
	}
	for _, err := range d.List(t.Context(), "") {
		t.Errorf("List yields %v", err)
	}
	for _, f := range []func() error{
		func() error { _, err := d.Has(t.Context(), objectstore.ID{}); return err },
		func() error { _, err := d.Ref(t.Context(), "heads/main"); return err },
		func() error { _, err := d.Refs(t.Context(), ""); return err },
		func() error { return d.DeleteRef(t.Context(), "heads/main") },
	} {
		if err := f(); err != nil {
			t.Error(err)
		}
	}
}
