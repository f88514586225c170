package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/lineproto"
	"github.com/sydradb/sydradb/server/internal/literal"
)

// influxParser reads InfluxDB line protocol, see package lineproto.
type influxParser struct {
	cache *Cache
	unit  literal.Unit
	now   func() int64
	lines *lineproto.Parser
}

func newInfluxParser(cache *Cache, o ParserOptions) *influxParser {
	return &influxParser{cache: cache, unit: o.Unit, now: o.Now, lines: lineproto.NewParser(lineproto.NewTable(0, 0))}
}

// Series implements lineproto.Resolver.
func (c *Cache) Series(name string, tags []sydradb.Tag, _ int64) (*sydradb.Series, error) {
	size := len(name)
	for i := range tags {
		size += len(tags[i].Key) + len(tags[i].Value)
	}
	return c.lookUp(size, name, tags)
}

func (p *influxParser) Err() error { return nil }

func (p *influxParser) Parse(record []byte, out Points) Outcome {
	// Tabs before a line are no part of the protocol, but of what editors make of it.
	if record = bytes.TrimLeft(record, " \t"); len(record) == 0 || record[0] == '#' {
		return Outcome{}
	}
	options := lineproto.Options{Unit: time.Duration(p.unit)}
	if p.now != nil {
		options.Now = p.now()
	}
	var o Outcome
	p.lines.Reset(record, p.cache, options)
	for line := p.lines.Next(); line != nil; line = p.lines.Next() {
		for _, r := range line.Refused {
			o.refuse(p.explain(&r))
		}
		o.Rounded += line.Rounded
		for _, pt := range line.Points {
			if err := out.Add(pt.Series, line.Time, pt.Value); err != nil {
				o.refuse(err)
			}
		}
	}
	return o
}

// explain returns why a part of a line was refused.
func (p *influxParser) explain(r *lineproto.Refusal) error {
	var time *lineproto.TimeError
	switch {
	case errors.As(r.Err, &time):
		return timeError("timestamp", time.Text, p.unit, time.Err)
	case r.Field != nil:
		return fmt.Errorf("field %s: %w", clip(r.Field), r.Err)
	}
	return r.Err
}
