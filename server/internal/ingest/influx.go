package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
)

// influxParser reads InfluxDB line protocol:
//
//	weather,room=kitchen temp=24.2,open=f 1694300000000000000
//
// Each field is a series of its own, see fieldSeries. Booleans become 0 and 1,
// strings are refused.
type influxParser struct {
	cache *Cache
	unit  literal.Unit
	now   func() int64

	sets   map[string]*fieldSet // by measurement and tags, as written
	fields []fieldValue         // of the current line
	short  []byte
}

// fieldSet holds the series of one measurement and one set of tags.
type fieldSet struct {
	name   string
	tags   []sydradb.Tag
	text   string // measurement and tags as written
	series map[string]*sydradb.Series
}

// maxSets bounds the memory that inputs with very many sets of tags take.
const maxSets = 1 << 17

type fieldValue struct {
	series *sydradb.Series
	value  float64
}

var errString = errors.New("strings are not stored")

func (p *influxParser) Err() error { return nil }

func (p *influxParser) Parse(record []byte, out Points) Outcome {
	record = bytes.TrimLeft(record, " \t")
	if len(record) == 0 || record[0] == '#' {
		return Outcome{}
	}
	// A set of tags that was seen before is known by its text. The decoder then gets
	// the line with a short measurement in its place and is spared most of the work.
	key := setText(record)
	if len(key) == len(record) {
		return refused(errors.New("no fields after measurement and tags"))
	}
	set := p.sets[string(key)]
	var d *lineprotocol.Decoder
	cut := 0
	if set == nil {
		d = lineprotocol.NewDecoderWithBytes(record)
	} else {
		p.short = append(append(p.short[:0], 'm'), record[len(key):]...)
		d = lineprotocol.NewDecoderWithBytes(p.short)
		cut = len(key) - 1
	}
	if !d.Next() {
		return refused(errors.New("no measurement found"))
	}
	var err error
	known := set != nil
	if !known {
		if set, err = newFieldSet(key, d); err != nil {
			return refused(explain(err, cut))
		}
	}
	o, err := p.readFields(d, set)
	if err != nil {
		return refused(explain(err, cut))
	}
	if !known {
		p.keep(set)
	}
	ts, err := p.time(d)
	if err != nil {
		return refused(explain(err, cut))
	}
	for _, f := range p.fields {
		if err := out.Add(f.series, ts, f.value); err != nil {
			o.refuse(err)
		}
	}
	return o
}

// setText returns the measurement and tags of a line, as written: all up to the
// first space that no backslash escapes.
func setText(record []byte) []byte {
	from := 0
	for {
		i := bytes.IndexByte(record[from:], ' ')
		if i < 0 {
			return record
		}
		i += from
		if i == 0 || record[i-1] != '\\' {
			return record[:i]
		}
		from = i + 1
	}
}

// newFieldSet reads measurement and tags, whose text is key.
func newFieldSet(key []byte, d *lineprotocol.Decoder) (*fieldSet, error) {
	name, err := d.Measurement()
	if err != nil {
		return nil, err
	}
	set := &fieldSet{name: string(name), text: string(key), series: make(map[string]*sydradb.Series)}
	for {
		k, v, err := d.NextTag()
		if err != nil {
			return nil, err
		}
		if k == nil {
			break
		}
		set.tags = append(set.tags, sydradb.Tag{Key: string(k), Value: string(v)})
	}
	return set, nil
}

func (p *influxParser) keep(set *fieldSet) {
	if len(p.sets) >= maxSets || p.sets == nil {
		p.sets = make(map[string]*fieldSet)
	}
	p.sets[set.text] = set
}

// readFields collects the fields of a line in p.fields: what precedes them in the
// line was read, and the time follows them. The error concerns the line as a whole.
func (p *influxParser) readFields(d *lineprotocol.Decoder, set *fieldSet) (Outcome, error) {
	p.fields = p.fields[:0]
	var o Outcome
	for {
		key, kind, text, err := d.NextFieldBytes()
		if err != nil {
			return o, err
		}
		if key == nil {
			return o, nil
		}
		value, rounded, err := fieldNumber(kind, text)
		if err == nil {
			var s *sydradb.Series
			if s, err = p.series(set, key); err == nil {
				p.fields = append(p.fields, fieldValue{s, value})
			}
		}
		if err != nil {
			o.refuse(fmt.Errorf("field %s: %w", clip(key), err))
		} else if rounded {
			o.Rounded++
		}
	}
}

func (p *influxParser) series(set *fieldSet, field []byte) (*sydradb.Series, error) {
	if s := set.series[string(field)]; s != nil {
		return s, nil
	}
	name := fieldSeries(set.name, string(field))
	s, err := p.cache.lookUp(len(set.text)+len(name), name, set.tags)
	if err != nil {
		return nil, err
	}
	set.series[string(field)] = s
	return s, nil
}

// fieldNumber converts the text of a field. rounded means that the text is an integer
// that a float64 cannot hold.
func fieldNumber(kind lineprotocol.ValueKind, text []byte) (value float64, rounded bool, err error) {
	switch kind {
	case lineprotocol.Float:
		value, err = literal.ParseNumber(text)
		return value, false, err
	case lineprotocol.Int:
		n, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			return 0, false, literal.ErrValueRange
		}
		value = float64(n)
		return value, value >= 1<<63 || int64(value) != n, nil
	case lineprotocol.Uint:
		n, err := strconv.ParseUint(string(text), 10, 64)
		if err != nil {
			return 0, false, literal.ErrValueRange
		}
		value = float64(n)
		return value, value >= 1<<64 || uint64(value) != n, nil
	case lineprotocol.Bool:
		v, err := lineprotocol.NewValueFromBytes(kind, text)
		if err != nil {
			return 0, false, err
		}
		if v.BoolV() {
			return 1, false, nil
		}
		return 0, false, nil
	}
	return 0, false, errString
}

func (p *influxParser) time(d *lineprotocol.Decoder) (int64, error) {
	text, err := d.TimeBytes()
	if err != nil {
		return 0, err
	}
	if text == nil {
		return p.now(), nil
	}
	ts, err := literal.ParseTime(text, p.unit)
	if err != nil {
		return 0, timeError("timestamp", text, p.unit, err)
	}
	return ts, nil
}

// explain turns an error of the decoder, which saw the line without its first cut
// bytes, into one about the line.
func explain(err error, cut int) error {
	var syntax *lineprotocol.DecodeError
	if errors.As(err, &syntax) {
		return fmt.Errorf("column %d: %w", syntax.Column+cut, syntax.Err)
	}
	return err
}
