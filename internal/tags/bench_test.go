package tags

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/dict"
)

const benchCount = 500_000

// benchPairs returns the pairs of n series with ten tags, four metrics of each host:
// one tag is a host's own, one takes 5,000 values, the others few.
func benchPairs(d *dict.Dict, n int) [][]uint32 {
	names := []string{"cpu_usage_user", "cpu_usage_system", "mem_used_percent", "disk_io_time"}
	all := make([][]uint32, n)
	for i := range all {
		host := i / 4
		tags := make([]base.Tag, 0, 10)
		for k, values := range []int{2, 25, n, 3, 100, 9, 20, 3, 5000, 4} {
			tags = append(tags, base.Tag{Key: fmt.Sprintf("key%d", k), Value: fmt.Sprintf("value_%d", host%values)})
		}
		all[i] = d.InternSeries(nil, names[i%4], tags)
	}
	return all
}

func benchIndex() *Index {
	d := dict.New()
	ix := New(d)
	for o, pairs := range benchPairs(d, benchCount) {
		ix.Add(base.Ordinal(o), pairs)
	}
	return ix
}

func BenchmarkAdd(b *testing.B) {
	d := dict.New()
	all := benchPairs(d, benchCount)
	ix := New(d)
	for i := 0; b.Loop(); i++ {
		if i%benchCount == 0 {
			ix = New(d)
		}
		ix.Add(base.Ordinal(i%benchCount), all[i%benchCount])
	}
}

// BenchmarkMemory reports what a series takes in the index, without the dictionary.
func BenchmarkMemory(b *testing.B) {
	d := dict.New()
	all := benchPairs(d, benchCount)
	for b.Loop() {
		before := heapBytes()
		ix := New(d)
		for o, pairs := range all {
			ix.Add(base.Ordinal(o), pairs)
		}
		b.ReportMetric(float64(heapBytes()-before)/benchCount, "B/series")
		runtime.KeepAlive(ix)
	}
}

// BenchmarkRemove takes every fifth series out, all of them at once.
func BenchmarkRemove(b *testing.B) {
	d := dict.New()
	all := benchPairs(d, benchCount)
	var dead []base.Ordinal
	for o := 0; o < benchCount; o += 5 {
		dead = append(dead, base.Ordinal(o))
	}
	b.Run("series=500000/dead=100000", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			ix := New(d)
			for o, pairs := range all {
				ix.Add(base.Ordinal(o), pairs)
			}
			b.StartTimer()
			ix.Remove(dead, func(dst []uint32, o base.Ordinal) []uint32 { return append(dst, all[o]...) })
		}
	})
}

func BenchmarkTop(b *testing.B) {
	ix := benchIndex()
	b.Run("series=500000/of=keys", func(b *testing.B) {
		for b.Loop() {
			ix.Top(20)
		}
	})
	b.Run("series=500000/of=values", func(b *testing.B) {
		for b.Loop() {
			ix.TopValues("key2", 20)
		}
	})
}

func heapBytes() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkSelect(b *testing.B) {
	ix := benchIndex()
	for _, c := range []struct {
		name, selector string
		want           int
	}{
		{"one", `cpu_usage_user{key2="value_77777"}`, 1},
		{"host", `{key2="value_77777"}`, 4},
		{"service-and-team", `{key6="value_3",key9="value_3"}`, 25_000},
		{"list", `cpu_usage_user{key8="value_77"}`, 25},
		{"some-of-list", `cpu_usage_user{key2=~"value_1|value_2|value_3"}`, 3},
		{"prefix", `cpu_usage_user{key2=~"value_7777.*"}`, 11},
		{"regexp", `cpu_usage_user{key2=~".*_7777[0-9]"}`, 10},
		{"not", `cpu_usage_user{key8="value_77",key2!="value_77"}`, 24},
		{"all", `{}`, benchCount},
	} {
		ms, err := ParseSelector(c.selector)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("series=500000/select="+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if n := len(ix.Prepare(ms, false).Select()); n != c.want {
					b.Fatalf("%d series", n)
				}
			}
		})
	}
}
