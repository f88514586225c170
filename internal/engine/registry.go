package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/dict"
	"github.com/sydradb/sydradb/internal/tags"
)

// registry knows the series: their names in the catalog, the index over their tags,
// and which of them the CATALOG file does not hold yet.
//
// A series enters the catalog when a caller resolves it, but the index, and with it
// the sight of readers, only when a log record has introduced it: what was never
// written is never found.
type registry struct {
	catalog *catalog.Catalog
	index   *tags.Index

	mu struct {
		sync.Mutex
		unsaved []base.Ordinal // in the log, not in the CATALOG file, in log order
		pairs   []uint32       // reused
	}
}

func newRegistry(hash func([]byte) uint64) *registry {
	d := dict.New()
	return &registry{
		catalog: catalog.New(d, catalog.Options{Hash: hash}),
		index:   tags.New(d),
	}
}

// logged takes note that a log record with these registrations has been written.
// Requires: the write lock of the state, or no readers yet.
func (r *registry) logged(regs []base.Registration) {
	fresh := r.catalog.SetLogged(regs)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, reg := range fresh {
		r.indexLocked(reg.Ordinal)
		r.mu.unsaved = append(r.mu.unsaved, reg.Ordinal)
	}
}

// replayed is logged for a record that recovery has read.
func (r *registry) replayed(regs []base.Registration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, reg := range regs {
		known := r.catalog.Known(reg.Ordinal) && (reg.Name == "" || r.catalog.Name(reg.Ordinal) != "")
		if err := r.catalog.Register(reg); err != nil {
			return err
		}
		if !known {
			r.indexLocked(reg.Ordinal)
			r.mu.unsaved = append(r.mu.unsaved, reg.Ordinal)
		}
	}
	return nil
}

// named lets a series that readers know by its id be found under the name that it may
// just have got. What no log record has introduced stays unknown.
func (r *registry) named(o base.Ordinal) {
	if !r.catalog.Unlogged() || !r.index.Contains(o) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.indexLocked(o)
}

// indexAll makes all series of the catalog known to readers: those that the CATALOG
// file holds.
func (r *registry) indexAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for o := range r.catalog.Limit() {
		if r.catalog.Known(o) {
			r.indexLocked(o)
		}
	}
}

// indexLocked makes the series o known to readers. Requires: r.mu.
func (r *registry) indexLocked(o base.Ordinal) {
	r.mu.pairs = r.catalog.Pairs(r.mu.pairs[:0], o)
	r.index.Add(o, r.mu.pairs)
}

// takeUnsaved returns the series that the CATALOG file lacks, for a flush to append.
func (r *registry) takeUnsaved() []base.Ordinal {
	r.mu.Lock()
	defer r.mu.Unlock()
	unsaved := r.mu.unsaved
	r.mu.unsaved = nil
	return unsaved
}

// series returns the description of a series.
func (r *registry) series(o base.Ordinal) *Series {
	s := &Series{Ordinal: o, ID: r.catalog.ID(o)}
	s.Name, s.Tags = r.catalog.Describe(nil, o)
	if s.Name == "" {
		s.Name = fmt.Sprintf("%s%x", namelessPrefix, uint64(s.ID))
	}
	return s
}

// selection is a Selector whose costly part has been evaluated.
type selection struct {
	reg   *registry
	ids   []base.SeriesID // if not empty, only series with these ids
	query *tags.Query     // if not nil, only series that it selects
}

// prepare evaluates what of sel may take long, so that ordinals is quick.
func (r *registry) prepare(sel Selector) selection {
	s := selection{reg: r, ids: sel.IDs}
	if len(s.ids) > 0 {
		return s
	}
	matchers := sel.Matchers
	if !sel.Any {
		s.ids, matchers = r.cutNameless(matchers)
	}
	s.query = r.index.Prepare(matchers, sel.Any)
	return s
}

// cutNameless takes the condition name="series:<id>" out of matchers, if there is a
// series that is known by this id only: that is how such a series is shown.
func (r *registry) cutNameless(matchers []tags.Matcher) ([]base.SeriesID, []tags.Matcher) {
	for i, m := range matchers {
		text, ok := strings.CutPrefix(m.Value(), namelessPrefix)
		if !ok || m.Key() != base.NameKey || m.Type() != tags.Equal {
			continue
		}
		id, err := strconv.ParseUint(text, 16, 64)
		if err != nil {
			continue
		}
		if o, ok := r.catalog.ByID(base.SeriesID(id)); ok && r.catalog.Name(o) == "" {
			return []base.SeriesID{base.SeriesID(id)}, slices.Concat(matchers[:i], matchers[i+1:])
		}
	}
	return nil, matchers
}

// ordinals returns the series selected now, ascending.
func (s selection) ordinals() []base.Ordinal {
	if len(s.ids) == 0 {
		return s.query.Select()
	}
	var found []base.Ordinal
	for _, id := range s.ids {
		if o, ok := s.reg.catalog.ByID(id); ok && s.reg.index.Contains(o) {
			found = append(found, o)
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	if s.query != nil {
		selected := s.query.Select()
		found = slices.DeleteFunc(found, func(o base.Ordinal) bool {
			_, ok := slices.BinarySearch(selected, o)
			return !ok
		})
	}
	return found
}
