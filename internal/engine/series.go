package engine

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/blocks"
)

// Series is the handle of a series, as callers know it: what its methods say never
// changes. There may be millions of them, so that a handle keeps neither name nor tags:
// the catalog has them, until the series is dead. It is safe for concurrent use.
type Series struct {
	engine  *Engine
	id      base.SeriesID
	ordinal atomic.Uint32 // changes when a dead series is written to again

	// own is what the handle itself keeps: always of a series known by id only, which may
	// get a name later, else from the death of the series on.
	own atomic.Pointer[description]
}

// A handle takes 32 bytes for each series that a caller prepares.
var _ [32]byte = [8 + 8 + 8 + 8]byte{}

// description is the name and the tags of a series.
type description struct {
	name     string
	tags     []base.Tag // sorted by key
	nameless bool       // name was made of the id
}

// namelessPrefix stands before the id in the name shown for a series known by id only.
const namelessPrefix = "series:"

// Engine returns the engine that the series is of.
func (s *Series) Engine() *Engine { return s.engine }

// ID returns the id of the series.
func (s *Series) ID() base.SeriesID { return s.id }

// Ordinal returns the number that stands for the series in batches written now.
func (s *Series) Ordinal() base.Ordinal { return base.Ordinal(s.ordinal.Load()) }

// Alive reports whether s stands for a series that the database knows: not from when the series
// is declared dead, for it has no points any more, until something is written through s.
func (s *Series) Alive() bool { return s.engine.reg.now().catalog.Known(s.Ordinal()) }

// Name returns the name of the series.
func (s *Series) Name() string {
	for {
		if d := s.own.Load(); d != nil {
			return d.name
		}
		if name := s.engine.reg.now().catalog.Name(s.Ordinal()); name != "" {
			return name
		}
		// It died since own was looked at, and keeps its description by now.
	}
}

// Tags returns the tags of the series, sorted by key, in a slice of the caller's.
func (s *Series) Tags() []base.Tag {
	for {
		if d := s.own.Load(); d != nil {
			return slices.Clone(d.tags)
		}
		if reg, alive := s.engine.reg.now().catalog.Get(s.Ordinal()); alive {
			return reg.Tags
		}
	}
}

// handleTable holds those of the living series that have a name, as far as a caller ever asked
// for one. Each of them has one handle, so that a series that dies finds who needs to know
// its name and tags from then on.
type handleTable struct {
	mu struct {
		sync.RWMutex
		series blocks.Array[*Series] // by ordinal
	}
}

// handle returns a handle of the series o, nil if it is dead. If reg is not in use any
// more it makes none: a series that has died since is alive there still, and nobody would
// come to its handle to leave the name.
func (r *registry) handle(reg *register, o base.Ordinal) *Series {
	h := &r.handles
	h.mu.RLock()
	s := h.mu.series.At(uint32(o))
	h.mu.RUnlock()
	if s != nil {
		return s
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if s = h.mu.series.At(uint32(o)); s != nil {
		return s
	}
	id, named, alive := reg.catalog.Lookup(o)
	if !alive || reg != r.now() {
		return nil
	}
	s = &Series{engine: r.engine, id: id}
	s.ordinal.Store(uint32(o))
	if named {
		*h.mu.series.Slot(uint32(o)) = s
		return s
	}
	_, tags := reg.catalog.Describe(nil, o)
	s.own.Store(&description{namelessName(id), tags, true})
	return s
}

// bury lets go of the series in dead. Their handles keep name and tags. Requires: the
// writer loop, and renewal for writing.
func (r *registry) bury(reg *register, dead []base.Ordinal) {
	h := &r.handles
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range dead {
		if s := h.mu.series.At(uint32(o)); s != nil {
			name, tags := reg.catalog.Describe(nil, o)
			s.own.Store(newDescription(name, tags))
			*h.mu.series.Slot(uint32(o)) = nil
		}
	}
	reg.catalog.Kill(dead)
}

// renew gives back the memory that handles of dead series have left behind.
func (h *handleTable) renew() {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := h.mu.series
	h.mu.series = blocks.Array[*Series]{}
	for o, s := range old.From(0) {
		if s != nil {
			*h.mu.series.Slot(o) = s
		}
	}
}

// newDescription returns a description that shares no memory with its arguments, in which
// a dictionary would live on.
func newDescription(name string, tags []base.Tag) *description {
	var text strings.Builder
	text.WriteString(name)
	for _, t := range tags {
		text.WriteString(t.Key)
		text.WriteString(t.Value)
	}
	rest := text.String()
	next := func(like string) (s string) {
		s, rest = rest[:len(like)], rest[len(like):]
		return s
	}
	d := &description{name: next(name), tags: make([]base.Tag, len(tags))}
	for i, t := range tags {
		d.tags[i] = base.Tag{Key: next(t.Key), Value: next(t.Value)}
	}
	return d
}
