package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/valyala/fastjson"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
)

// ndjsonParser reads lines such as
//
//	{"series":"weather.room1","ts":1694300000,"value":24.2,"tags":{"k":"v"}}
//
// with "series_id", a number or a string, instead of "series" and "tags", and with
// "fields", an object of numbers, instead of "value". Other members are passed over.
type ndjsonParser struct {
	cache *Cache
	unit  literal.Unit

	parser fastjson.Parser
	key    []byte // what the cache knows the series under
	text   []byte // a number, as it was written
	tags   []sydradb.Tag
}

// line holds the members of one line that have a meaning, nil where absent.
type line struct {
	series, id, tags, ts, value, fields *fastjson.Value
}

var errNotUTF8 = errors.New("not valid UTF-8")

// Marks in cache keys: bytes that valid UTF-8 does not have.
const (
	keyID  = 0xfd // before a series id
	keyTag = 0xfe // before each tag key
	keyEnd = 0xff // after a tag key
)

func (p *ndjsonParser) Err() error { return nil }

func (p *ndjsonParser) Parse(record []byte, out Points) Outcome {
	members, err := p.members(record)
	if err != nil {
		return refused(err)
	}
	ts, err := p.time(members.ts)
	if err != nil {
		return refused(err)
	}
	if c, ok := out.(TimeChecker); ok {
		if err := c.CheckTime(ts); err != nil {
			return refused(err)
		}
	}
	switch {
	case members.value != nil && members.fields != nil:
		return refused(errors.New(`"value" and "fields" exclude each other`))
	case members.fields != nil:
		return p.addFields(&members, ts, out)
	case members.value == nil:
		return refused(errors.New(`"value" is missing`))
	}
	value, err := p.value(members.value)
	if err != nil {
		return refused(fmt.Errorf("value: %w", err))
	}
	s, err := p.series(&members)
	if err != nil {
		return refused(err)
	}
	if err := out.Add(s, ts, value); err != nil {
		return refused(err)
	}
	return Outcome{}
}

// members parses record and picks what it needs.
func (p *ndjsonParser) members(record []byte) (line, error) {
	if !utf8.Valid(record) { // also keeps the marks in cache keys unique
		return line{}, errNotUTF8
	}
	v, err := p.parser.ParseBytes(record)
	if err != nil {
		return line{}, explainJSON(record, err)
	}
	// The parser does not look into escapes. They are rare; what checks them does not bound
	// how deep it goes, as the parser does, which therefore comes first.
	if bytes.IndexByte(record, '\\') >= 0 {
		if err := fastjson.ValidateBytes(record); err != nil {
			return line{}, explainJSON(record, err)
		}
		if hasLoneSurrogate(record) {
			return line{}, errors.New(`not JSON text: half of a \u surrogate pair`)
		}
	}
	object, err := v.Object()
	if err != nil {
		return line{}, errors.New("not a JSON object")
	}
	var l line
	object.Visit(func(key []byte, v *fastjson.Value) {
		switch string(key) {
		case "series":
			l.series = v
		case "series_id":
			l.id = v
		case "tags":
			l.tags = v
		case "ts":
			l.ts = v
		case "value":
			l.value = v
		case "fields":
			l.fields = v
		}
	})
	return l, nil
}

// explainJSON says what is wrong with a line that the fast parser refused. The
// standard library's parser knows the place and quotes one character, not all the rest.
func explainJSON(record []byte, err error) error {
	var syntax *json.SyntaxError
	if errors.As(json.Unmarshal(record, new(json.RawMessage)), &syntax) {
		return fmt.Errorf("not JSON: column %d: %w", syntax.Offset, syntax)
	}
	return fmt.Errorf("not JSON: %s", clip([]byte(err.Error())))
}

func (p *ndjsonParser) time(v *fastjson.Value) (int64, error) {
	if v == nil {
		return 0, errors.New(`"ts" is missing`)
	}
	text := p.text[:0]
	switch v.Type() {
	case fastjson.TypeNumber:
		text = v.MarshalTo(text)
	case fastjson.TypeString:
		text = append(text, v.GetStringBytes()...)
	default:
		return 0, fmt.Errorf("ts: %w", literal.ErrTimeSyntax)
	}
	p.text = text
	ts, err := literal.ParseTime(text, p.unit)
	if err != nil {
		return 0, timeError("ts", text, p.unit, err)
	}
	return ts, nil
}

// value reads a number, or one of the words for what JSON has no number for. Other
// strings are text, even if they look like numbers.
func (p *ndjsonParser) value(v *fastjson.Value) (float64, error) {
	switch v.Type() {
	case fastjson.TypeNumber:
		p.text = v.MarshalTo(p.text[:0])
		return literal.ParseNumber(p.text)
	case fastjson.TypeString:
		if value, ok := literal.ParseWord(v.GetStringBytes()); ok {
			return value, nil
		}
	}
	return 0, literal.ErrValueSyntax
}

// series returns the series that a line without fields names.
func (p *ndjsonParser) series(l *line) (*sydradb.Series, error) {
	if l.series == nil {
		if l.id == nil {
			return nil, errors.New(`"series" is missing`)
		}
		return p.seriesByID(l)
	}
	name, err := seriesName(l.series)
	if err != nil {
		return nil, err
	}
	p.key = append(p.key[:0], name...)
	if err := p.appendTags(l.tags); err != nil {
		return nil, err
	}
	if s := p.cache.get(p.key); s != nil {
		return s, nil
	}
	return p.cache.resolve(p.key, string(name), p.takeTags(l.tags))
}

// seriesByID returns the series of a line that names it by its id. The tags matter
// only where the id is new, so they are no part of the key of the cache.
func (p *ndjsonParser) seriesByID(l *line) (*sydradb.Series, error) {
	p.key = append(p.key[:0], keyID)
	switch l.id.Type() {
	case fastjson.TypeNumber:
		p.key = l.id.MarshalTo(p.key)
	case fastjson.TypeString:
		p.key = append(p.key, l.id.GetStringBytes()...)
	}
	if s := p.cache.get(p.key); s != nil {
		return s, nil
	}
	id, err := strconv.ParseUint(string(p.key[1:]), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("series_id %s is not an integer from 0 to 2^64-1", clip(p.key[1:]))
	}
	key := len(p.key)
	err = p.appendTags(l.tags)
	p.key = p.key[:key]
	if err != nil {
		return nil, err
	}
	return p.cache.resolveID(p.key, sydradb.SeriesID(id), p.takeTags(l.tags))
}

// addFields adds one point for each numeric field, to the series <series>_<field>, or
// <series> if the field is called value.
func (p *ndjsonParser) addFields(l *line, ts int64, out Points) Outcome {
	if l.series == nil {
		return refused(errors.New(`"fields" needs "series"`))
	}
	name, err := seriesName(l.series)
	if err != nil {
		return refused(err)
	}
	fields, err := l.fields.Object()
	if err != nil {
		return refused(errors.New(`"fields" is not an object`))
	}
	if fields.Len() == 0 {
		return refused(errors.New(`"fields" is empty`))
	}
	// The tags are the same for all fields; they come first in the cache key here, and
	// a leading mark keeps such keys apart from those of lines without fields.
	p.key = append(p.key[:0], keyEnd)
	p.key = append(p.key, name...)
	if err := p.appendTags(l.tags); err != nil {
		return refused(err)
	}
	p.key = append(p.key, keyEnd)
	common := len(p.key)
	var o Outcome
	fields.Visit(func(field []byte, v *fastjson.Value) {
		value, err := p.value(v)
		if err != nil {
			o.refuse(fmt.Errorf("field %s: %w", clip(field), err))
			return
		}
		p.key = append(p.key[:common], field...)
		s := p.cache.get(p.key)
		if s == nil {
			s, err = p.cache.resolve(p.key, fieldSeries(string(name), string(field)), p.takeTags(l.tags))
			if err != nil {
				o.refuse(fmt.Errorf("field %s: %w", clip(field), err))
				return
			}
		}
		if err := out.Add(s, ts, value); err != nil {
			o.refuse(fmt.Errorf("field %s: %w", clip(field), err))
		}
	})
	return o
}

// fieldSeries is the name of the series that holds one field of a measurement.
func fieldSeries(name, field string) string {
	if field == "value" {
		return name
	}
	return name + "_" + field
}

func seriesName(v *fastjson.Value) ([]byte, error) {
	name, err := v.StringBytes()
	if err != nil {
		return nil, errors.New(`"series" is not a string`)
	}
	return name, nil
}

// appendTags appends the tags to the cache key, in the order of the line: another
// order only makes another entry for the same series.
func (p *ndjsonParser) appendTags(v *fastjson.Value) error {
	if v == nil || v.Type() == fastjson.TypeNull {
		return nil
	}
	tags, err := v.Object()
	if err != nil {
		return errors.New(`"tags" is not an object`)
	}
	var fault error
	tags.Visit(func(key []byte, v *fastjson.Value) {
		value, err := v.StringBytes()
		if err != nil {
			fault = fmt.Errorf("tag %s is not a string", clip(key))
			return
		}
		p.key = append(p.key, keyTag)
		p.key = append(p.key, key...)
		p.key = append(p.key, keyEnd)
		p.key = append(p.key, value...)
	})
	return fault
}

// takeTags returns the tags that appendTags found to be fine, valid until the next
// call.
func (p *ndjsonParser) takeTags(v *fastjson.Value) []sydradb.Tag {
	p.tags = p.tags[:0]
	v.GetObject().Visit(func(key []byte, v *fastjson.Value) {
		p.tags = append(p.tags, sydradb.Tag{Key: string(key), Value: string(v.GetStringBytes())})
	})
	return p.tags
}

// hasLoneSurrogate reports whether valid JSON holds a \u escape of one half of a
// surrogate pair without the other: it stands for no character.
func hasLoneSurrogate(text []byte) bool {
	half := func(i int) uint64 { // the top six bits of the escape at i, which tell
		if i+6 > len(text) || text[i] != '\\' || text[i+1] != 'u' {
			return 0
		}
		unit, err := strconv.ParseUint(string(text[i+2:i+6]), 16, 16)
		if err != nil {
			return 0
		}
		return unit >> 10
	}
	const high, low = 0xd800 >> 10, 0xdc00 >> 10
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		switch half(i) {
		case low:
			return true
		case high:
			if half(i+6) != low {
				return true
			}
			i += 6 + 5
		default:
			i++ // the escaped character may be a backslash
		}
	}
	return false
}

// clip quotes text for an error, short enough for a line of a terminal.
func clip(text []byte) string {
	const most = 40
	if len(text) > most {
		return strconv.Quote(string(text[:most])) + "..."
	}
	return strconv.Quote(string(text))
}
