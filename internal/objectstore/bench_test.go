package objectstore_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/objectstore"
)

// On the disk of the machine: a new object costs two syncs, one that is there a read.
func BenchmarkDir(b *testing.B) {
	for _, size := range []int{4 << 10, 1 << 20} {
		fs, err := fsys.OS(b.TempDir())
		check(b, err)
		d := objectstore.Open(fs)
		payload := make([]byte, size)
		id, err := d.Put(b.Context(), objectstore.TypeBlob, payload)
		check(b, err)
		n := uint64(0)
		for _, c := range []struct {
			op string
			do func() error
		}{
			{"put-new", func() error {
				n++
				binary.LittleEndian.PutUint64(payload, n)
				_, err := d.Put(b.Context(), objectstore.TypeBlob, payload)
				return err
			}},
			{"put-again", func() error {
				_, err := d.Put(b.Context(), objectstore.TypeBlob, payload)
				return err
			}},
			{"get", func() error {
				_, _, err := d.Get(b.Context(), id)
				return err
			}},
		} {
			b.Run(fmt.Sprintf("op=%s/bytes=%d", c.op, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					check(b, c.do())
				}
			})
		}
		check(b, fs.(io.Closer).Close())
	}
}
