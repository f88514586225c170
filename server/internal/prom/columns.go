package prom

import "github.com/sydradb/sydradb"

const (
	// Columns of times that are remembered for each selection.
	columnRows = 64
	// maxColumnPoints bounds the points of all of them together.
	maxColumnPoints = 1 << 17
)

// columns turns the times of runs into milliseconds, once for all series that share a
// column of them.
type columns struct {
	rows   [columnRows]column
	points int
}

// column is a column of times that was seen before. Its slice never changes: iterators
// that read other series meanwhile may hold it.
type column struct {
	number, first int64
	ms            []int64 // nil for none
	repeats       bool    // a millisecond comes more than once
}

// milliseconds returns the times of run, and whether a millisecond comes more than once
// among them. room is where times go that no other series share; it is returned, grown if
// it had to be.
func (c *columns) milliseconds(run sydradb.Run, room []int64) (ms []int64, repeats bool, _ []int64) {
	if run.Column == 0 {
		room, repeats = appendMS(room[:0], run.Times)
		return room, repeats, room
	}
	row := &c.rows[uint64(run.Column)*0x9e3779b97f4a7c15>>58%columnRows]
	if row.number != run.Column || len(row.ms) != len(run.Times) || row.first != run.Times[0] {
		if c.points += len(run.Times) - len(row.ms); c.points > maxColumnPoints {
			c.rows, c.points = [columnRows]column{}, len(run.Times)
		}
		ms, repeats = appendMS(make([]int64, 0, len(run.Times)), run.Times)
		*row = column{run.Column, run.Times[0], ms, repeats}
	}
	return row.ms, row.repeats, room
}

// appendMS appends times, ascending nanoseconds, as milliseconds.
func appendMS(dst, times []int64) (_ []int64, repeats bool) {
	i := 0
	for ; i < len(times) && times[i] < 0; i++ {
		dst = append(dst, floorMS(times[i]))
	}
	for ; i < len(times); i++ {
		dst = append(dst, int64(uint64(times[i])/nsPerMS)) // cheaper without a sign
	}
	last := dst[len(dst)-len(times)]
	for _, t := range dst[len(dst)-len(times)+1:] {
		repeats = repeats || t == last
		last = t
	}
	return dst, repeats
}

// thin keeps of points with equal times the last one, in place.
func thin(ms []int64, values []float64) ([]int64, []float64) {
	n := 0
	for i := range ms {
		if i > 0 && ms[i] != ms[i-1] {
			n++
		}
		ms[n], values[n] = ms[i], values[i]
	}
	return ms[:n+1], values[:n+1]
}
