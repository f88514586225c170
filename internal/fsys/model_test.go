package fsys_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sydradb/sydradb/internal/fsys"
)

// model is a naive file system of two directories that keeps its durable state as deep
// copies, made by the syncs: what Mem must leave at 0 and show at 100. It does not
// know renames from one directory to another.
type model struct {
	now, durable map[string]map[string]*modelFile // directory -> name -> file
}

type modelFile struct{ now, durable string }

func newModel() *model {
	empty := func() map[string]map[string]*modelFile {
		return map[string]map[string]*modelFile{"": {}, "d": {}}
	}
	return &model{now: empty(), durable: empty()}
}

func render(dirs map[string]map[string]*modelFile, content func(*modelFile) string) string {
	lines := []string{"d/"}
	for dir, names := range dirs {
		for name, f := range names {
			lines = append(lines, strings.TrimPrefix(dir+"/"+name, "/")+"="+content(f))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, " ")
}

// TestMemAgainstModel runs random operations on both and compares the present state,
// the clones at 0 and 100, and what any clone may hold at all.
func TestMemAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mem, want := fsys.NewMem(), newModel()
		check(t, mem.MkdirAll("d"))
		check(t, mem.SyncDir(""))
		dirs := rapid.SampledFrom([]string{"", "d"})
		names := rapid.SampledFrom([]string{"a", "b", "c"})
		join := func(dir, name string) string { return strings.TrimPrefix(dir+"/"+name, "/") }
		next := 0
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			dir, name := dirs.Draw(t, "dir"), names.Draw(t, "name")
			file := want.now[dir][name]
			action := rapid.SampledFrom([]string{
				"write", "write", "sync", "truncate", "rename", "rename", "link", "remove", "sync-dir",
			}).Draw(t, "action")
			switch {
			case action == "sync-dir":
				check(t, mem.SyncDir(dir))
				want.durable[dir] = maps.Clone(want.now[dir])
			case file == nil:
				f, err := mem.Create(join(dir, name))
				check(t, err)
				check(t, f.Close())
				want.now[dir][name] = &modelFile{}
			case action == "remove":
				check(t, mem.Remove(join(dir, name)))
				delete(want.now[dir], name)
			case action == "rename":
				to := names.Draw(t, "to")
				check(t, mem.Rename(join(dir, name), join(dir, to)))
				if want.now[dir][to] != file {
					want.now[dir][to] = file
					delete(want.now[dir], name)
				}
			case action == "link":
				toDir, to := dirs.Draw(t, "to dir"), names.Draw(t, "to")
				err := mem.Link(join(dir, name), join(toDir, to))
				if there := want.now[toDir][to] != nil; there != (err != nil) {
					t.Fatalf("Link: %v", err)
				} else if !there {
					want.now[toDir][to] = file
				}
			default:
				next++
				change(t, mem, join(dir, name), action, fmt.Sprint(next), file)
			}
			now := render(want.now, func(f *modelFile) string { return f.now })
			durable := render(want.durable, func(f *modelFile) string { return f.durable })
			if got := tree(mem); got != now {
				t.Fatalf("present: %q, want %q", got, now)
			}
			if got := tree(mem.CrashClone(newRand(0), 100)); got != now {
				t.Fatalf("at 100: %q, want %q", got, now)
			}
			if got := tree(mem.CrashClone(newRand(0), 0)); got != durable {
				t.Fatalf("at 0: %q, want %q", got, durable)
			}
			half := mem.CrashClone(newRand(uint64(next)), 50)
			if again := tree(half.CrashClone(newRand(9), 50)); again != tree(half) {
				t.Fatalf("a clone is not durable: %q, then %q", tree(half), again)
			}
		}
	})
}

// change does one operation on the bytes of a file, on both sides.
func change(t *rapid.T, mem *fsys.Mem, path, action, text string, file *modelFile) {
	f, err := mem.OpenAppend(path)
	check(t, err)
	switch action {
	case "write":
		write(t, f, text)
		file.now += text
	case "sync":
		check(t, f.Sync())
		file.durable = file.now
	case "truncate":
		size := len(file.now) / 2
		check(t, f.Truncate(int64(size)))
		file.now = file.now[:size]
	}
	check(t, f.Close())
}
