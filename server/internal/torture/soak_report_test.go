//go:build linux

package torture

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// measures are what is sampled of the server, in the order of the columns of the report.
var measures = []string{"rss_bytes", "heap_bytes", "goroutines", "open_files", "disk_bytes", "series", "segment_files", "cpu_seconds"}

// sample is one look at the server.
type measured struct {
	at     time.Duration // since the beginning
	values map[string]float64
}

// measure looks at a server.
func measure(p *program, dir string, at time.Duration) (measured, error) {
	m := measured{at, map[string]float64{}}
	status, page, err := p.get("/metrics")
	if err != nil || status != 200 {
		return m, fmt.Errorf("/metrics: status %d: %v", status, err)
	}
	for name, metric := range map[string]string{
		"rss_bytes": "process_resident_memory_bytes", "heap_bytes": "go_memstats_heap_alloc_bytes",
		"goroutines": "go_goroutines", "series": "sydradb_series", "segment_files": "sydradb_segment_files",
		"cpu_seconds": "process_cpu_seconds_total",
	} {
		if m.values[name], err = metricOf(page, metric); err != nil {
			return m, err
		}
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		return m, err
	}
	m.values["open_files"] = float64(len(files))
	m.values["disk_bytes"] = float64(diskUse(dir))
	return m, nil
}

// metricOf finds a metric without labels on a page of them.
func metricOf(page []byte, name string) (float64, error) {
	for line := range bytes.Lines(page) {
		if value, ok := strings.CutPrefix(string(line), name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("/metrics has no %s", name)
}

// diskUse is the size of all files below a directory, some of which may go meanwhile.
func diskUse(dir string) (size int64) {
	filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil
		}
		if info, err := e.Info(); err == nil {
			size += info.Size()
		}
		return nil
	})
	return size
}

// peakRSS is the most memory that a process ever took, in bytes.
func peakRSS(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no VmHWM", pid)
}

// trend is how a measure went.
type trend struct {
	min, median, max, last float64
	// slope is the growth in an hour, by least squares over the least value of each minute
	// of the second half: what is in flight at a moment is added to what leaks, and says
	// nothing of it. doubt is twice its standard error. Both are NaN for short runs.
	slope, doubt float64
}

// trendOf summarizes one measure of samples.
func trendOf(samples []measured, name string) trend {
	var values []float64
	for _, s := range samples {
		values = append(values, s.values[name])
	}
	if len(values) == 0 {
		return trend{slope: math.NaN(), doubt: math.NaN()}
	}
	out := trend{last: values[len(values)-1]}
	half := samples[len(samples)/2:]
	var x, y []float64 // hours, the least of a minute
	for _, minute := range minutes(half) {
		least := math.Inf(1)
		for _, s := range minute {
			least = min(least, s.values[name])
		}
		x, y = append(x, minute[0].at.Hours()), append(y, least)
	}
	out.slope, out.doubt = fit(x, y)
	slices.Sort(values)
	out.min, out.median, out.max = values[0], values[len(values)/2], values[len(values)-1]
	return out
}

// minutes cuts samples into those of a minute each, and leaves out the last, which may be
// cut short.
func minutes(samples []measured) (out [][]measured) {
	for i, s := range samples {
		if i == 0 || s.at/time.Minute != samples[i-1].at/time.Minute {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], s)
	}
	return out[:max(0, len(out)-1)]
}

// fit returns the slope of the line that is closest to the points, and twice its standard error.
func fit(x, y []float64) (slope, doubt float64) {
	n := float64(len(x))
	if n < 3 {
		return math.NaN(), math.NaN()
	}
	var mx, my float64
	for i := range x {
		mx += x[i] / n
		my += y[i] / n
	}
	var sxx, sxy float64
	for i := range x {
		sxx += (x[i] - mx) * (x[i] - mx)
		sxy += (x[i] - mx) * (y[i] - my)
	}
	slope = sxy / sxx
	var rest float64
	for i := range x {
		d := y[i] - my - slope*(x[i]-mx)
		rest += d * d
	}
	return slope, 2 * math.Sqrt(rest/(n-2)/sxx)
}

func TestFit(t *testing.T) {
	if slope, doubt := fit([]float64{0, 1, 2, 3}, []float64{5, 7, 9, 11}); math.Abs(slope-2) > 1e-9 || doubt > 1e-9 {
		t.Errorf("of a line: %v, %v", slope, doubt)
	}
	// By hand: mean 2, sxx 5, sxy 2, residuals -0.4, 0.2, 0.8, -0.6.
	if slope, doubt := fit([]float64{0, 1, 2, 3}, []float64{1, 2, 3, 2}); math.Abs(slope-0.4) > 1e-9 || math.Abs(doubt-2*math.Sqrt(1.2/2/5)) > 1e-9 {
		t.Errorf("of points around a line: %v, %v", slope, doubt)
	}
	if slope, _ := fit([]float64{0, 1}, []float64{0, 1}); !math.IsNaN(slope) {
		t.Errorf("of two points: %v", slope)
	}
}

// Only what grows throughout counts as growth: not what goes up and down.
func TestTrend(t *testing.T) {
	var rising, waving []measured
	for i := range 240 { // an hour
		at := time.Duration(i) * 15 * time.Second
		rising = append(rising, measured{at, map[string]float64{"x": 1000 + float64(i)/4}})
		waving = append(waving, measured{at, map[string]float64{"x": 1000 + 50*float64(i/7%2)}})
	}
	if r := trendOf(rising, "x"); !r.grows(50) || r.grows(70) || r.min != 1000 || r.last != 1059.75 || r.median != 1030 {
		t.Errorf("rising by 60 in an hour: %+v", r)
	}
	if r := trendOf(waving, "x"); r.grows(10) || r.max != 1050 {
		t.Errorf("going up and down: %+v", r)
	}
}

// grows reports whether a measure grew by more than limit in an hour, beyond doubt.
func (r trend) grows(limit float64) bool { return r.slope-r.doubt > limit }

// writeTrends appends a table of all measures.
func writeTrends(b *strings.Builder, samples []measured) {
	fmt.Fprintf(b, "%-14s %14s %14s %14s %14s %16s %14s\n", "", "min", "median", "max", "last", "slope per hour", "+- (2 sigma)")
	for _, name := range measures {
		r := trendOf(samples, name)
		fmt.Fprintf(b, "%-14s %14.0f %14.0f %14.0f %14.0f %16.0f %14.0f\n", name, r.min, r.median, r.max, r.last, r.slope, r.doubt)
	}
}

// writeSamples writes all samples as CSV.
func writeSamples(path string, samples []measured) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	w.Write(append([]string{"seconds"}, measures...))
	for _, s := range samples {
		row := []string{strconv.FormatFloat(s.at.Seconds(), 'f', 1, 64)}
		for _, name := range measures {
			row = append(row, strconv.FormatFloat(s.values[name], 'f', -1, 64))
		}
		w.Write(row)
	}
	w.Flush()
	if err := w.Error(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
