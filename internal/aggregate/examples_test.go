package aggregate

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/golden"
)

// The examples of docs/aggregation.md: what is asked of which points, and the rows. Times
// are in seconds.
func TestExamples(t *testing.T) {
	const s = int64(1e9)
	temperature := []point{{0, 21}, {20, 21.5}, {40, nan}, {60, 22.5}, {70, 23.5}, {180, 20}, {240, 19}}
	requests := []point{{0, 100}, {30, 130}, {60, 160}, {90, 20}, {120, 50}, {150, stale}, {240, 70}}
	others := []point{{0, 7}, {60, 13}, {120, 13}}
	var out bytes.Buffer
	for i, e := range []struct {
		title     string
		w         Windows
		functions []Function
		series    [][]point
	}{
		{"a minute each, the last one cut short", Windows{End: 190 * s, Step: 60 * s}, []Function{Count, Avg, Min, Last}, [][]point{temperature}},
		{"the last two minutes, every minute", Windows{Start: 60 * s, End: 240 * s, Step: 60 * s, Range: 120 * s}, []Function{Count, Max, Stddev}, [][]point{temperature}},
		{"one window of all", Windows{End: 240 * s}, []Function{Count, Increase, Rate}, [][]point{requests}},
		{"a counter by the minute, alone", Windows{End: 240 * s, Step: 60 * s}, []Function{Increase, Rate}, [][]point{requests}},
		{"and beside another function", Windows{End: 240 * s, Step: 60 * s}, []Function{Increase, Count}, [][]point{requests}},
		{"two series as one", Windows{End: 240 * s, Step: 120 * s}, []Function{Count, Sum, First, Increase, Rate}, [][]point{requests, others}},
	} {
		if i > 0 {
			out.WriteByte('\n')
		}
		fmt.Fprintf(&out, "# %s\n", e.title)
		var g Group
		g.Reset(&e.w, e.functions)
		for k, points := range e.series {
			fmt.Fprintf(&out, "points %d:", k+1)
			var one Series
			one.Reset(&e.w, e.functions)
			for _, p := range points {
				value := strconv.FormatFloat(p.v, 'g', -1, 64)
				if same([]float64{p.v}, []float64{stale}) {
					value = "stale"
				}
				fmt.Fprintf(&out, " %d=%s", p.ts, value)
				one.AddColumns([]int64{p.ts * s}, []float64{p.v})
			}
			out.WriteByte('\n')
			g.Add(&one)
		}
		fmt.Fprintf(&out, "start %d, end %d, step %d, range %d\n", e.w.Start/s, e.w.End/s, e.w.Step/s, e.w.Range/s)
		table := [][]string{{"time"}}
		for _, ts := range g.AppendTimes(nil) {
			table = append(table, []string{strconv.FormatInt(ts/s, 10)})
		}
		for _, f := range e.functions {
			table[0] = append(table[0], f.String())
			for i, v := range g.AppendValues(nil, f) {
				table[i+1] = append(table[i+1], strconv.FormatFloat(v, 'g', 6, 64))
			}
		}
		for _, row := range table {
			line := fmt.Sprintf("%6s", row[0])
			for _, cell := range row[1:] {
				line += fmt.Sprintf("%10s", cell)
			}
			out.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	golden.Check(t, "testdata/examples.golden", out.Bytes())
}
