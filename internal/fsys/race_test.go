package fsys_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

// TestMemIsSafeForConcurrentUse has writers, each in its own file, beside clones that
// are read and written: work for the race detector, and each clone must hold a prefix.
func TestMemIsSafeForConcurrentUse(t *testing.T) {
	const writers, writes = 4, 200
	m := fsys.NewMem()
	m.SetHook(func(fsys.Op) fsys.Fault { return fsys.Fault{} })
	var busy sync.WaitGroup
	for w := range writers {
		busy.Go(func() {
			name := fmt.Sprint(w)
			f, err := m.Create(name + ".tmp")
			check(t, err)
			for i := range writes {
				write(t, f, "x")
				switch i % 10 {
				case 3:
					check(t, f.Sync())
				case 6:
					check(t, m.Rename(name+".tmp", name))
					check(t, m.SyncDir(""))
				case 9:
					check(t, m.Rename(name, name+".tmp"))
					check(t, f.Truncate(int64(i+1)))
				}
			}
			check(t, f.Close())
		})
	}
	for c := range 3 {
		busy.Go(func() {
			rng := newRand(uint64(c))
			for range 50 {
				clone := m.CrashClone(rng, 50)
				entries, err := clone.List("")
				check(t, err)
				for _, e := range entries {
					f, err := clone.OpenAppend(e.Name)
					check(t, err)
					write(t, f, "yy")
					check(t, f.Close())
				}
				if _, err := m.Space(); err != nil {
					t.Error(err)
				}
				m.OpenFiles()
			}
		})
	}
	busy.Wait()
	for w := range writers {
		data, err := fsys.ReadFile(m, fmt.Sprint(w)+".tmp")
		check(t, err)
		if len(data) != writes {
			t.Errorf("file %d has %d bytes, want %d", w, len(data), writes)
		}
	}
}
