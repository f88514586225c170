package prom

import (
	"slices"
	"testing"

	"github.com/sydradb/sydradb"
)

// TestColumns asks for columns again and again, more than are remembered, and keeps what it
// was given, as iterators do.
func TestColumns(t *testing.T) {
	var c columns
	type given struct{ got, want []int64 }
	var all []given
	for round := range int64(3) {
		for number := int64(1); number <= 2*columnRows; number++ {
			// The number of a column may come back for another one, of which any part may be asked for.
			first := number*1000*nsPerMS + round/2*nsPerMS
			for _, n := range []int{1, 700, 2000} {
				run := sydradb.Run{Column: number}
				want := make([]int64, n)
				for i := range want {
					want[i] = first/nsPerMS + int64(i)
					run.Times = append(run.Times, first+int64(i)*nsPerMS)
				}
				ms, repeats, _ := c.milliseconds(run, nil)
				if repeats || !slices.Equal(ms, want) {
					t.Fatalf("column %d of %d: got %d times from %d", number, n, len(ms), ms[0])
				}
				again, _, _ := c.milliseconds(run, nil)
				if &again[0] != &ms[0] {
					t.Fatalf("column %d of %d was converted twice in a row", number, n)
				}
				all = append(all, given{ms, want})
			}
		}
	}
	for i := range all {
		if !slices.Equal(all[i].got, all[i].want) {
			t.Fatalf("column %d changed after it was handed out", i)
		}
	}
	points := 0
	for _, row := range c.rows {
		points += len(row.ms)
	}
	if points != c.points || points > maxColumnPoints {
		t.Errorf("%d points are remembered, %d counted", points, c.points)
	}
}
