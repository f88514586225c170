package compact

import (
	"fmt"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
)

// benchLive returns what 100,000 live files may look like: plain segment files, 60 in
// each of many hours, and one hour that is being written to.
func benchLive(files int) []manifest.Entry {
	live := make([]manifest.Entry, files)
	for i := range live {
		hour := int64(i / 60)
		e := manifest.Entry{
			HourBucket: hour * base.Hour,
			StartTS:    hour * base.Hour,
			EndTS:      hour*base.Hour + base.Hour - 1,
			Seq:        base.LSN(i/60 + 1),
			Wall:       nowMS,
			Bytes:      1 << 16,
		}
		e.Path = base.SegmentFile(e.HourBucket, base.SeriesID(i)<<20, e.StartTS, e.EndTS, int64(i))
		live[i] = e
	}
	return live
}

// BenchmarkPlan is what each flush pays: nothing is to be done, and all files are held.
func BenchmarkPlan(b *testing.B) {
	for _, files := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("files=%d", files), func(b *testing.B) {
			live := benchLive(files)
			// As the live files are not in the order of their buckets.
			for i := range live {
				j := i * 7919 % files
				live[i], live[j] = live[j], live[i]
			}
			claimed := map[string]bool{live[0].Path: true}
			p := Policy{
				NowMS:           nowMS,
				MaxSegmentFiles: 64,
				Rewrite:         func(*manifest.Entry) bool { return false },
				Claimed:         func(path string) bool { return claimed[path] },
			}
			b.ReportAllocs()
			for b.Loop() {
				if jobs := Plan(live, p); len(jobs) > 0 {
					b.Fatal(len(jobs))
				}
			}
		})
	}
}

func BenchmarkCrowding(b *testing.B) {
	live := benchLive(100_000)
	b.ReportAllocs()
	for b.Loop() {
		if Crowding(live) != 1 {
			b.Fatal("crowded")
		}
	}
}

func BenchmarkAllowed(b *testing.B) {
	live := benchLive(100_000)
	inputs := live[60_000:60_240]
	b.ReportAllocs()
	for b.Loop() {
		if !Allowed(inputs, live) {
			b.Fatal("refused")
		}
	}
}

// BenchmarkRun writes the pack of a day from points that are in memory.
func BenchmarkRun(b *testing.B) {
	src := newStub(100, 10_000)
	job := Job{Kind: KindDay, Width: base.Day, Inputs: entries("h0 s1")}
	points := int64(len(src.series) * len(src.ts))
	b.ReportAllocs()
	b.SetBytes(16 * points)
	for b.Loop() {
		if _, err := Run(b.Context(), fsys.NewMem(), job, src, RunOptions{NowMS: 1}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(int64(b.N)*points), "ns/point")
}
