package ingest

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fastjson"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
)

// Columns says what the columns of a CSV file with a header are, by name. The zero
// value fits what this program writes: series,tags,ts,value.
type Columns struct {
	// Comma separates the columns. Default ','.
	Comma rune
	// Time is the column of the time. Default: the first of ts, time, timestamp.
	Time string
	// Series is the column of the series' name. Default series, if there is one.
	Series string
	// Name is the series' name, or the first part of it, in files that have no column
	// for it.
	Name string
	// Values are the columns of values. Default value, if there is one, else all
	// columns with no other use. A column with another name than value is a series of
	// its own, called <series>_<column>, or <column> if there is no name.
	Values []string
	// Tags are the columns of tags. Default: if there is a column value, all columns
	// with no other use. A column called tags, unless it is listed here, holds all tags
	// as a JSON object.
	Tags []string
}

// HeaderError says why the header of a CSV file cannot be used.
type HeaderError struct {
	Fault HeaderFault
	Err   error
}

// Error returns the reason.
func (e *HeaderError) Error() string { return "header: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *HeaderError) Unwrap() error { return e.Err }

// HeaderFault says who can do something about a HeaderError.
type HeaderFault int

// The faults.
const (
	HeaderMalformed HeaderFault = iota // not CSV, or two columns of one name
	HeaderUnclear                      // Columns has to say more about it
	HeaderUnfit                        // it lacks a column that Columns names
)

func headerError(fault HeaderFault, format string, args ...any) error {
	return &HeaderError{fault, fmt.Errorf(format, args...)}
}

// csvParser reads CSV with a header.
type csvParser struct {
	cache   *Cache
	unit    literal.Unit
	columns Columns

	feed   recordFeed
	reader *csv.Reader

	header []string // nil before the first record
	fatal  error

	time, series, id, tagObject int // columns, -1 where absent
	values, tags                []int

	json fastjson.Parser
	key  []byte
}

func newCSVParser(cache *Cache, unit literal.Unit, columns Columns) *csvParser {
	p := &csvParser{cache: cache, unit: unit, columns: columns}
	p.reset()
	return p
}

// reset makes a new reader: the old one may hold the rest of a bad record.
func (p *csvParser) reset() {
	p.feed.rest = nil
	p.reader = csv.NewReader(&p.feed)
	p.reader.FieldsPerRecord = -1
	p.reader.ReuseRecord = true
	if p.columns.Comma != 0 {
		p.reader.Comma = p.columns.Comma
	}
}

// recordFeed gives a csv.Reader one record at a time.
type recordFeed struct{ rest []byte }

func (f *recordFeed) Read(b []byte) (int, error) {
	if len(f.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

func (p *csvParser) Err() error { return p.fatal }

func (p *csvParser) Parse(record []byte, out Points) Outcome {
	row, err := p.read(record)
	if p.header == nil {
		if err == nil {
			p.header = slices.Clone(row)
			err = p.readHeader()
		} else {
			err = &HeaderError{HeaderMalformed, err}
		}
		p.fatal = err
		return Outcome{}
	}
	if err != nil {
		return refused(err)
	}
	if len(row) != len(p.header) {
		return refused(fmt.Errorf("%d columns, but the header has %d", len(row), len(p.header)))
	}
	return p.addRow(row, out)
}

// read splits a record into cells, which are valid until the next call.
func (p *csvParser) read(record []byte) ([]string, error) {
	if !utf8.Valid(record) {
		return nil, errNotUTF8
	}
	p.feed.rest = record
	row, err := p.reader.Read()
	if err == nil {
		return row, nil
	}
	p.reset()
	var syntax *csv.ParseError
	if errors.As(err, &syntax) {
		err = fmt.Errorf("column %d: %w", syntax.Column, syntax.Err)
	}
	return nil, err
}

// addRow adds the points of a row. An empty cell of a value is no point.
func (p *csvParser) addRow(row []string, out Points) Outcome {
	ts, err := literal.ParseTime(row[p.time], p.unit)
	if err != nil {
		return refused(timeError(p.header[p.time], []byte(row[p.time]), p.unit, err))
	}
	p.key = p.key[:0]
	for _, c := range []int{p.series, p.id, p.tagObject} {
		if c >= 0 {
			p.key = append(append(p.key, row[c]...), keyEnd)
		}
	}
	for _, c := range p.tags {
		p.key = append(append(p.key, row[c]...), keyEnd)
	}
	common := len(p.key)
	var o Outcome
	for _, c := range p.values {
		if row[c] == "" {
			continue
		}
		value, err := literal.ParseValue(row[c])
		if err != nil {
			o.refuse(fmt.Errorf("%s %s: %w", p.header[c], clip([]byte(row[c])), err))
			continue
		}
		p.key = append(p.key[:common], p.header[c]...)
		s := p.cache.get(p.key)
		if s == nil {
			if s, err = p.resolve(row, p.header[c]); err != nil {
				o.refuse(err)
				continue
			}
		}
		if err := out.Add(s, ts, value); err != nil {
			o.refuse(fmt.Errorf("%s: %w", p.header[c], err))
		}
	}
	return o
}

func (p *csvParser) resolve(row []string, column string) (*sydradb.Series, error) {
	tags, err := p.rowTags(row)
	if err != nil {
		return nil, err
	}
	name := p.columns.Name
	if p.series >= 0 && row[p.series] != "" {
		name = row[p.series]
	}
	switch {
	case name == "" && p.id >= 0 && row[p.id] != "":
		id, err := strconv.ParseUint(row[p.id], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("series_id %s is not an integer from 0 to 2^64-1", clip([]byte(row[p.id])))
		}
		return p.cache.resolveID(p.key, sydradb.SeriesID(id), tags)
	case name == "" && column == "value":
		return nil, errors.New("the series has no name")
	case name == "":
		name = column
	default:
		name = fieldSeries(name, column)
	}
	return p.cache.resolve(p.key, name, tags)
}

// rowTags returns the tags of a row, from their columns and from the object in one.
func (p *csvParser) rowTags(row []string) (tags []sydradb.Tag, err error) {
	for _, c := range p.tags {
		tags = append(tags, sydradb.Tag{Key: p.header[c], Value: row[c]})
	}
	if p.tagObject >= 0 && row[p.tagObject] != "" {
		more, err := p.parseTags(row[p.tagObject])
		if err != nil {
			return nil, err
		}
		tags = append(tags, more...)
	}
	return tags, nil
}

// parseTags reads a JSON object of strings.
func (p *csvParser) parseTags(text string) ([]sydradb.Tag, error) {
	v, err := p.json.Parse(text)
	if err == nil { // and no deeper than Validate can go
		err = fastjson.Validate(text)
	}
	if err != nil || hasLoneSurrogate([]byte(text)) {
		return nil, fmt.Errorf("tags %s: not JSON", clip([]byte(text)))
	}
	object, err := v.Object()
	if err != nil {
		return nil, fmt.Errorf("tags %s: not a JSON object", clip([]byte(text)))
	}
	var tags []sydradb.Tag
	object.Visit(func(key []byte, v *fastjson.Value) {
		value, e := v.StringBytes()
		if e != nil {
			err = fmt.Errorf("tag %s is not a string", clip(key))
		}
		tags = append(tags, sydradb.Tag{Key: string(key), Value: string(value)})
	})
	return tags, err
}

// readHeader decides what each column is.
func (p *csvParser) readHeader() error {
	for i, name := range p.header {
		name = strings.TrimSpace(name)
		p.header[i] = name
		if slices.Contains(p.header[:i], name) {
			return headerError(HeaderMalformed, "two columns are called %q", name)
		}
	}
	h := headerReader{header: p.header, used: make([]bool, len(p.header))}
	p.time = h.column(p.columns.Time, "ts", "time", "timestamp")
	p.series = h.column(p.columns.Series, "series")
	p.id = h.column("", "series_id")
	p.tags = h.columns(p.columns.Tags)
	p.values = h.columns(p.columns.Values)
	p.tagObject = h.column("", "tags")
	if h.err != nil {
		return h.err
	}
	if p.time < 0 {
		return headerError(HeaderUnclear, "no column for the time among %s: want ts, time or timestamp", quoteAll(p.header))
	}
	if len(p.values) == 0 {
		if c := h.column("", "value"); c >= 0 {
			p.values = []int{c}
			if len(p.columns.Tags) == 0 {
				p.tags = h.unused()
			}
		} else {
			p.values = h.unused()
		}
	}
	if len(p.values) == 0 {
		return headerError(HeaderUnclear, "no column for values among %s", quoteAll(p.header))
	}
	isValue := func(c int) bool { return p.header[c] == "value" }
	if p.series < 0 && p.id < 0 && p.columns.Name == "" && slices.ContainsFunc(p.values, isValue) {
		return headerError(HeaderUnclear, "no column for the name of the series among %s: want series or series_id", quoteAll(p.header))
	}
	return nil
}

// headerReader finds columns by name and keeps its first error.
type headerReader struct {
	header []string
	used   []bool
	err    error
}

// column returns the column called name, which must exist, or if name is empty the
// first of those called defaults; -1 if there is none.
func (h *headerReader) column(name string, defaults ...string) int {
	if name != "" {
		defaults = []string{name}
	}
	for _, want := range defaults {
		i := slices.Index(h.header, want)
		if i >= 0 && !h.used[i] {
			h.used[i] = true
			return i
		}
		if name != "" && h.err == nil && i >= 0 {
			h.err = headerError(HeaderUnfit, "column %q is to be two things at once", name)
		}
	}
	if name != "" && h.err == nil {
		h.err = headerError(HeaderUnfit, "no column %q among %s", name, quoteAll(h.header))
	}
	return -1
}

func (h *headerReader) columns(names []string) []int {
	var out []int
	for _, name := range names {
		if i := h.column(name); i >= 0 {
			out = append(out, i)
		}
	}
	return out
}

func (h *headerReader) unused() []int {
	var out []int
	for i, used := range h.used {
		if !used {
			h.used[i] = true
			out = append(out, i)
		}
	}
	return out
}

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	return strings.Join(quoted, ", ")
}
