package render

import (
	"fmt"
	"math"
	"strconv"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/sydradb/sydradb/server/internal/literal"
)

// UnwritableError counts the points that a format has no way to write. The others
// were written.
type UnwritableError struct {
	Format Format
	Points int64
	Reason error // for the first of them
}

// Error names count, format and the first reason.
func (e *UnwritableError) Error() string {
	return fmt.Sprintf("%s cannot be written as %s, the first because %v", Count(e.Points, "point"), e.Format, e.Reason)
}

// Unwrap returns the reason for the first of the points.
func (e *UnwritableError) Unwrap() error { return e.Reason }

// influxLayout prints a series as a measurement of its name with one field, value,
// which ingest makes the same series of.
type influxLayout struct {
	encoder  lineprotocol.Encoder
	prefix   []byte // of each line of the series
	fault    error  // why the series cannot be written
	unwanted UnwritableError
}

func (*influxLayout) begin(dst []byte) []byte { return dst }

func (l *influxLayout) series(dst []byte, s Series) []byte {
	l.encoder.ClearErr()
	l.encoder.Reset()
	l.encoder.StartLine(s.Name())
	for _, t := range s.Tags() {
		l.encoder.AddTag(t.Key, t.Value)
	}
	l.encoder.AddField("value", lineprotocol.BoolValue(true))
	if l.fault = l.encoder.Err(); l.fault != nil {
		l.fault = fmt.Errorf("the name or a tag of %s: %w", s, l.fault)
		return dst
	}
	const placeholder = "true"
	line := l.encoder.Bytes()
	l.prefix = append(l.prefix[:0], line[:len(line)-len(placeholder)]...)
	return dst
}

func (l *influxLayout) point(dst []byte, ts int64, value float64) []byte {
	fault := l.fault
	if fault == nil && (math.IsNaN(value) || math.IsInf(value, 0)) {
		fault = fmt.Errorf("line protocol has no %s", literal.AppendValue(nil, value))
	}
	if fault != nil {
		if l.unwanted.Points == 0 {
			l.unwanted.Reason = fault
		}
		l.unwanted.Points++
		return dst
	}
	dst = literal.AppendValue(append(dst, l.prefix...), value)
	dst = strconv.AppendInt(append(dst, ' '), ts, 10)
	return append(dst, '\n')
}

func (l *influxLayout) end(dst []byte) ([]byte, error) {
	if l.unwanted.Points == 0 {
		return dst, nil
	}
	l.unwanted.Format = Influx
	return dst, &l.unwanted
}
