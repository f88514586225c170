package engine

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/segment"
)

// reach counts what scripts come to: a test that plays them without getting there would
// show nothing.
type reach struct {
	Merges, Packs, DayPacks, Blocks, Segments int // Blocks: series with several in a pack
	Deletions, DeletionsDone                  int
	Mixed, Refused, Hidden                    int // Mixed: packs of which one class has gone
	Deaths, Reborn, Generations               int
	Snapshots, ReadOnly                       int
	Summed                                    int // blocks whose statistics stood for them

	deletions int // of the last look
	merges    int64
	packs     map[string]bool
}

// look counts what there is. Requires: the engine rests.
func (c *reach) look(e *Engine) {
	stats := e.Stats()
	if stats.Merges < c.merges {
		c.merges = 0 // another engine
	}
	c.Merges += int(stats.Merges - c.merges)
	c.merges = stats.Merges
	if stats.Deletions > 0 {
		c.Deletions++
	}
	if stats.Deletions < c.deletions {
		c.DeletionsDone++
	}
	c.deletions = stats.Deletions
	if stats.Packs > 0 {
		c.Packs++
	}
	if stats.SegmentFiles > stats.Packs {
		c.Segments++
	}
	if e.reg.deaths.Load() > 0 {
		c.Deaths++
	}
	if e.state.tooOld.Load() > base.MinTime {
		c.Hidden++
	}
	e.ledger.read(func(s *manifest.State) {
		if s.Catalog.Generation > 1 {
			c.Generations++
		}
	})
	_ = e.maintenance.do(context.Background(), func(context.Context) error {
		c.Mixed += len(e.maintenance.expiry.rewrite)
		c.lookIntoPacks(e)
		return nil
	})
}

// lookIntoPacks counts what is new in the packs that are live.
func (c *reach) lookIntoPacks(e *Engine) {
	files, _, _ := e.state.moment()
	if c.packs == nil {
		c.packs = make(map[string]bool)
	}
	for _, r := range files.runs {
		for _, p := range r.packs {
			if c.packs[p.Path] {
				continue
			}
			c.packs[p.Path] = true
			if p.BucketWidth() == base.Day {
				c.DayPacks++
			}
			var packs packReaders
			if pack, err := packs.open(e.fs, newCache(0), p); err == nil {
				_ = pack.reader.All(func(s *segment.PackSeries) error {
					if len(s.Blocks) > 1 {
						c.Blocks++
					}
					return nil
				})
			}
			packs.close()
		}
	}
}

// ordinals returns the ordinals of the handles.
func (c *reach) ordinals(h handles) map[string]base.Ordinal {
	all := make(map[string]base.Ordinal, len(h))
	for key, s := range h {
		all[key] = s.Ordinal()
	}
	return all
}

// written counts what a batch came to.
func (c *reach) written(h handles, before map[string]base.Ordinal, err error) {
	if errors.Is(err, ErrTooOld) {
		c.Refused++
	}
	for key, s := range h {
		if o, ok := before[key]; ok && o != s.Ordinal() {
			c.Reborn++
		}
	}
}

// missing names what has never been reached.
func (c *reach) missing() (names []string) {
	v := reflect.ValueOf(*c)
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() && v.Field(i).Int() == 0 {
			names = append(names, f.Name)
		}
	}
	return names
}

func (c *reach) String() string {
	out := ""
	v := reflect.ValueOf(*c)
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() {
			out += fmt.Sprintf(" %s=%d", f.Name, v.Field(i).Int())
		}
	}
	return out
}
