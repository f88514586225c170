package engine

import (
	"encoding/hex"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// FuzzFormat reads damaged FORMAT files. They are refused with an error that says why,
// or give the uuid that they hold; memory stays in proportion to the file.
func FuzzFormat(f *testing.F) {
	whole := fsys.NewMem()
	format, _ := newFormat(time.Unix(1_700_000_000, 0))
	format.UUID = "000102030405060708090a0b0c0d0e0f"
	if err := format.write(whole); err != nil {
		f.Fatal(err)
	}
	data, err := fsys.ReadFile(whole, base.FormatFile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		fs := fsys.NewMem()
		mustReplace(t, fs, base.FormatFile, data)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		uuid, err := readFormat(fs)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 16*uint64(len(data))+1<<20 {
			t.Errorf("%d bytes of memory for %d of input", used, len(data))
		}
		switch {
		case err == nil:
			// A digit may be written as an escape.
			if !strings.Contains(strings.ToLower(string(data)), hex.EncodeToString(uuid[:])) && !strings.Contains(string(data), `\u`) {
				t.Errorf("uuid %x, which is not in the file", uuid)
			}
		case !errors.Is(err, base.ErrCorrupt) && !errors.Is(err, ErrFormat):
			t.Errorf("error %v", err)
		}
	})
}
