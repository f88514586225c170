package render

import (
	"fmt"

	"github.com/sydradb/sydradb/server/internal/literal"
)

// tableLayout is for people: one section per series, times as dates.
type tableLayout struct {
	seriesCount, points int
	timeWidth           int
}

func (*tableLayout) begin(dst []byte) []byte { return dst }

func (l *tableLayout) series(dst []byte, s Series) []byte {
	if l.seriesCount > 0 {
		dst = append(dst, '\n')
	}
	l.seriesCount++
	l.timeWidth = len("2006-01-02T15:04:05Z")
	return append(append(dst, s.String()...), '\n')
}

// block makes room for the longest time of a block, so that its values are one column.
func (l *tableLayout) block(times []int64) {
	const point = 1 // before a fraction
	decimals := 0
	for _, ts := range times {
		for ts%unitOf[decimals] != 0 {
			decimals++
		}
	}
	if decimals > 0 {
		l.timeWidth = max(l.timeWidth, len("2006-01-02T15:04:05Z")+point+decimals)
	}
}

// unitOf is what the times with so many decimals are multiples of, in nanoseconds.
var unitOf = [10]int64{1e9, 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 1}

func (l *tableLayout) point(dst []byte, ts int64, value float64) []byte {
	l.points++
	dst = append(dst, ' ', ' ')
	start := len(dst)
	dst = literal.AppendClock(dst, ts)
	for len(dst)-start < l.timeWidth+2 {
		dst = append(dst, ' ')
	}
	return append(literal.AppendValue(dst, value), '\n')
}

func (l *tableLayout) end(dst []byte) ([]byte, error) {
	if l.seriesCount > 0 {
		dst = append(dst, '\n')
	}
	return fmt.Appendf(dst, "%s of %d series\n", Count(l.points, "point"), l.seriesCount), nil
}

// Count returns a number and what is counted: "1 point", "3 points".
func Count[N int | int64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
