package lineproto

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
)

// slowPath is the memory of readSlow, for the next line.
type slowPath struct {
	tags   []sydradb.Tag
	names  []string          // of fields that are new to the table, and
	series []*sydradb.Series // what they stand for
}

// readSlow reads any line, one that is wrong too, into p.line.
func (p *Parser) readSlow() {
	b, start := p.body[:p.end], p.pos
	s := &p.syntax
	p.line.Points, p.line.Rounded = p.line.Points[:0], 0
	err := s.read(b, start, p.options.MaxLine)
	p.pos = s.pos
	if err != nil {
		if n := bytes.IndexByte(b[s.pos:], '\n'); n >= 0 {
			p.pos += n + 1
		} else {
			p.pos = len(b)
		}
	}
	p.line.Text = trimLineEnd(b[start:p.pos])
	p.next += max(1, bytes.Count(b[start:p.pos], newline))
	count := 1
	if err == nil {
		count = len(s.fields)
		err = p.checkLine()
	}
	if err != nil {
		p.refuse(nil, count, err)
		return
	}
	p.resolve()
}

var newline = []byte{'\n'}

func trimLineEnd(b []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(b, newline), []byte{'\r'})
}

// checkLine returns what is wrong with the line as a whole, and sets its time.
func (p *Parser) checkLine() error {
	if most := p.options.MaxLine; most > 0 && len(p.line.Text) > most {
		return &TooLongError{most}
	}
	t := p.syntax.time
	p.line.Time = p.options.Now
	if t.start < t.end {
		text := p.body[t.start:t.end]
		units, err := strconv.ParseInt(string(text), 10, 64)
		switch {
		case err != nil && !errors.Is(err, strconv.ErrRange):
			return &TimeError{text, literal.ErrTimeSyntax}
		case err != nil || units < p.earliest || units > sydradb.MaxTime/int64(p.options.Unit):
			return &TimeError{text, literal.ErrTimeRange}
		}
		p.line.Time = units * int64(p.options.Unit)
	}
	if p.line.Time > p.options.Latest {
		return p.options.ErrLatest
	}
	return nil
}

// resolve makes points of the fields of p.syntax, and the table learn what is new to it.
func (p *Parser) resolve() {
	s := &p.syntax
	known := p.table.get(s.key)
	r := &p.slow
	r.tags, r.names, r.series = r.tags[:0], r.names[:0], r.series[:0]
	for i := range s.fields {
		f := &s.fields[i]
		name := s.b[f.name.start:f.name.end]
		value, rounded, err := number(f.kind, s.b[f.value.start:f.value.end])
		if err != nil {
			p.refuse(name, 1, err)
			continue
		}
		series, err := p.seriesOf(known, s.b[f.name.start:f.name.end+1], f.name)
		if err != nil {
			p.refuse(name, 1, err)
			continue
		}
		if rounded {
			p.line.Rounded++
		}
		p.line.Points = append(p.line.Points, Point{series, value})
	}
	if len(r.series) > 0 {
		p.table.learn(s.key, known, r.names, r.series)
	}
	clear(r.names)
	clear(r.tags)
}

// seriesOf returns the series of one field. text is its name as it was written, with the
// equals sign.
func (p *Parser) seriesOf(known *entry, text []byte, name token) (*sydradb.Series, error) {
	r := &p.slow
	if known != nil {
		if i, ok := known.shape.index[string(text)]; ok {
			return known.series[i], nil
		}
	}
	series, err := p.resolver.Series(p.seriesName(name), p.seriesTags(), p.line.Time)
	if err == nil && len(r.names) < maxFields {
		r.names, r.series = append(r.names, string(text)), append(r.series, series)
	}
	return series, err
}

// seriesName is the name of the series that holds a field.
func (p *Parser) seriesName(field token) string {
	s := &p.syntax
	measurement, name := s.text(s.measurement, nameEscape), s.text(field, keyEscape)
	if string(name) == "value" {
		return string(measurement)
	}
	return string(measurement) + "_" + string(name)
}

// seriesTags returns the tags of the line, made once for all its fields.
func (p *Parser) seriesTags() []sydradb.Tag {
	s, r := &p.syntax, &p.slow
	if len(r.tags) > 0 {
		return r.tags
	}
	for i := 0; i < len(s.tags); i += 2 {
		key, value := s.text(s.tags[i], keyEscape), s.text(s.tags[i+1], keyEscape)
		r.tags = append(r.tags, sydradb.Tag{Key: string(key), Value: string(value)})
	}
	return r.tags
}
