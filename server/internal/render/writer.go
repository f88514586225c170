package render

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
)

// Format is a way to print points.
type Format string

// The formats.
const (
	Rows   Format = "rows" // ts,value without a header: query SERIES_ID START END
	Table  Format = "table"
	CSV    Format = "csv"
	NDJSON Format = "ndjson"
	JSON   Format = "json"
	Influx Format = "influx"
)

// Series is what points are printed under: a *sydradb.Series, what a server said of one,
// or what an aggregation has made of some, see [Windows]. Two are the same if they are
// equal, so they are pointers.
type Series interface {
	Name() string
	Tags() []sydradb.Tag
	String() string
}

// Stored is a series of a database, which has an id.
type Stored interface {
	Series
	ID() sydradb.SeriesID
}

// idOf returns the id of s if it is a series of a database.
func idOf(s Series) (id sydradb.SeriesID, ok bool) {
	if stored, ok := s.(Stored); ok {
		return stored.ID(), true
	}
	return 0, false
}

// Block is a run of points of one series, in order of time.
type Block struct {
	Series Series
	Times  []int64 // Unix nanoseconds
	Values []float64
}

// Writer prints blocks of points.
type Writer interface {
	// Write prints the points of b. Blocks of one series follow one another. The
	// slices of b are not kept.
	Write(b Block) error
	// Close prints what belongs after the last block. It does not close the file.
	Close() error
}

// New returns a Writer that prints to w.
func New(format Format, w io.Writer) (Writer, error) {
	p := &pointWriter{out: output{w: w}}
	switch format {
	case Rows:
		p.layout = rows{}
	case CSV:
		p.layout = &csvLayout{}
	case NDJSON:
		p.layout = &ndjsonLayout{}
	case JSON:
		p.layout = &jsonLayout{}
	case Table:
		p.layout = &tableLayout{}
	case Influx:
		p.layout = &influxLayout{}
	default:
		return nil, fmt.Errorf("unknown format %q", format)
	}
	return p, nil
}

// layout is what one format makes of a result. Each method appends text.
type layout interface {
	begin(dst []byte) []byte
	// series comes before the first point of a series.
	series(dst []byte, s Series) []byte
	point(dst []byte, ts int64, value float64) []byte
	// end comes last. The error says what could not be written.
	end(dst []byte) ([]byte, error)
}

// blockLayout is a layout that wants to see the times of a block before its points.
type blockLayout interface{ block(times []int64) }

// pointWriter drives a layout.
type pointWriter struct {
	out     output
	layout  layout
	begun   bool
	current Series
}

// output collects text and writes it in large pieces.
type output struct {
	w   io.Writer
	buf []byte
}

const outputBytes = 64 << 10

func (o *output) flush(least int) error {
	if len(o.buf) < least {
		return nil
	}
	_, err := o.w.Write(o.buf)
	o.buf = o.buf[:0]
	return err
}

func (p *pointWriter) begin() {
	if !p.begun {
		p.begun = true
		p.out.buf = p.layout.begin(p.out.buf)
	}
}

func (p *pointWriter) Write(b Block) error {
	p.begin()
	if p.current != b.Series {
		p.current = b.Series
		p.out.buf = p.layout.series(p.out.buf, b.Series)
	}
	if l, ok := p.layout.(blockLayout); ok {
		l.block(b.Times)
	}
	for i, ts := range b.Times {
		p.out.buf = p.layout.point(p.out.buf, ts, b.Values[i])
		if err := p.out.flush(outputBytes); err != nil {
			return err
		}
	}
	return nil
}

func (p *pointWriter) Close() error {
	p.begin()
	var refused error
	p.out.buf, refused = p.layout.end(p.out.buf)
	if err := p.out.flush(1); err != nil {
		return err
	}
	return refused
}

// Nameless reports whether only the id of s is known.
func Nameless(s Series) bool {
	digits, named := strings.CutPrefix(s.Name(), "series:")
	known, stored := idOf(s)
	if !named || !stored {
		return false
	}
	id, err := strconv.ParseUint(digits, 16, 64)
	return err == nil && sydradb.SeriesID(id) == known
}

// AppendSeries appends the series as find prints it, without a line end:
// {"series_id":7,"series":"room.temp","tags":{"room":"hall"}}.
func AppendSeries(dst []byte, s Series) []byte {
	dst = appendSeriesMembers(append(dst, '{'), s)
	return append(dst, '}')
}

func appendSeriesMembers(dst []byte, s Series) []byte {
	if id, ok := idOf(s); ok {
		dst = strconv.AppendUint(append(dst, `"series_id":`...), uint64(id), 10)
		dst = append(dst, ',')
	}
	dst = literal.AppendJSONString(append(dst, `"series":`...), s.Name())
	return literal.AppendJSONTags(append(dst, `,"tags":`...), s.Tags())
}

// rows is the oldest format: nothing but time and value.
type rows struct{}

func (rows) begin(dst []byte) []byte            { return dst }
func (rows) series(dst []byte, _ Series) []byte { return dst }
func (rows) end(dst []byte) ([]byte, error)     { return dst, nil }
func (rows) point(dst []byte, ts int64, value float64) []byte {
	dst = append(literal.AppendTime(dst, ts), ',')
	return append(literal.AppendValue(dst, value), '\n')
}

// csvLayout repeats the series in each row; the tags are one JSON object, so that the
// header does not depend on the data.
type csvLayout struct{ prefix []byte }

func (*csvLayout) begin(dst []byte) []byte        { return append(dst, "series,tags,ts,value\n"...) }
func (*csvLayout) end(dst []byte) ([]byte, error) { return dst, nil }

func (l *csvLayout) series(dst []byte, s Series) []byte {
	l.prefix = append(appendCell(l.prefix[:0], s.Name()), ',')
	if len(s.Tags()) > 0 {
		l.prefix = appendCell(l.prefix, string(literal.AppendJSONTags(nil, s.Tags())))
	}
	l.prefix = append(l.prefix, ',')
	return dst
}

func (l *csvLayout) point(dst []byte, ts int64, value float64) []byte {
	return rows{}.point(append(dst, l.prefix...), ts, value)
}

// appendCell appends a cell of CSV, in quotes if it needs them.
func appendCell(dst []byte, s string) []byte {
	if s != "" && !strings.ContainsAny(s, ",\"\r\n") && s[0] != ' ' {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	dst = append(dst, strings.ReplaceAll(s, `"`, `""`)...)
	return append(dst, '"')
}

// Line is what the NDJSON lines of one series have in common. Make one with LineOf.
type Line struct{ prefix, suffix []byte }

// LineOf returns the line of s, which ingest gives to the same series again.
func LineOf(s Series) *Line {
	l := &Line{}
	l.set(s)
	return l
}

func (l *Line) set(s Series) {
	if Nameless(s) {
		id, _ := idOf(s)
		l.prefix = strconv.AppendUint(append(l.prefix[:0], `{"series_id":`...), uint64(id), 10)
	} else {
		l.prefix = literal.AppendJSONString(append(l.prefix[:0], `{"series":`...), s.Name())
	}
	l.prefix = append(l.prefix, `,"ts":`...)
	l.suffix = l.suffix[:0]
	if len(s.Tags()) > 0 {
		l.suffix = literal.AppendJSONTags(append(l.suffix, `,"tags":`...), s.Tags())
	}
	l.suffix = append(l.suffix, "}\n"...)
}

// Append appends the line of a point, with its end.
func (l *Line) Append(dst []byte, ts int64, value float64) []byte {
	dst = literal.AppendTime(append(dst, l.prefix...), ts)
	dst = literal.AppendJSONValue(append(dst, `,"value":`...), value)
	return append(dst, l.suffix...)
}

// ndjsonLayout prints lines that ingest reads.
type ndjsonLayout struct{ line Line }

func (*ndjsonLayout) begin(dst []byte) []byte        { return dst }
func (*ndjsonLayout) end(dst []byte) ([]byte, error) { return dst, nil }

func (l *ndjsonLayout) series(dst []byte, s Series) []byte {
	l.line.set(s)
	return dst
}

func (l *ndjsonLayout) point(dst []byte, ts int64, value float64) []byte {
	return l.line.Append(dst, ts, value)
}

// jsonLayout prints one array of series, each with an array of [ts, value].
type jsonLayout struct{ seriesCount, points int }

func (*jsonLayout) begin(dst []byte) []byte { return append(dst, '[') }

func (l *jsonLayout) series(dst []byte, s Series) []byte {
	if l.seriesCount > 0 {
		dst = append(dst, "]},"...)
	}
	l.seriesCount++
	l.points = 0
	dst = appendSeriesMembers(append(dst, "\n{"...), s)
	return append(dst, `,"points":[`...)
}

func (l *jsonLayout) point(dst []byte, ts int64, value float64) []byte {
	if l.points > 0 {
		dst = append(dst, ',')
	}
	l.points++
	dst = literal.AppendTime(append(dst, '['), ts)
	dst = literal.AppendJSONValue(append(dst, ','), value)
	return append(dst, ']')
}

func (l *jsonLayout) end(dst []byte) ([]byte, error) {
	if l.seriesCount > 0 {
		dst = append(dst, "]}\n"...)
	}
	return append(dst, "]\n"...), nil
}
