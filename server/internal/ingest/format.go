package ingest

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
)

// Format is a way to write points as text.
type Format string

// The formats.
const (
	NDJSON Format = "ndjson"
	Influx Format = "influx"
	CSV    Format = "csv"
)

// FormatOf guesses the format of a file from its name, with .gz or .zst at its end or
// without. What it does not know is NDJSON.
func FormatOf(name string) Format {
	name = strings.ToLower(name)
	for _, suffix := range []string{".gz", ".zst"} {
		name = strings.TrimSuffix(name, suffix)
	}
	switch filepath.Ext(name) {
	case ".csv":
		return CSV
	case ".lp", ".line", ".influx":
		return Influx
	}
	return NDJSON
}

// Points takes the points that a Parser finds.
type Points interface {
	// Add takes a point, or says why it cannot be stored.
	Add(s *sydradb.Series, ts int64, value float64) error
}

// TimeChecker is what Points may be besides, to be asked before a series is made known to
// the database for a point that it would not store.
type TimeChecker interface {
	// CheckTime says why no point at ts can be stored, nil if one can.
	CheckTime(ts int64) error
}

// Outcome says what became of a record.
type Outcome struct {
	// Refused is the number of parts of the record that were not taken: 1 for the
	// record as a whole, or one for each of its fields.
	Refused int
	// Rounded is the number of integers that no float64 can hold exactly.
	Rounded int
	// Err is why the first refused part was refused.
	Err error
}

func refused(err error) Outcome { return Outcome{Refused: 1, Err: err} }

func (o *Outcome) refuse(err error) {
	if o.Refused == 0 {
		o.Err = err
	}
	o.Refused++
}

// Parser turns records of one file into points.
type Parser interface {
	// Parse adds the points of record to out. record has no line end, is not empty and
	// is only valid during the call.
	Parse(record []byte, out Points) Outcome
	// Err returns the error that makes the rest of the file meaningless, if there is
	// one: a CSV header without a time, for example.
	Err() error
}

// ParserOptions are what the user says about the input. The zero value of a field
// means the default of the format.
type ParserOptions struct {
	// Unit of times that are written as numbers. Default seconds, nanoseconds in
	// line protocol.
	Unit literal.Unit
	// Now returns the time, in Unix nanoseconds, that a line without one has.
	Now func() int64
	// CSV says what the columns are.
	CSV Columns
}

// NewParser returns a parser for one file in the given format, with a cache of its
// own.
func NewParser(format Format, cache *Cache, o ParserOptions) Parser {
	if o.Unit == 0 {
		o.Unit = literal.Second
		if format == Influx {
			o.Unit = literal.Nanosecond
		}
	}
	switch format {
	case Influx:
		return newInfluxParser(cache, o)
	case CSV:
		return newCSVParser(cache, o.Unit, o.CSV)
	}
	return &ndjsonParser{cache: cache, unit: o.Unit}
}

// timeError is the error of a time that cannot be stored; field says where it stands. Times
// in a finer unit than the one that was named are the most common mistake: it says so.
func timeError(field string, text []byte, unit literal.Unit, err error) error {
	err = fmt.Errorf("%s %s: %w", field, clip(text), err)
	if !errors.Is(err, literal.ErrTimeRange) {
		return err
	}
	for _, finer := range []literal.Unit{literal.Millisecond, literal.Microsecond, literal.Nanosecond} {
		if finer >= unit {
			continue
		}
		if ts, bad := literal.ParseTime(text, finer); bad == nil {
			return fmt.Errorf("%w; with precision %s it would be %s", err, finer, literal.AppendClock(nil, ts))
		}
	}
	return err
}
