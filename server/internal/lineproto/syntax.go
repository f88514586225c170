package lineproto

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// Classes of bytes.
const (
	nameChar  = 1 << iota // in a measurement, without a backslash before it
	keyChar               // in keys and values of tags, and in names of fields
	valueChar             // in a value of a field that is no string
	textChar              // in a comment

	nameEscape   // after a backslash in a measurement: stands for itself
	keyEscape    // in keys
	stringEscape // in strings
)

var classes = func() (c [256]uint8) {
	for i := range c {
		printable := i > 31 && i != 127
		c[i] = valueChar
		if printable {
			c[i] |= nameChar | keyChar | textChar
		}
	}
	for _, b := range []byte(" ,") {
		c[b] &^= nameChar | keyChar | valueChar
		c[b] |= nameEscape | keyEscape
	}
	c['='] &^= keyChar
	c['='] |= keyEscape
	for _, b := range []byte("\r\n") {
		c[b] &^= valueChar
	}
	for _, b := range []byte(`\"nrt`) {
		c[b] |= stringEscape
	}
	return c
}()

// SyntaxError says where a line is not line protocol.
type SyntaxError struct {
	Column int // in bytes, from 1, of the line in which it stands
	What   string
}

// Error names the column and what is wrong there.
func (e *SyntaxError) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.What) }

// TooLongError is why a line is refused that is longer than Options.MaxLine.
type TooLongError struct {
	Limit int // in bytes
}

// Error names the limit.
func (e *TooLongError) Error() string { return fmt.Sprintf("longer than %d bytes", e.Limit) }

// token is a piece of a line, as it was written.
type token struct {
	start, end int
	escaped    bool // there are backslashes that stand for something
}

// fieldToken is one field of a line.
type fieldToken struct {
	name  token
	value token // without quotes, or the letter that says what it is
	kind  kind
}

// syntax cuts one line into tokens. The zero value is ready, and may be used again.
type syntax struct {
	b     []byte
	start int // of the line
	limit int // where a line is too long
	pos   int // of what comes next; after an error, where it was found

	measurement token
	tags        []token // key, value, key, value
	fields      []fieldToken
	time        token  // empty if there is none
	key         []byte // measurement and tags as written
}

func (s *syntax) fail(at int, what string) error {
	line := s.b[s.start:at]
	return &SyntaxError{at - s.start - bytes.LastIndexByte(line, '\n'), what}
}

// at returns the byte at the current position, which is a line end behind the last one.
func (s *syntax) at() byte {
	if s.pos < len(s.b) {
		return s.b[s.pos]
	}
	return '\n'
}

// read cuts the line at b[start:], which is neither empty nor a comment. limit, if not 0,
// is a length at which it may stop with an error. After nil, pos is behind the line end; after an error
// it is where reading ended.
func (s *syntax) read(b []byte, start, limit int) error {
	s.b, s.start, s.pos = b, start, start
	s.limit = len(b)
	if limit > 0 && limit < len(b)-start {
		s.limit = start + limit + 2 // and a line end
	}
	s.tags, s.fields = s.tags[:0], s.fields[:0]
	err := s.readKey()
	if err == nil {
		err = s.readFields()
	}
	if err == nil {
		err = s.readTime()
	}
	if err != nil && s.limit < len(b) && s.pos > s.limit {
		return &TooLongError{limit}
	}
	return err
}

// take reads a token of bytes of a class, or escaped ones.
func (s *syntax) take(class, escape uint8) (token, error) {
	t := token{start: s.pos}
	i := s.pos
	for i < len(s.b) {
		c := s.b[i]
		if c == '\\' {
			if i+1 < len(s.b) && classes[s.b[i+1]]&escape != 0 {
				t.escaped = true
				i++
			}
		} else if classes[c]&class == 0 {
			break
		}
		i++
	}
	s.pos, t.end = i, i
	if !utf8.Valid(s.b[t.start:t.end]) {
		return t, s.fail(t.start, "not valid UTF-8")
	}
	return t, nil
}

// text returns what a token stands for, with the given escapes undone.
func (s *syntax) text(t token, escape uint8) []byte {
	raw := s.b[t.start:t.end]
	if !t.escaped {
		return raw
	}
	buf := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] == '\\' && i+1 < len(raw) && classes[raw[i+1]]&escape != 0 {
			i++
		}
		buf = append(buf, raw[i])
	}
	return buf
}

func (s *syntax) skipSpaces() {
	for s.pos < len(s.b) && s.b[s.pos] == ' ' {
		s.pos++
	}
}

// readKey reads measurement and tags and the spaces behind them.
func (s *syntax) readKey() (err error) {
	if s.measurement, err = s.take(nameChar, nameEscape); err != nil {
		return err
	}
	switch {
	case s.b[s.start] == '#':
		return s.fail(s.start, "a character in this comment is not printable")
	case s.pos == s.start:
		return s.fail(s.pos, fmt.Sprintf("no measurement begins with %q", s.at()))
	}
	for s.at() == ',' && s.pos <= s.limit {
		s.pos++
		if err := s.readTag(); err != nil {
			return err
		}
	}
	s.key = s.b[s.start:s.pos]
	switch {
	case s.pos == len(s.b) || s.at() == '\n' || s.at() == '\r':
		return s.fail(s.pos, "no fields after measurement and tags")
	case s.at() != ' ':
		return s.fail(s.pos, fmt.Sprintf("want a tag or fields, found %q", s.at()))
	}
	s.skipSpaces()
	return nil
}

func (s *syntax) readTag() error {
	key, err := s.take(keyChar, keyEscape)
	if err != nil {
		return err
	}
	if key.start == key.end {
		return s.fail(s.pos, "want the key of a tag after a comma")
	}
	if s.pos == len(s.b) || s.at() != '=' {
		return s.fail(s.pos, "want = after the key of a tag")
	}
	s.pos++
	value, err := s.take(keyChar, keyEscape)
	if err != nil {
		return err
	}
	if value.start == value.end {
		return s.fail(s.pos, "a tag without a value")
	}
	s.tags = append(s.tags, key, value)
	return nil
}

// readFields reads all fields and the spaces behind them.
func (s *syntax) readFields() error {
	for {
		if s.pos > s.limit {
			return s.fail(s.pos, "line too long")
		}
		if err := s.readField(); err != nil {
			return err
		}
		switch c := s.at(); {
		case s.pos == len(s.b):
			return nil
		case c == ',':
			s.pos++
		case c == ' ' || c == '\r' || c == '\n':
			s.skipSpaces()
			return nil
		default:
			return s.fail(s.pos, fmt.Sprintf("found %q after a field", c))
		}
	}
}

func (s *syntax) readField() (err error) {
	var f fieldToken
	if f.name, err = s.take(keyChar, keyEscape); err != nil {
		return err
	}
	if f.name.start == f.name.end {
		return s.fail(s.pos, "want the name of a field")
	}
	if s.pos == len(s.b) || s.at() != '=' {
		return s.fail(s.pos, "want = after the name of a field")
	}
	s.pos++
	if s.pos < len(s.b) && s.b[s.pos] == '"' {
		err = s.readString(&f)
	} else {
		err = s.readNumber(&f)
	}
	if err == nil {
		s.fields = append(s.fields, f)
	}
	return err
}

// readString finds the end of a string, of which nothing else is of interest.
func (s *syntax) readString(f *fieldToken) error {
	open := s.pos
	i := open + 1
	for i < len(s.b) && s.b[i] != '"' {
		if s.b[i] == '\\' && i+1 < len(s.b) && classes[s.b[i+1]]&stringEscape != 0 {
			i++
		}
		if i++; i > s.limit {
			break
		}
	}
	i = min(i, len(s.b))
	s.pos = i
	if !utf8.Valid(s.b[open+1 : i]) {
		return s.fail(open, "not valid UTF-8")
	}
	if i == len(s.b) || s.b[i] != '"' {
		return s.fail(open, "the closing quote is missing")
	}
	f.kind, f.value = kindString, token{start: open + 1, end: i}
	s.pos++
	return nil
}

func (s *syntax) readNumber(f *fieldToken) error {
	start := s.pos
	end := valueEnd(s.b, start)
	if start == end {
		return s.fail(start, "want the value of a field")
	}
	k, digits, ok := kindOf(s.b[start:end])
	if !ok {
		return s.fail(start, "want a number, a boolean or a string in quotes")
	}
	f.kind, f.value = k, token{start: start, end: start + len(digits)}
	s.pos = end
	return nil
}

// readTime reads what follows the fields, with the line end.
func (s *syntax) readTime() error {
	s.time = token{start: s.pos}
	if s.lineEnd() {
		return nil
	}
	for s.pos < len(s.b) && (s.b[s.pos] == '-' || s.b[s.pos] >= '0' && s.b[s.pos] <= '9') {
		s.pos++
	}
	s.time.end = s.pos
	if c := s.at(); s.time.end == s.time.start || c != ' ' && c != '\r' && c != '\n' {
		return s.fail(s.time.start, "the timestamp is not an integer")
	}
	s.skipSpaces()
	if !s.lineEnd() {
		return s.fail(s.pos, "text after the timestamp")
	}
	return nil
}

// lineEnd passes over a line end, if there is one: that of the input, too.
func (s *syntax) lineEnd() bool {
	n := lineEnd(s.b[s.pos:])
	s.pos += max(n, 0)
	return n >= 0
}

// lineEnd returns the length of the line end with which b begins, 0 at the end of the
// input, -1 without any.
func lineEnd(b []byte) int {
	switch {
	case len(b) == 0:
		return 0
	case b[0] == '\n':
		return 1
	case b[0] == '\r' && len(b) == 1:
		return 1
	case b[0] == '\r' && b[1] == '\n':
		return 2
	}
	return -1
}
