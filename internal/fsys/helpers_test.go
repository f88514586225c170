package fsys_test

import (
	"errors"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

var errInjected = errors.New("injected")

// clones is how many power cuts a test looks at where it counts what may happen.
const clones = 2000

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// outcomes counts what describe says about many power cuts at keepPercent.
func outcomes(m *fsys.Mem, keepPercent int, describe func(*fsys.Mem) string) map[string]int {
	rng := newRand(1)
	counts := map[string]int{}
	for range clones {
		counts[describe(m.CrashClone(rng, keepPercent))]++
	}
	return counts
}

// wantOutcomes demands that exactly the given outcomes come up, each often enough not
// to be an accident.
func wantOutcomes(t *testing.T, counts map[string]int, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(counts)); !slices.Equal(got, want) {
		t.Errorf("outcomes %q, want %q", got, want)
	}
	for outcome, n := range counts {
		if n < clones/100 {
			t.Errorf("outcome %q came up %d times in %d", outcome, n, clones)
		}
	}
}

// tree describes a file system as "path=content" and "path/", sorted.
func tree(m *fsys.Mem) string {
	var lines []string
	var walk func(dir string)
	walk = func(dir string) {
		entries, err := m.List(dir)
		if err != nil {
			panic(err)
		}
		for _, e := range entries {
			p := path.Join(dir, e.Name)
			if e.Dir {
				lines = append(lines, p+"/")
				walk(p)
				continue
			}
			data, err := fsys.ReadFile(m, p)
			if err != nil {
				panic(err)
			}
			lines = append(lines, p+"="+string(data))
		}
	}
	walk("")
	slices.Sort(lines)
	return strings.Join(lines, " ")
}

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

func check(t fataler, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// create makes a file with content and leaves it open, nothing synced.
func create(t testing.TB, fs fsys.FS, path, content string) fsys.File {
	t.Helper()
	f, err := fs.Create(path)
	check(t, err)
	write(t, f, content)
	t.Cleanup(func() { f.Close() })
	return f
}

// createSynced makes a durable file and leaves it open.
func createSynced(t testing.TB, fs fsys.FS, p, content string) fsys.File {
	t.Helper()
	f := create(t, fs, p, content)
	check(t, f.Sync())
	check(t, fsys.SyncParent(fs, p))
	return f
}

func write(t fataler, f fsys.File, content string) {
	t.Helper()
	if _, err := f.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
}
