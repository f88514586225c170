package manifest

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

var benchCounts = []int{1, 24_000}

func perEntry(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/entry")
}

func BenchmarkEncodeEdit(b *testing.B) {
	for _, n := range benchCounts {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			e := editN(1, entries(0, n), nil)
			line, _ := appendLine(nil, &e)
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				line, _ = appendLine(line[:0], &e)
			}
			perEntry(b, n)
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, n := range benchCounts {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			text := seal(0, []Edit{editN(0, nil, nil), editN(1, entries(0, n), nil)}, nil)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if s, _, err := read(base.ManifestFile, text); err != nil || len(s.Live) != n {
					b.Fatal(len(s.Live), err)
				}
			}
			perEntry(b, n)
		})
	}
	// What the standard library takes to fill the struct, with nothing verified.
	b.Run("json=24000", func(b *testing.B) {
		const n = 24_000
		e := editN(1, entries(0, n), nil)
		line, _ := appendLine(nil, &e)
		b.SetBytes(int64(len(line)))
		b.ReportAllocs()
		for b.Loop() {
			var e Edit
			if err := json.Unmarshal(line, &e); err != nil || len(e.Add) != n {
				b.Fatal(len(e.Add), err)
			}
		}
		perEntry(b, n)
	})
}

// Many short edits, each with a removal, read as fast as one long one.
func BenchmarkReadHistory(b *testing.B) {
	const edits = 5000
	history := []Edit{editN(0, entries(0, 100), nil)}
	for i := range edits {
		history = append(history, editN(i+1, entries(100+i, 101+i), paths(i, i+1)))
	}
	text := seal(0, history, nil)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := read(base.ManifestFile, text); err != nil {
			b.Fatal(err)
		}
	}
	perEntry(b, edits)
}

func BenchmarkAppend(b *testing.B) {
	for _, n := range benchCounts {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			add := entries(0, n)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				l := mustCreate(b, fsys.NewMem(), editN(0, nil, nil))
				b.StartTimer()
				mustAppend(b, l, editN(1, add, nil))
			}
			perEntry(b, n)
		})
	}
}
