package tags

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sydradb/sydradb/internal/base"
)

// ParseSelector reads a selector such as
//
//	room.temp{floor="2",room=~"kitchen|hall",window!="open"}
//
// and returns its conditions, that on the name first. The name, the part in braces, or
// both may be given; {} selects every series. A name or key needs quotes only where it
// holds white space, quotes, commas or one of {}=!~; a quoted name may also stand
// inside the braces, as in PromQL. Values are quoted as in Go: "..." with escapes,
// '...' likewise, or `...` as it stands. An error says at which character, from 1, the
// text cannot be understood.
func ParseSelector(text string) ([]Matcher, error) {
	p := parser{text: text}
	ms, err := p.selector()
	if err != nil {
		at := utf8.RuneCountInString(text[:p.pos]) + 1
		return nil, fmt.Errorf("selector %.200q, character %d: %w", text, at, err)
	}
	return ms, nil
}

// FormatSelector returns the text of which ParseSelector makes the conditions that a
// series has this name and these tags.
func FormatSelector(name string, tags []base.Tag) string {
	out := []byte(quoteWord(name))
	for i, t := range tags {
		if i == 0 {
			out = append(out, '{')
		} else {
			out = append(out, ',')
		}
		out = append(out, Matcher{key: t.Key, value: t.Value}.String()...)
	}
	if len(tags) > 0 {
		out = append(out, '}')
	}
	return string(out)
}

// parser reads text from pos on. After an error pos is where it was found.
type parser struct {
	text string
	pos  int
}

func (p *parser) selector() ([]Matcher, error) {
	var ms []Matcher
	p.skipSpace()
	if !p.at('{') {
		name, err := p.word("a series name or {")
		if err != nil {
			return nil, err
		}
		ms = append(ms, nameMatcher(name))
		p.skipSpace()
	}
	if p.at('{') {
		var err error
		if ms, err = p.braces(ms); err != nil {
			return nil, err
		}
		p.skipSpace()
	}
	if p.pos < len(p.text) {
		return nil, fmt.Errorf("unexpected %s", p.here())
	}
	return ms, nil
}

func nameMatcher(name string) Matcher { return Matcher{key: base.NameKey, value: name} }

// braces reads conditions up to the closing brace.
func (p *parser) braces(ms []Matcher) ([]Matcher, error) {
	p.pos++ // {
	for {
		p.skipSpace()
		if p.at('}') {
			p.pos++
			return ms, nil
		}
		m, err := p.condition()
		if err != nil {
			return nil, err
		}
		ms = append(ms, m)
		p.skipSpace()
		if p.at(',') {
			p.pos++
		} else if !p.at('}') {
			return nil, fmt.Errorf("expected , or } instead of %s", p.here())
		}
	}
}

func (p *parser) condition() (Matcher, error) {
	quoted := p.atQuote()
	key, err := p.word("a tag key")
	if err != nil {
		return Matcher{}, err
	}
	p.skipSpace()
	if quoted && (p.at(',') || p.at('}')) {
		return nameMatcher(key), nil
	}
	t, err := p.operator()
	if err != nil {
		return Matcher{}, err
	}
	p.skipSpace()
	start := p.pos
	if !p.atQuote() {
		return Matcher{}, fmt.Errorf("expected a value in quotes instead of %s", p.here())
	}
	value, err := p.quoted()
	if err != nil {
		return Matcher{}, err
	}
	m, err := NewMatcher(t, key, value)
	if err != nil {
		p.pos = start
	}
	return m, err
}

func (p *parser) operator() (MatchType, error) {
	rest := p.text[p.pos:]
	for _, t := range []MatchType{Regexp, NotRegexp, NotEqual, Equal} { // =~ before =
		if strings.HasPrefix(rest, t.String()) {
			p.pos += len(t.String())
			return t, nil
		}
	}
	return 0, fmt.Errorf("expected = != =~ or !~ instead of %s", p.here())
}

// word reads a name or key, quoted or not.
func (p *parser) word(what string) (string, error) {
	start := p.pos
	if p.atQuote() {
		word, err := p.quoted()
		if err == nil && word == "" {
			p.pos = start
			return "", fmt.Errorf("expected %s instead of empty quotes", what)
		}
		return word, err
	}
	end := strings.IndexFunc(p.text[p.pos:], isDelimiter)
	if end < 0 {
		end = len(p.text) - p.pos
	}
	if end == 0 {
		return "", fmt.Errorf("expected %s instead of %s", what, p.here())
	}
	p.pos += end
	return p.text[start:p.pos], nil
}

// isDelimiter reports whether r ends a word without quotes.
func isDelimiter(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError || strings.ContainsRune(`{}=!~,"'`+"`", r)
}

// quoted reads a string in quotes. Requires: atQuote.
func (p *parser) quoted() (string, error) {
	start, quote := p.pos, p.text[p.pos]
	fail := func(at int, what string) (string, error) {
		p.pos = at
		return "", errors.New(what)
	}
	rest := p.text[p.pos+1:]
	if quote == '`' {
		value, _, found := strings.Cut(rest, "`")
		if !found {
			return fail(start, "the quote is not closed")
		}
		p.pos += len(value) + 2
		return value, p.checkText(start, value)
	}
	var b strings.Builder
	for rest != "" && rest[0] != quote {
		r, multibyte, tail, err := strconv.UnquoteChar(rest, quote)
		if err != nil {
			return fail(len(p.text)-len(rest), "no escape sequence")
		}
		if r < utf8.RuneSelf || multibyte {
			b.WriteRune(r)
		} else {
			b.WriteByte(byte(r)) // \xff
		}
		rest = tail
	}
	if rest == "" {
		return fail(start, "the quote is not closed")
	}
	p.pos = len(p.text) - len(rest) + 1
	return b.String(), p.checkText(start, b.String())
}

// checkText refuses what no tag can hold. start is where the text was quoted.
func (p *parser) checkText(start int, s string) error {
	if utf8.ValidString(s) {
		return nil
	}
	p.pos = start
	return errors.New("the text in quotes is not UTF-8")
}

func (p *parser) skipSpace() {
	p.pos = len(p.text) - len(strings.TrimLeftFunc(p.text[p.pos:], unicode.IsSpace))
}

func (p *parser) at(c byte) bool { return p.pos < len(p.text) && p.text[p.pos] == c }

func (p *parser) atQuote() bool { return p.at('"') || p.at('\'') || p.at('`') }

// here describes the character at pos, for errors.
func (p *parser) here() string {
	if p.pos == len(p.text) {
		return "the end"
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.pos:])
	return strconv.QuoteRune(r)
}
