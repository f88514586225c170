package render

import (
	"fmt"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
)

// tableLayout is for people: one section per series, times as dates.
type tableLayout struct {
	seriesCount, points int
	timeWidth           int
}

func (*tableLayout) begin(dst []byte) []byte { return dst }

func (l *tableLayout) series(dst []byte, s *sydradb.Series) []byte {
	if l.seriesCount > 0 {
		dst = append(dst, '\n')
	}
	l.seriesCount++
	l.timeWidth = len("2006-01-02T15:04:05Z")
	return append(append(dst, s.String()...), '\n')
}

func (l *tableLayout) point(dst []byte, ts int64, value float64) []byte {
	l.points++
	dst = append(dst, ' ', ' ')
	start := len(dst)
	dst = literal.AppendClock(dst, ts)
	l.timeWidth = max(l.timeWidth, len(dst)-start)
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
