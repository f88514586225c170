package fsys_test

import (
	"fmt"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

func BenchmarkCrashClone(b *testing.B) {
	for _, files := range []int{20, 1000} {
		for _, dirty := range []bool{false, true} {
			b.Run(fmt.Sprintf("files=%d/dirty=%v", files, dirty), func(b *testing.B) {
				m := fsys.NewMem()
				check(b, m.MkdirAll("segments/0"))
				for i := range files {
					f := create(b, m, fmt.Sprintf("segments/0/%d", i), string(make([]byte, 4096)))
					if dirty {
						write(b, f, "a record that was not synced")
						continue
					}
					check(b, f.Sync())
				}
				if !dirty {
					check(b, m.SyncDir("segments/0"))
					check(b, m.SyncDir("segments"))
					check(b, m.SyncDir(""))
				}
				rng := newRand(1)
				b.ReportAllocs()
				for b.Loop() {
					m.CrashClone(rng, 50)
				}
			})
		}
	}
}

// BenchmarkAppend measures what a log pays for the seam.
func BenchmarkAppend(b *testing.B) {
	record := make([]byte, 8000)
	for name, open := range map[string]func() fsys.FS{
		"fs=mem": func() fsys.FS { return fsys.NewMem() },
		"fs=os": func() fsys.FS {
			fs, err := fsys.OS(b.TempDir())
			check(b, err)
			return fs
		},
	} {
		b.Run(name, func(b *testing.B) {
			f := create(b, open(), "log", "")
			b.ReportAllocs()
			b.SetBytes(int64(len(record)))
			for i := 0; b.Loop(); i++ {
				if i%4096 == 0 {
					check(b, f.Truncate(0))
				}
				if _, err := f.Write(record); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTransfer measures what a file costs a snapshot, linked from one directory to
// another that was opened by itself.
func BenchmarkTransfer(b *testing.B) {
	open := func() fsys.FS {
		fs, err := fsys.OS(b.TempDir())
		check(b, err)
		check(b, fs.MkdirAll("segments/0"))
		return fs
	}
	src, dst := open(), open()
	check(b, create(b, src, "segments/0/a", "abc").Close())
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		linked, err := fsys.Transfer(src, "segments/0/a", dst, fmt.Sprintf("segments/0/%d", i))
		if err != nil || !linked {
			b.Fatal(linked, err)
		}
	}
}
