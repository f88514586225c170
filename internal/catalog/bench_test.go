package catalog

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/dict"
	"github.com/sydradb/sydradb/internal/fsys"
)

// benchSeries are n series of n/4 hosts with ten tags each, like a fleet of servers
// that sends four metrics: one tag in ten is a host's own, one takes 5,000 values.
type benchSeries struct {
	names []string
	tags  [][]base.Tag
}

func makeSeries(n int) benchSeries {
	names := []string{"cpu_usage_user", "cpu_usage_system", "mem_used_percent", "disk_io_time"}
	s := benchSeries{make([]string, n), make([][]base.Tag, n)}
	for host := range n / 4 {
		tags := tagsOf(
			"arch", []string{"x64", "x86"}[host%2],
			"datacenter", fmt.Sprintf("eu-central-1%c", 'a'+host%25),
			"hostname", fmt.Sprintf("host_%d", host),
			"os", []string{"Ubuntu16.10", "Ubuntu16.04LTS", "Ubuntu15.10"}[host%3],
			"rack", fmt.Sprint(host%100),
			"region", fmt.Sprintf("region-%d", host%9),
			"service", fmt.Sprint(host%20),
			"service_environment", []string{"production", "staging", "test"}[host%3],
			"service_version", fmt.Sprint(host%5000),
			"team", []string{"SF", "NYC", "LON", "CHI"}[host%4])
		for metric, name := range names {
			s.names[4*host+metric], s.tags[4*host+metric] = name, tags
		}
	}
	return s
}

const benchCount = 500_000

func (s benchSeries) fill(b testing.TB, c *Catalog) {
	for i, name := range s.names {
		if _, err := c.Resolve(name, s.tags[i]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	s := makeSeries(benchCount)
	b.Run("series=new/tags=10", func(b *testing.B) {
		b.ReportAllocs()
		c := New(dict.New(), Options{})
		for i := 0; b.Loop(); i++ {
			if i%benchCount == 0 {
				c = New(dict.New(), Options{})
			}
			c.Resolve(s.names[i%benchCount], s.tags[i%benchCount])
		}
	})
	b.Run("series=known/tags=10", func(b *testing.B) {
		b.ReportAllocs()
		c := New(dict.New(), Options{})
		s.fill(b, c)
		for i := 0; b.Loop(); i++ {
			c.Resolve(s.names[i%benchCount], s.tags[i%benchCount])
		}
	})
	b.Run("series=known/tags=10/order=random", func(b *testing.B) {
		c := New(dict.New(), Options{})
		s.fill(b, c)
		for i := 0; b.Loop(); i++ {
			j := i * 7919 * 31 % benchCount
			c.Resolve(s.names[j], s.tags[j])
		}
	})
}

// BenchmarkMemory reports what a series takes in the catalog and its dictionary.
func BenchmarkMemory(b *testing.B) {
	s := makeSeries(benchCount)
	for b.Loop() {
		before := heapBytes()
		c := New(dict.New(), Options{})
		s.fill(b, c)
		b.ReportMetric(float64(heapBytes()-before)/benchCount, "B/series")
		runtime.KeepAlive(c)
	}
}

func heapBytes() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkAppendUnlogged(b *testing.B) {
	s := makeSeries(4000)
	c := New(dict.New(), Options{})
	s.fill(b, c)
	rows := make([]base.Row, 4000)
	for i := range rows {
		rows[i].Ordinal = base.Ordinal(i)
	}
	var regs []base.Registration
	b.Run("rows=4000/new=all", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			regs = c.AppendUnlogged(regs[:0], rows)
		}
	})
	c.SetLogged(nil, c.AppendUnlogged(nil, rows)[1:])
	b.Run("rows=4000/new=1", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			regs = c.AppendUnlogged(regs[:0], rows)
		}
	})
}

// BenchmarkKill lets every fifth series die, all of them at once.
func BenchmarkKill(b *testing.B) {
	s := makeSeries(benchCount)
	b.Run("series=500000/dead=100000", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			c := New(dict.New(), Options{})
			s.fill(b, c)
			var dead []base.Ordinal
			for o := range c.Living() {
				if o%5 == 0 {
					dead = append(dead, o)
				}
			}
			b.StartTimer()
			c.Kill(dead)
		}
	})
}

func BenchmarkRenew(b *testing.B) {
	s := makeSeries(benchCount)
	c := New(dict.New(), Options{})
	s.fill(b, c)
	b.Run("series=500000", func(b *testing.B) {
		for b.Loop() {
			if n := c.Renew(dict.New()); n.Len() != benchCount {
				b.Fatalf("%d series", n.Len())
			}
		}
	})
}

func BenchmarkFile(b *testing.B) {
	b.Run("series=500000", func(b *testing.B) { benchmarkFile(b, benchCount, 1) })
	b.Run("series=1000000", func(b *testing.B) { benchmarkFile(b, 2*benchCount, 1) })
	b.Run("series=100000/living=1of10", func(b *testing.B) { benchmarkFile(b, 2*benchCount, 10) })
}

// benchmarkFile writes every n-th of count series to a file and reads it.
func benchmarkFile(b *testing.B, count, n int) {
	s := makeSeries(count)
	c := New(dict.New(), Options{})
	s.fill(b, c)
	var all []base.Ordinal
	for o := range c.Living() {
		if int(o)%n == 0 {
			all = append(all, o)
		}
	}
	fs := fsys.NewMem()
	write := func(b *testing.B) int64 {
		f, err := CreateFile(fs, 1)
		if err != nil {
			b.Fatal(err)
		}
		size, err := f.Append(c, all)
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
		return size
	}
	b.Run("do=append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			b.ReportMetric(float64(write(b))/float64(len(all)), "B/series")
		}
	})
	size := write(b)
	b.Run("do=open", func(b *testing.B) {
		for b.Loop() {
			c := New(dict.New(), Options{})
			f, err := OpenFile(fs, 1, size, "", c)
			if err != nil || c.Len() != len(all) {
				b.Fatalf("%d series: %v", c.Len(), err)
			}
			f.Close()
		}
	})
}
