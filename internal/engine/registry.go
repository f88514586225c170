package engine

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/dict"
	"github.com/sydradb/sydradb/internal/tags"
)

// register is the catalog of series and the index over their tags, which share a
// dictionary and so are replaced together.
type register struct {
	dict    *dict.Dict
	catalog *catalog.Catalog
	index   *tags.Index
}

// registry knows the series: their names in the catalog, the index over their tags,
// and which of them the CATALOG file does not hold yet.
//
// A series enters the catalog when a caller resolves it, but the index, and with it
// the sight of readers, only when a log record has introduced it: what was never
// written is never found. It leaves both when it is dead, see lifecycle.go.
type registry struct {
	engine  *Engine // set before the first handle is made
	current atomic.Pointer[register]
	handles handleTable

	// renewal is held for reading by those who add series, other than the writer loop,
	// and for writing by the loop while it replaces the register.
	renewal sync.RWMutex

	// deaths counts how often series have been declared dead. A batch carries the
	// number under which it was encoded.
	deaths atomic.Uint64

	mu struct {
		sync.Mutex
		unsaved []base.Ordinal // in the log, not in the CATALOG file, in log order
		fresh   []base.Ordinal // reused, like what follows
		pairs   []uint32
		ends    []int
	}
}

func newRegistry(opts Options) *registry {
	d := dict.New()
	r := &registry{}
	r.current.Store(&register{
		dict:    d,
		catalog: catalog.New(d, catalog.Options{Hash: opts.HashSeries, MaxSeries: opts.MaxSeries}),
		index:   tags.New(d),
	})
	return r
}

// now returns the register in use.
func (r *registry) now() *register { return r.current.Load() }

// resolve returns the series with this name and these tags, registering it if it is new.
func (r *registry) resolve(name string, tags []base.Tag) (*Series, error) {
	return r.register(func(reg *register) (base.Ordinal, error) {
		o, err := reg.catalog.Resolve(name, tags)
		if err == nil {
			r.named(reg, o)
		}
		return o, err
	})
}

// resolveID returns the series with this id, registering one without a name if it is new.
func (r *registry) resolveID(id base.SeriesID, tags []base.Tag) (*Series, error) {
	return r.register(func(reg *register) (base.Ordinal, error) { return reg.catalog.ResolveID(id, tags) })
}

// register returns the series that resolve finds or makes. No series dies meanwhile.
func (r *registry) register(resolve func(*register) (base.Ordinal, error)) (*Series, error) {
	r.renewal.RLock()
	defer r.renewal.RUnlock()
	reg := r.now()
	o, err := resolve(reg)
	if err != nil {
		return nil, err
	}
	return r.handle(reg, o), nil
}

// refresh registers s anew if its ordinal has become void.
func (r *registry) refresh(s *Series) error {
	if s.Alive() {
		return nil
	}
	var again *Series
	var err error
	if d := s.own.Load(); d != nil && d.nameless {
		again, err = r.resolveID(s.id, d.tags)
	} else {
		again, err = r.resolve(s.Name(), s.Tags())
	}
	if err == nil {
		s.ordinal.Store(uint32(again.Ordinal()))
	}
	return err
}

// logged takes note that a log record with these registrations has been written.
// Requires: the write lock of the state, or no readers yet; the writer loop.
func (r *registry) logged(regs []base.Registration) {
	reg := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.fresh = reg.catalog.SetLogged(r.mu.fresh[:0], regs)
	r.indexLocked(reg, r.mu.fresh)
	r.mu.unsaved = append(r.mu.unsaved, r.mu.fresh...)
}

// replayed takes note of a registration that recovery has read in the log. Readers see
// nothing of it until indexAll.
func (r *registry) replayed(reg base.Registration) error {
	now := r.now()
	known := now.catalog.Known(reg.Ordinal) && (reg.Name == "" || now.catalog.Name(reg.Ordinal) != "")
	if err := now.catalog.Register(reg); err != nil {
		return err
	}
	if !known {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.mu.unsaved = append(r.mu.unsaved, reg.Ordinal)
	}
	return nil
}

// named lets a series that readers know by its id be found under the name that it may
// just have got. What no log record has introduced stays unknown.
func (r *registry) named(reg *register, o base.Ordinal) {
	if !reg.catalog.Unlogged() || !reg.index.Contains(o) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.indexLocked(reg, []base.Ordinal{o})
}

// indexAll makes all series known to readers that recovery has found in the CATALOG file
// and in the log.
func (r *registry) indexAll() {
	reg := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	living := make([]base.Ordinal, 0, indexMany)
	for o := range reg.catalog.Living() {
		if living = append(living, o); len(living) == indexMany {
			r.indexLocked(reg, living)
			living = living[:0]
		}
	}
	r.indexLocked(reg, living)
	// A series that died may have come back under another ordinal.
	r.mu.unsaved = slices.DeleteFunc(r.mu.unsaved, func(o base.Ordinal) bool { return !reg.catalog.Known(o) })
}

// indexMany is how many series enter the index at a time: what passes from catalog to index
// then stays in the processor's cache.
const indexMany = 256

// indexLocked makes series known to readers. Requires: r.mu.
func (r *registry) indexLocked(reg *register, ordinals []base.Ordinal) {
	for some := range slices.Chunk(ordinals, indexMany) {
		r.mu.pairs, r.mu.ends = reg.catalog.AppendPairs(r.mu.pairs[:0], r.mu.ends[:0], some)
		reg.index.AddMany(some, r.mu.pairs, r.mu.ends)
	}
}

// takeUnsaved returns the series that the CATALOG file lacks, for a flush to append.
func (r *registry) takeUnsaved() []base.Ordinal {
	r.mu.Lock()
	defer r.mu.Unlock()
	unsaved := r.mu.unsaved
	r.mu.unsaved = nil
	return unsaved
}

// selection is a Selector whose costly part has been evaluated.
type selection struct {
	reg   *register
	ids   []base.SeriesID // if not empty, only series with these ids
	query *tags.Query     // if not nil, only series that it selects
}

// prepare evaluates what of sel may take long, so that ordinals is quick.
func (r *register) prepare(sel Selector) selection {
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
func (r *register) cutNameless(matchers []tags.Matcher) ([]base.SeriesID, []tags.Matcher) {
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
