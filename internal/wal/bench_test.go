package wal

import (
	"fmt"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// BenchmarkAppend measures sealing and writing of groups, without the encoding, to
// files of the operating system.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct{ rows, group int }{{1, 1}, {100, 1}, {1000, 1}, {1000, 8}, {40_000, 1}} {
		b.Run(fmt.Sprintf("rows=%d/group=%d", c.rows, c.group), func(b *testing.B) {
			fs, err := fsys.OS(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			l := mustCreate(b, fs)
			var frames [][]byte
			size := 0
			for range c.group {
				f := AppendBatch(nil, nil, scrape(c.rows, 1000, false))
				frames, size = append(frames, f), size+len(f)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if l.CurrentBytes() > 64<<20 {
					must(b, l.Rotate())
					must(b, l.RemoveThrough(l.Last()))
				}
				mustAppend(b, l, frames...)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(c.rows*c.group), "ns/row")
			must(b, l.Close())
		})
	}
}

// BenchmarkReplay measures reading and decoding of a whole log.
func BenchmarkReplay(b *testing.B) {
	fs, err := fsys.OS(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	l := mustCreate(b, fs)
	f := AppendBatch(nil, nil, scrape(1000, 1000, false))
	const records = 2000
	for range records {
		mustAppend(b, l, f)
	}
	must(b, l.Close())
	b.SetBytes(l.Bytes())
	b.ReportAllocs()
	for b.Loop() {
		var d BatchDecoder
		rows := 0
		_, err := Check(fs, OpenOptions{UUID: testUUID}, func(r Record) error {
			if r.Type != TypeBatch {
				return nil
			}
			return d.Decode(r.Body, nil, func(part []base.Row) error {
				rows += len(part)
				return nil
			})
		})
		if err != nil || rows != records*1000 {
			b.Fatal(rows, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(records*1000), "ns/row")
}

// BenchmarkRegister measures the encoding and decoding of series seen for the first
// time, ten tags each.
func BenchmarkRegister(b *testing.B) {
	regs := make([]base.Registration, 1000)
	for i := range regs {
		regs[i] = base.Registration{Ordinal: base.Ordinal(i), ID: base.SeriesID(i) * 0x9e3779b97f4a7c15, Name: "cpu.usage"}
		for t := range 10 {
			regs[i].Tags = append(regs[i].Tags, base.Tag{Key: fmt.Sprintf("key%d", t), Value: fmt.Sprintf("value%d", i>>t)})
		}
	}
	f := AppendBatch(nil, regs, nil)
	b.Run("op=append/series=1000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f = AppendBatch(f[:0], regs, nil)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/series")
		b.ReportMetric(float64(len(f))/1000, "B/series")
	})
	b.Run("op=decode/series=1000", func(b *testing.B) {
		var d BatchDecoder
		n := 0
		b.ReportAllocs()
		for b.Loop() {
			if err := d.Decode([]byte(body(f)), func(base.Registration) error { n++; return nil }, nil); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/series")
	})
}
