package fsys_test

import (
	"io"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/fsys/fsystest"
)

func TestMemConforms(t *testing.T) {
	fsystest.Run(t, func(*testing.T) fsys.FS { return fsys.NewMem() })
}

func TestOSConforms(t *testing.T) { fsystest.Run(t, openOS) }

func TestTraceConforms(t *testing.T) {
	fsystest.Run(t, func(*testing.T) fsys.FS { return fsys.Trace(fsys.NewMem(), func(fsys.Op) {}) })
}

func TestSubConforms(t *testing.T) {
	for name, open := range map[string]func(*testing.T) fsys.FS{
		"mem":   func(*testing.T) fsys.FS { return fsys.NewMem() },
		"os":    openOS,
		"trace": func(*testing.T) fsys.FS { return fsys.Trace(fsys.NewMem(), func(fsys.Op) {}) },
		"sub":   func(*testing.T) fsys.FS { return fsys.Sub(fsys.NewMem(), "top") },
		"root":  func(*testing.T) fsys.FS { return fsys.Sub(fsys.NewMem(), "") },
	} {
		t.Run(name, func(t *testing.T) {
			fsystest.Run(t, func(t *testing.T) fsys.FS {
				fs := fsys.Sub(open(t), "dir/inner")
				check(t, fs.MkdirAll(""))
				return fs
			})
		})
	}
}

// openOS returns an empty directory of the operating system.
func openOS(t *testing.T) fsys.FS {
	t.Helper()
	fs, err := fsys.OS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := fs.(io.Closer).Close(); err != nil {
			t.Error(err)
		}
	})
	return fs
}
