package retention

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sydradb/sydradb/internal/base"
)

// hourly returns files of one class, one for each of n hours, of so many bytes each.
func hourly(class string, first int64, n int, size int64) []File {
	var files []File
	for i := range int64(n) {
		start := first + i*base.Hour
		files = append(files, File{
			Path: fmt.Sprintf("%s-%d", class, i), StartTS: start, Bytes: size,
			Classes: []ClassEnd{{class, start + base.Hour - 1}},
		})
	}
	return files
}

func TestLimit(t *testing.T) {
	type times = map[string]int64
	const h = base.Hour
	pack := func(start, end int64, size int64, classes ...ClassEnd) File {
		return File{Path: "pack", StartTS: start, Bytes: size, Classes: append(classes, ClassEnd{"kept", end})}
	}
	tests := []struct {
		name              string
		targets, horizons times
		files             []File
		want              times
		hours             int
		rest              bool
		bytes             int64 // 0: not looked at
	}{
		{name: "nothing"},
		{name: "no targets", files: hourly("a", 0, 50, 100)},
		{name: "nothing to hide, nothing known", targets: times{"": 1000 * h}},
		{name: "nothing to hide, horizons known", targets: times{"": 1000 * h, "a": 1000 * h}, horizons: times{"": 50 * h}, want: times{"a": 50 * h}},
		{
			name: "two hours", targets: times{"": 2 * h}, files: hourly("a", 0, 50, 100),
			want: times{"": 2 * h}, hours: 2,
		},
		{
			name: "from the horizon on", targets: times{"": 12 * h}, horizons: times{"": 10 * h}, files: hourly("a", 0, 50, 100),
			want: times{"": 12 * h}, hours: 2,
		},
		{
			name: "the middle of an hour", targets: times{"": 2*h + 1}, files: hourly("a", 0, 50, 100),
			want: times{"": 2*h + 1}, hours: 3,
		},
		{
			name: "a day of hours", targets: times{"": 24 * h}, files: hourly("a", 0, 25, 100),
			want: times{"": 24 * h}, hours: 24,
		},
		{
			name: "more than a day and a tenth", targets: times{"": 30 * h}, files: hourly("a", 0, 200, 100),
			want: times{"": 24 * h}, hours: 24, rest: true,
		},
		{
			name: "a tenth is more than a day", targets: times{"": 200 * h}, files: hourly("a", 0, 1000, 100_000),
			want: times{"": 100 * h}, hours: 100, rest: true,
		},
		{
			name: "hours without points do not count", targets: times{"": 1000 * h},
			files: append(hourly("a", 0, 20, 100), hourly("a", 995*h, 10, 100)...),
			want:  times{"": 999 * h}, hours: 24, rest: true,
		},
		{
			name: "all there is, by a clock ten years ahead", targets: times{"": 90_000 * h}, files: hourly("a", 0, 20, 100),
			want: times{"": 20 * h}, hours: 20,
		},
		{
			name: "oldest first, whatever the class", targets: times{"a": 60 * h, "b": 50 * h},
			files: append(hourly("a", 30*h, 60, 100), hourly("b", 0, 60, 100)...),
			want:  times{"a": 24 * h, "b": 24 * h}, hours: 24, rest: true,
		},
		{
			name: "a class that is there already", targets: times{"a": 60 * h, "b": 50 * h}, horizons: times{"b": 50 * h, "a": 28 * h},
			files: append(hourly("a", 30*h, 60, 100), hourly("b", 0, 60, 100)...),
			want:  times{"a": 54 * h}, hours: 24, rest: true,
		},
		{
			name: "not below what a class had before its own", targets: times{"": 60 * h, "a": 60 * h}, horizons: times{"": 10 * h},
			files: hourly("other", 5*h, 100, 100),
			want:  times{"": 34 * h, "a": 34 * h}, hours: 24, rest: true,
		},
		{
			name: "a class that is kept beside one that is not", targets: times{"": 5 * h, "kept": base.MinTime},
			files: hourly("kept", 0, 50, 100), want: times{"": 5 * h, "kept": base.MinTime},
		},
		{
			name: "a class under the horizon of all, without targets for it", targets: times{"": 5 * h}, horizons: times{"own": 0},
			files: hourly("own", 0, 50, 100), want: times{"": 5 * h},
		},
		{
			name: "several classes of a pack, hours once", targets: times{"a": 10 * h, "b": 8*h + 1},
			files: []File{pack(h/2, 24*h-1, 100, ClassEnd{"a", 4*h - 1}, ClassEnd{"b", 9 * h}, ClassEnd{"c", 20 * h})},
			want:  times{"a": 10 * h, "b": 8*h + 1}, hours: 9, bytes: 9 * 5,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			given := fmt.Sprint(tt.targets, tt.horizons, tt.files)
			got := Limit(tt.targets, tt.horizons, tt.files)
			if !maps.Equal(got.Horizon, tt.want) || got.Hours != tt.hours || got.Rest != tt.rest || tt.bytes != 0 && got.Bytes != tt.bytes {
				t.Errorf("got %+v\nwant %v, %d hours, rest %v", got, tt.want, tt.hours, tt.rest)
			}
			if fmt.Sprint(tt.targets, tt.horizons, tt.files) != given {
				t.Error("the arguments changed")
			}
		})
	}
}

// hidden returns the hours in which moving the horizons hides points, and the bytes of
// them if every hour of a file takes its part.
func hidden(files []File, horizons, moved map[string]int64) (hours int, bytes, all int64) {
	seen := map[int64]bool{}
	for _, f := range files {
		all += f.Bytes
		end := slices.MaxFunc(f.Classes, func(a, b ClassEnd) int { return int(a.End - b.End) }).End
		first := base.BucketStart(f.StartTS)
		n := (base.BucketStart(end)-first)/base.Hour + 1
		for i := range n {
			touched := false
			for _, c := range f.Classes {
				from := max(f.StartTS, first+i*base.Hour, of(horizons, c.Class))
				touched = touched || from <= min(c.End, first+(i+1)*base.Hour-1, of(moved, c.Class)-1)
			}
			if touched {
				seen[first+i*base.Hour] = true
				bytes += f.Bytes / n
			}
		}
	}
	return len(seen), bytes, all
}

// R1, R3, R4, and that sweeps come to an end.
func TestLimitAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules, horizons := drawRules(t), drawHorizons(t)
		var files []File
		newest := int64(none)
		for range rapid.IntRange(1, 60).Draw(t, "files") {
			bucket := base.DayStart(ago(time.Duration(rapid.Int64Range(0, 60).Draw(t, "days")) * day))
			f := File{StartTS: base.MaxTime, Bytes: rapid.Int64Range(1, 10_000).Draw(t, "bytes")}
			for _, class := range rapid.SliceOfNDistinct(rapid.SampledFrom(someClasses), 1, 3, rapid.ID).Draw(t, "classes") {
				end := bucket + rapid.Int64Range(0, base.Day-1).Draw(t, "end")
				f.Classes = append(f.Classes, ClassEnd{class, end})
				f.StartTS = min(f.StartTS, end)
				newest = max(newest, end)
			}
			f.StartTS -= rapid.Int64Range(0, f.StartTS-bucket).Draw(t, "length")
			files = append(files, f)
		}
		for sweeps := 0; ; sweeps++ {
			step := Limit(Targets(rules, nowMS, horizons), horizons, files)
			if step.Horizon == nil {
				break
			}
			if sweeps > 100 {
				t.Fatal("sweeps do not end")
			}
			moved := maps.Clone(horizons)
			maps.Copy(moved, step.Horizon)
			for _, class := range append(someClasses, "any") {
				before, after := of(horizons, class), of(moved, class)
				if after < before || after > before && after > newest+1 {
					t.Fatalf("horizon of %q goes from %d to %d; newest point %d", class, before, after, newest)
				}
			}
			hours, bytes, all := hidden(files, horizons, moved)
			if hours > 24 && bytes > all/10 {
				t.Fatalf("hides %d hours and %d of %d bytes", hours, bytes, all)
			}
			if hours > step.Hours || bytes > step.Bytes {
				t.Fatalf("hides %d hours, %d bytes; said to be %d, %d", hours, bytes, step.Hours, step.Bytes)
			}
			horizons = moved
		}
		if hours, _, _ := hidden(files, horizons, withTargets(rules, horizons)); hours > 0 {
			t.Fatalf("came to rest with %d hours to hide", hours)
		}
	})
}

func withTargets(rules Rules, horizons map[string]int64) map[string]int64 {
	moved := maps.Clone(horizons)
	maps.Copy(moved, Targets(rules, nowMS, horizons))
	return moved
}

func BenchmarkLimit(b *testing.B) {
	const days = 1000
	for _, size := range []string{"seg", "pack"} {
		b.Run("file="+size, func(b *testing.B) {
			files := hourly("a", 0, days*24, 1000)
			if size == "pack" {
				files = nil
				for i := range int64(days) {
					files = append(files, File{
						StartTS: i * base.Day, Bytes: 24_000,
						Classes: []ClassEnd{{"a", (i+1)*base.Day - 1}, {"b", (i+1)*base.Day - 1}, {"c", i * base.Day}},
					})
				}
			}
			targets := map[string]int64{"": days / 2 * base.Day}
			b.ReportAllocs()
			for b.Loop() {
				Limit(targets, nil, files)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(files)), "ns/file")
		})
	}
}
