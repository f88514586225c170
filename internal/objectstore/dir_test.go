package objectstore_test

import (
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
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
		t.Cleanup(func() { fs.(interface{ Close() error }).Close() })
		return objectstore.Open(fs)
	})
}
