package manifest

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parser reads the JSON of MANIFEST: objects of known members, lists, integers and
// strings, without escapes but for namespaces. It keeps its first error and from then on
// finds nothing more, so that callers look at the error once, at the end. What may stand
// in an edit is in members.go.
type parser struct {
	buf     []byte
	pos     int
	err     error
	scratch []byte // of text
}

// finish returns the first error; bytes left over are one.
func (p *parser) finish() error {
	if p.err == nil && p.peek() != 0 {
		p.fail("text after the end")
	}
	return p.err
}

// fail keeps an error, unless there is one, and gives up the rest of the line.
func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("byte %d of the line: %w", p.pos, fmt.Errorf(format, args...))
	}
	p.buf = p.buf[:p.pos]
}

func (p *parser) unknown(key []byte) {
	p.fail("%w %.64q", errUnknown, key)
}

// once notes that a member was seen, which may happen once.
func (p *parser) once(seen *int, member int) {
	if *seen&member != 0 {
		p.fail("a member stands twice")
	}
	*seen |= member
}

// exactly fails unless the members seen are those wanted.
func (p *parser) exactly(seen, want int) {
	if seen != want {
		p.fail("a member is missing or out of place")
	}
}

// peek skips white space and returns the byte that follows, 0 at the end.
func (p *parser) peek() byte {
	for ; p.pos < len(p.buf); p.pos++ {
		switch c := p.buf[p.pos]; c {
		case ' ', '\t', '\r':
		case 0:
			p.fail("a zero byte")
		default:
			return c
		}
	}
	return 0
}

func (p *parser) expect(c byte) {
	if p.peek() != c {
		p.fail("want %q", c)
		return
	}
	p.pos++
}

// next reports whether an object or list goes on with element i, and eats the comma
// before it or the byte that closes.
func (p *parser) next(i int, closing byte) bool {
	c := p.peek()
	switch {
	case p.err != nil:
		return false
	case c == closing:
		p.pos++
		return false
	case i > 0:
		p.expect(',')
	}
	return p.err == nil
}

// key reads the name of a member and the colon behind it. The result is part of buf.
func (p *parser) key() []byte {
	k := p.string()
	p.expect(':')
	return k
}

// string reads a string without escapes. The result is part of buf.
func (p *parser) string() []byte {
	p.expect('"')
	n := bytes.IndexByte(p.buf[p.pos:], '"')
	if n < 0 {
		p.fail("a string does not end")
		return nil
	}
	s := p.buf[p.pos : p.pos+n]
	p.pos += n + 1
	return s
}

// text reads a string of UTF-8 with the escapes that appendText makes.
func (p *parser) text() string {
	p.expect('"')
	out := p.scratch[:0]
	for p.err == nil {
		if p.pos == len(p.buf) {
			p.fail("a string does not end")
			break
		}
		c := p.buf[p.pos]
		p.pos++
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				p.fail("a string that is not UTF-8")
			}
			p.scratch = out
			return string(out)
		case c < ' ':
			p.fail("a control character in a string")
		case c == '\\':
			out = append(out, p.escape())
		default:
			out = append(out, c)
		}
	}
	return ""
}

// escape reads what follows a backslash and returns the byte that is meant.
func (p *parser) escape() byte {
	rest := p.buf[p.pos:]
	if len(rest) > 0 {
		p.pos++
		if c := rest[0]; c == '"' || c == '\\' {
			return c
		}
		if i := strings.IndexByte(escapeLetters, rest[0]); i >= 0 {
			return escapedBytes[i]
		}
	}
	if code, ok := bytes.CutPrefix(rest, []byte("u00")); ok && len(code) >= 2 {
		if c, err := strconv.ParseUint(string(code[:2]), 16, 8); err == nil && c < ' ' {
			p.pos += len("00") + 2
			return byte(c)
		}
	}
	p.fail("an escape that is not one of ours")
	return 0
}

// int reads an integer of 64 bits.
func (p *parser) int() int64 {
	if p.peek() != '-' {
		return int64(p.uint(math.MaxInt64))
	}
	p.pos++
	v := p.magnitude(1 << 63)
	if v == 0 {
		p.fail("a negative zero")
	}
	return -int64(v)
}

// uint reads an integer from 0 to limit.
func (p *parser) uint(limit uint64) uint64 {
	p.peek()
	return p.magnitude(limit)
}

// magnitude reads decimal digits without leading zeros.
func (p *parser) magnitude(limit uint64) uint64 {
	start, v := p.pos, uint64(0)
	for ; p.pos < len(p.buf) && isDigit(p.buf[p.pos]); p.pos++ {
		d := uint64(p.buf[p.pos] - '0')
		if v > (limit-d)/10 {
			p.fail("a number above %d", limit)
			return 0
		}
		v = v*10 + d
	}
	if p.pos == start || p.pos-start > 1 && p.buf[start] == '0' {
		p.fail("want a number")
	}
	return v
}
