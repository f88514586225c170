package vmimport

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/literal"
)

// line is what a line holds. Its memory is kept from line to line.
type line struct {
	metric []byte // the text of the object
	values []float64
	times  []int64 // milliseconds
}

// maxDepth bounds objects and arrays in each other, where they are passed over.
const maxDepth = 64

var (
	errObject = errors.New("not a JSON object")
	errJSON   = errors.New("not valid JSON")
	errDeep   = errors.New("nested too deeply")
)

// parse reads a line. The metric is a part of text.
func (l *line) parse(text []byte) error {
	l.metric, l.values, l.times = nil, l.values[:0], l.times[:0]
	s := scanner{text: text}
	if !s.take('{') {
		return errObject
	}
	for more := !s.take('}'); more; {
		key, err := s.key()
		if err != nil {
			return err
		}
		switch string(key) {
		case "metric":
			l.metric, err = s.object()
		case "values":
			l.values, err = array(&s, l.values[:0], value)
		case "timestamps":
			l.times, err = array(&s, l.times[:0], milliseconds)
		default:
			err = s.skip()
		}
		if err != nil {
			return fmt.Errorf("%q: %w", key, err)
		}
		if more = s.take(','); !more && !s.take('}') {
			return errJSON
		}
	}
	if s.space(); s.at != len(text) {
		return errJSON
	}
	switch {
	case l.metric == nil:
		return errors.New(`"metric" is missing`)
	case len(l.values) == 0:
		return errors.New(`"values" are missing`)
	case len(l.values) != len(l.times):
		return fmt.Errorf("%d values and %d timestamps", len(l.values), len(l.times))
	}
	return nil
}

// scanner goes through JSON.
type scanner struct {
	text []byte
	at   int
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// take passes over c, if it comes next.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

// key reads a key and its colon.
func (s *scanner) key() ([]byte, error) {
	key, err := s.quoted()
	if err != nil {
		return nil, err
	}
	if !s.take(':') {
		return nil, errJSON
	}
	return key, nil
}

// quoted returns what is between quotes, as it stands.
func (s *scanner) quoted() ([]byte, error) {
	if !s.take('"') {
		return nil, errJSON
	}
	for from := s.at; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case '"':
			s.at++
			return s.text[from : s.at-1], nil
		case '\\':
			s.at++
		}
	}
	return nil, errJSON
}

// object passes over an object and returns its text.
func (s *scanner) object() ([]byte, error) {
	s.space()
	from := s.at
	if from == len(s.text) || s.text[from] != '{' {
		return nil, errObject
	}
	if err := s.skip(); err != nil {
		return nil, err
	}
	return s.text[from:s.at], nil
}

// skip passes over a value, without a look at whether it is valid in all respects.
func (s *scanner) skip() error {
	for depth := 0; ; {
		s.space()
		if s.at == len(s.text) {
			return errJSON
		}
		switch c := s.text[s.at]; c {
		case '"':
			if _, err := s.quoted(); err != nil {
				return err
			}
		case '{', '[':
			if depth++; depth > maxDepth {
				return errDeep
			}
			s.at++
		case '}', ']':
			if depth--; depth < 0 {
				return errJSON
			}
			s.at++
		case ',', ':':
			if depth == 0 {
				return errJSON
			}
			s.at++
		default:
			s.bare()
		}
		if depth == 0 {
			return nil
		}
	}
}

// bare returns what stands up to the end of a value that is no string, object or array.
func (s *scanner) bare() []byte {
	from := s.at
	for ; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case ',', ']', '}', ':', '"', '[', '{', ' ', '\t', '\r', '\n':
			return s.text[from:s.at]
		}
	}
	return s.text[from:]
}

// array reads an array of elements, which are numbers, words or strings without escapes,
// and appends them to dst.
func array[T any](s *scanner, dst []T, element func([]byte) (T, error)) ([]T, error) {
	if !s.take('[') {
		return dst, errors.New("not an array")
	}
	for more := !s.take(']'); more; {
		s.space()
		var text []byte
		if s.at < len(s.text) && s.text[s.at] == '"' {
			var err error
			if text, err = s.quoted(); err != nil {
				return dst, err
			}
		} else {
			text = s.bare()
		}
		v, err := element(text)
		if err != nil {
			return dst, fmt.Errorf("element %d: %w", len(dst), err)
		}
		dst = append(dst, v)
		if more = s.take(','); !more && !s.take(']') {
			return dst, errJSON
		}
	}
	return dst, nil
}

// value reads a value in any of the spellings that VictoriaMetrics reads, and ours.
func value(text []byte) (float64, error) {
	if v, err := literal.ParseNumber(text); err == nil {
		return v, nil
	}
	switch string(text) {
	case "null", "Null", "nan", "NaN":
		return math.NaN(), nil
	case "inf", "Inf", "+Inf", "+inf", "infinity", "Infinity":
		return math.Inf(1), nil
	case "-inf", "-Inf", "-infinity", "-Infinity":
		return math.Inf(-1), nil
	}
	return literal.ParseValue(text)
}

func milliseconds(text []byte) (int64, error) {
	// Sixteen digits cannot overflow, and no time has more.
	if n := len(text); n > 0 && n <= 16 {
		v, i := int64(0), 0
		if text[0] == '-' && n > 1 {
			i = 1
		}
		for ; i < n && text[i]-'0' <= 9; i++ {
			v = v*10 + int64(text[i]-'0')
		}
		if i == n && text[0] == '-' {
			return -v, nil
		}
		if i == n {
			return v, nil
		}
	}
	v, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, errors.New("not an integer of milliseconds")
	}
	return v, nil
}

// keptPoints is how many points a line keeps room for while the request waits for the next.
const keptPoints = 16 << 10

// shrink gives up the room of a long line.
func (l *line) shrink() {
	if max(cap(l.values), cap(l.times)) > keptPoints {
		l.values, l.times = nil, nil
	}
}

// newest returns the time of the newest point that is not out of range, in Unix nanoseconds,
// or why there is none: a series of which no point is stored need not be known.
func (l *line) newest(request *intake.Request) (int64, error) {
	newest := int64(math.MinInt64)
	var why *intake.Refusal
	for _, ms := range l.times {
		ts := nanoseconds(ms)
		if late := request.CheckTime(ts); late != nil {
			why = late
		} else {
			newest = max(newest, ts)
		}
	}
	if newest < sydradb.MinTime && why != nil {
		return 0, why
	}
	return newest, nil
}

// nanoseconds converts a time. What does not fit becomes the nearest that does, which is
// out of the range of any database.
func nanoseconds(ms int64) int64 {
	const most = math.MaxInt64 / 1_000_000
	switch {
	case ms > most:
		return math.MaxInt64
	case ms < -most:
		return math.MinInt64
	}
	return ms * 1_000_000
}
