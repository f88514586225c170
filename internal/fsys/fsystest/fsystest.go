// Package fsystest is the conformance suite of fsys.FS: what every implementation must
// do alike. It is a test helper and knows nothing about power cuts, which are Mem's
// business. Each implementation's test is one call of Run.
package fsystest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

// Run tests the file systems that open returns, each empty and used by one subtest.
func Run(t *testing.T, open func(t *testing.T) fsys.FS) {
	tests := []struct {
		name string
		run  func(*testing.T, fsys.FS)
	}{
		{"CreateWriteRead", createWriteRead},
		{"CreateEmptiesExisting", createEmptiesExisting},
		{"OpenAppendGoesOnAtTheEnd", openAppend},
		{"TruncateMovesTheEnd", truncate},
		{"ReadOnlyHandleRefusesChanges", readOnly},
		{"ReadAtFollowsReaderAt", readAt},
		{"ClosedHandleRefusesAll", closedHandle},
		{"RemovedFileStaysReadable", removedFile},
		{"RenameReplaces", renameReplaces},
		{"RenameKeepsHandles", renameKeepsHandles},
		{"RenameOfTwoNamesOfOneFile", renameSameFile},
		{"RenameMovesDirectories", renameDirectory},
		{"RenameReplacesNoDirectory", renameReplacesNoDirectory},
		{"LinkIsAnotherName", link},
		{"RemoveRefusesFullDirectory", removeDirectory},
		{"MkdirAllIsIdempotent", mkdirAll},
		{"ListIsSorted", list},
		{"StatDescribes", stat},
		{"MissingNamesMatchErrNotExist", missing},
		{"DirectoriesAreNotFiles", directoriesAreNotFiles},
		{"FilesAreNotDirectories", filesAreNotDirectories},
		{"PathsStayInside", paths},
		{"LockExcludes", lock},
		{"SpaceIsPositive", space},
		{"ReadersBesideOneWriter", readersBesideWriter},
		{"WriteFileAtomicReplaces", writeFileAtomic},
		{"TransferLinksOrCopies", transfer},
		{"CopyTakesExactlySomeBytes", copyBytes},
		{"TreesAreMeasuredSyncedAndRemoved", trees},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func createWriteRead(t *testing.T, fs fsys.FS) {
	f := must(fs.Create("a"))(t)
	if n, err := f.Write([]byte("hello ")); n != 6 || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}
	write(t, f, "world")
	write(t, f, "")
	if size := must(f.Size())(t); size != 11 {
		t.Errorf("Size = %d, want 11", size)
	}
	wantContent(t, fs, "a", "hello world")
	if got := handleContent(t, f); got != "hello world" {
		t.Errorf("through the writing handle: %q", got)
	}
	check(t, f.Sync())
	check(t, f.Close())
	check(t, fs.SyncDir(""))
	check(t, fs.SyncDir("."))
	wantContent(t, fs, "a", "hello world")
}

func createEmptiesExisting(t *testing.T, fs fsys.FS) {
	put(t, fs, "a", "something long")
	f := must(fs.Create("a"))(t)
	if size := must(f.Size())(t); size != 0 {
		t.Errorf("Size = %d after Create, want 0", size)
	}
	write(t, f, "x")
	check(t, f.Close())
	wantContent(t, fs, "a", "x")
}

func openAppend(t *testing.T, fs fsys.FS) {
	put(t, fs, "a", "one")
	f := must(fs.OpenAppend("a"))(t)
	write(t, f, "two")
	write(t, f, "three")
	if got := handleContent(t, f); got != "onetwothree" {
		t.Errorf("read %q", got)
	}
	check(t, f.Close())
	wantContent(t, fs, "a", "onetwothree")
}

func truncate(t *testing.T, fs fsys.FS) {
	put(t, fs, "a", "0123456789")
	f := must(fs.OpenAppend("a"))(t)
	defer f.Close()
	check(t, f.Truncate(4))
	wantContent(t, fs, "a", "0123")
	write(t, f, "ab")
	wantContent(t, fs, "a", "0123ab")
	check(t, f.Truncate(8))
	wantContent(t, fs, "a", "0123ab\x00\x00")
	write(t, f, "c")
	wantContent(t, fs, "a", "0123ab\x00\x00c")
	check(t, f.Truncate(0))
	wantContent(t, fs, "a", "")
	if f.Truncate(-1) == nil {
		t.Error("Truncate(-1) was accepted")
	}
	write(t, f, "z")
	wantContent(t, fs, "a", "z")
}

func readOnly(t *testing.T, fs fsys.FS) {
	put(t, fs, "a", "abc")
	f := must(fs.Open("a"))(t)
	defer f.Close()
	if n, err := f.Write([]byte("x")); n != 0 || err == nil {
		t.Errorf("Write: %d, %v", n, err)
	}
	if f.Truncate(0) == nil {
		t.Error("Truncate was accepted")
	}
	if f.Sync() == nil {
		t.Error("Sync was accepted")
	}
	wantContent(t, fs, "a", "abc")
}

func readAt(t *testing.T, fs fsys.FS) {
	put(t, fs, "a", "0123456789")
	f := must(fs.Open("a"))(t)
	defer f.Close()
	for _, test := range []struct {
		offset int64
		length int
		want   string
		eof    bool
	}{
		{0, 10, "0123456789", false},
		{3, 4, "3456", false},
		{8, 4, "89", true},
		{10, 1, "", true},
		{99, 1, "", true},
	} {
		buf := make([]byte, test.length)
		n, err := f.ReadAt(buf, test.offset)
		if got := string(buf[:n]); got != test.want || errors.Is(err, io.EOF) != test.eof {
			t.Errorf("ReadAt(%d bytes, %d) = %q, %v", test.length, test.offset, got, err)
		}
		if !test.eof && n < test.length {
			t.Errorf("ReadAt(%d bytes, %d) = %d bytes without an error", test.length, test.offset, n)
		}
	}
	if _, err := f.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("ReadAt accepted a negative offset")
	}
}

func closedHandle(t *testing.T, fs fsys.FS) {
	f := must(fs.Create("a"))(t)
	write(t, f, "abc")
	check(t, f.Close())
	_, readErr := f.ReadAt(make([]byte, 1), 0)
	_, writeErr := f.Write([]byte("x"))
	_, sizeErr := f.Size()
	for name, err := range map[string]error{
		"ReadAt": readErr, "Write": writeErr, "Size": sizeErr,
		"Truncate": f.Truncate(0), "Sync": f.Sync(), "Close": f.Close(),
	} {
		if !errors.Is(err, iofs.ErrClosed) {
			t.Errorf("%s after Close: %v, want ErrClosed", name, err)
		}
	}
	wantContent(t, fs, "a", "abc")
}

func removedFile(t *testing.T, fs fsys.FS) {
	put(t, fs, "a", "still here")
	f := must(fs.Open("a"))(t)
	defer f.Close()
	check(t, fs.Remove("a"))
	wantMissing(t, fs, "a")
	if got := handleContent(t, f); got != "still here" {
		t.Errorf("read %q", got)
	}
	put(t, fs, "a", "another")
	if got := handleContent(t, f); got != "still here" {
		t.Errorf("a new file of the same name shows through an old handle: %q", got)
	}
}

func paths(t *testing.T, fs fsys.FS) {
	put(t, fs, "a", "x")
	for _, path := range []string{"/a", "../a", "b/../a", "a/", "./a", "b//a", ".."} {
		if f, err := fs.Open(path); err == nil {
			t.Errorf("Open(%q) succeeded", path)
			f.Close()
		}
		if f, err := fs.Create(path); err == nil {
			t.Errorf("Create(%q) succeeded", path)
			f.Close()
		}
		for name, err := range map[string]error{
			"Rename to": fs.Rename("a", path), "Rename": fs.Rename(path, "b"), "Link to": fs.Link("a", path),
			"Remove": fs.Remove(path), "MkdirAll": fs.MkdirAll(path), "SyncDir": fs.SyncDir(path),
		} {
			if err == nil {
				t.Errorf("%s %q succeeded", name, path)
			}
		}
	}
	wantContent(t, fs, "a", "x")
}

func lock(t *testing.T, fs fsys.FS) {
	held := must(fs.Lock("LOCK"))(t)
	if _, err := fs.Lock("LOCK"); !errors.Is(err, fsys.ErrLocked) {
		t.Errorf("second Lock: %v, want ErrLocked", err)
	}
	check(t, held.Close())
	again := must(fs.Lock("LOCK"))(t)
	check(t, again.Close())
	put(t, fs, "b", "kept")
	check(t, must(fs.Lock("b"))(t).Close())
	wantContent(t, fs, "b", "kept")
}

func space(t *testing.T, fs fsys.FS) {
	if free := must(fs.Space())(t); free == 0 {
		t.Error("no space in a new file system")
	}
}

// readersBesideWriter has four readers look at a file that grows: each sees a prefix
// of what is being written.
func readersBesideWriter(t *testing.T, fs fsys.FS) {
	const pieces = 200
	f := must(fs.Create("a"))(t)
	var whole []byte
	for i := range pieces {
		whole = fmt.Appendf(whole, "%06d\n", i)
	}
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			buf := make([]byte, len(whole))
			for seen := 0; seen < len(whole); {
				n, err := f.ReadAt(buf, 0)
				if err != nil && !errors.Is(err, io.EOF) || n < seen || !bytes.Equal(buf[:n], whole[:n]) {
					t.Errorf("read %d bytes after %d: %v", n, seen, err)
					return
				}
				seen = n
			}
		})
	}
	for i := range pieces {
		write(t, f, string(whole[i*7:(i+1)*7]))
	}
	readers.Wait()
	check(t, f.Close())
}

func writeFileAtomic(t *testing.T, fs fsys.FS) {
	check(t, fs.MkdirAll("d"))
	check(t, fsys.WriteFileAtomic(fs, "d/a", []byte("first")))
	wantContent(t, fs, "d/a", "first")
	check(t, fsys.WriteFileAtomic(fs, "d/a", []byte("second")))
	wantContent(t, fs, "d/a", "second")
	check(t, fsys.WriteFileUnlisted(fs, "d/b", []byte("in "), nil, []byte("pieces")))
	wantContent(t, fs, "d/b", "in pieces")
	check(t, fsys.WriteFileUnlisted(fs, "d/c"))
	wantContent(t, fs, "d/c", "")
	var names []string
	for _, e := range must(fs.List("d"))(t) {
		names = append(names, e.Name)
	}
	if got := strings.Join(names, " "); got != "a b c" {
		t.Errorf("left behind: %s", got)
	}
	err := fsys.WriteFileAtomic(fs, "no/a", []byte("x"))
	if !errors.Is(err, iofs.ErrNotExist) || !strings.Contains(err.Error(), "no/a") {
		t.Errorf("into a missing directory: %v", err)
	}
}
