package lineproto

import (
	"bytes"
	"fmt"
	"time"

	"github.com/sydradb/sydradb"
)

// Resolver gives series. The slice of tags must not be kept. ts is the time of the point for
// which a series is needed, in Unix nanoseconds.
type Resolver interface {
	Series(name string, tags []sydradb.Tag, ts int64) (*sydradb.Series, error)
}

// Options say how lines are read. The zero value of a field means its default.
type Options struct {
	// Unit is that of timestamps. Default nanoseconds.
	Unit time.Duration
	// Now is the time of lines without one, in Unix nanoseconds.
	Now int64
	// Latest is the greatest time of a line, in Unix nanoseconds, not negative. Default
	// sydradb.MaxTime.
	Latest int64
	// ErrLatest is why later lines are refused.
	ErrLatest error
	// MaxLine is the length that a line may have, in bytes. Default: no limit.
	MaxLine int
}

// Point is a field of a line.
type Point struct {
	Series *sydradb.Series
	Value  float64
}

// Refusal is a part of a line that was not taken.
type Refusal struct {
	Field []byte // name as it was written; nil if it is the whole line
	Count int    // of points: 1 also for a line that was not understood
	Err   error  // *SyntaxError, *TimeError, ErrString, one of literal's, or the Resolver's
}

// TimeError is why a line is refused whose timestamp cannot be stored.
type TimeError struct {
	Text []byte // the timestamp
	Err  error
}

// Error names the timestamp and what is wrong with it.
func (e *TimeError) Error() string { return fmt.Sprintf("timestamp %.40q: %v", e.Text, e.Err) }

// Unwrap returns what is wrong with the timestamp.
func (e *TimeError) Unwrap() error { return e.Err }

// Line is what one line holds. It is valid until the next call of Next or Reset.
type Line struct {
	Number  int    // in the body, from 1; of strings over several lines the first one
	Text    []byte // without the line end
	Time    int64  // Unix nanoseconds
	Points  []Point
	Rounded int // integers among the points that no float64 can hold exactly
	Refused []Refusal
}

// Parser reads the lines of a body. It is for one goroutine; Reset makes it ready.
type Parser struct {
	table    *Table
	resolver Resolver
	options  Options
	earliest int64 // least and greatest timestamp that is taken, in units
	latest   int64

	body  []byte // to its capacity as far as that is needed
	end   int    // of the body
	fast  int    // behind the last line end with enough bytes behind it for loads
	pos   int    // of the next line
	next  int    // its number
	space int    // position of a space, none is between pos and there; less than pos if unknown
	tail  []byte // the last lines, if the body has no room behind them
	last  *entry // of the line before

	line   Line
	syntax syntax
	slow   slowPath
}

const (
	// slack is what a load may read behind a line end.
	slack = 48
	// tailBytes is what is copied at most for the fast path.
	tailBytes = 64 << 10
)

// NewParser returns a parser that looks lines up in t.
func NewParser(t *Table) *Parser { return &Parser{table: t} }

// Reset begins with a body, which must not change while it is read. It is read fastest with
// some unused capacity. Nothing of the body that was read before is kept.
func (p *Parser) Reset(body []byte, r Resolver, o Options) {
	if o.Unit <= 0 {
		o.Unit = time.Nanosecond
	}
	if o.Latest == 0 {
		o.Latest = sydradb.MaxTime
	}
	p.resolver, p.options = r, o
	p.earliest = sydradb.MinTime / int64(o.Unit)
	p.latest = min(o.Latest, sydradb.MaxTime) / int64(o.Unit)
	p.next, p.last = 1, &p.table.first
	clear(p.line.Refused[:cap(p.line.Refused)]) // nothing of the last body is kept alive
	p.line = Line{Points: p.line.Points[:0], Refused: p.line.Refused[:0]}
	p.syntax.b, p.syntax.key = nil, nil
	p.setBody(body, 1+bytes.LastIndexByte(body[:max(0, min(len(body), cap(body)-slack))], '\n'))
}

// setBody begins to read b, with loads up to a position behind a line end.
func (p *Parser) setBody(b []byte, fast int) {
	p.body, p.end, p.fast = b[:min(cap(b), len(b)+slack)], len(b), fast
	p.pos, p.space = 0, -1
}

// Next reads the next line that is neither empty nor a comment. It returns nil at the end.
func (p *Parser) Next() *Line {
	for {
		if p.pos >= p.end {
			return nil
		}
		if p.pos >= p.fast && p.end-p.pos <= tailBytes {
			p.copyTail()
		}
		p.line.Points, p.line.Refused, p.line.Rounded = p.line.Points[:0], p.line.Refused[:0], 0
		p.line.Number = p.next
		if p.pos < p.fast && p.readFast() {
			p.next++
			return &p.line
		}
		if p.skipEmpty() {
			continue
		}
		p.readSlow()
		return &p.line
	}
}

// copyTail goes on in a copy of what is left, with a line end and room behind it. A line end
// changes nothing there: the end of a body is one.
func (p *Parser) copyTail() {
	left := p.body[p.pos:p.end]
	if need := len(left) + 1 + slack; cap(p.tail) < need {
		p.tail = make([]byte, 0, need)
	}
	p.tail = append(append(p.tail[:0], left...), '\n')
	p.setBody(p.tail, len(p.tail))
}

// skipEmpty passes over an empty line or a comment, and reports whether there was one. If
// not, it passes over the spaces before what there is.
func (p *Parser) skipEmpty() bool {
	b := p.body[:p.end]
	for p.pos < len(b) && b[p.pos] == ' ' {
		p.pos++
	}
	i := p.pos
	if i < len(b) && b[i] == '#' {
		for i < len(b) && classes[b[i]]&textChar != 0 {
			i++
		}
	}
	n := lineEnd(b[i:])
	if n < 0 {
		return false // a line, or a comment that is none
	}
	p.pos = i + n
	p.next++
	return true
}

// refuse takes note that a part of the line is not taken.
func (p *Parser) refuse(field []byte, count int, err error) {
	p.line.Refused = append(p.line.Refused, Refusal{field, count, err})
}
