package engine

import (
	"errors"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/dict"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/segment"
	"github.com/sydradb/sydradb/internal/tags"
)

// A series that was written is dead when no memtable, live file, record of the log above flushed_lsn or
// batch on its way names it. It then leaves the index and the catalog, and its ordinal
// is void for as long as the process runs. Handles then keep name and tags: what is written
// through them registers the series anew, under another ordinal and the same id.
//
// Maintenance looks for such series after points have gone, by going through all files;
// the writer loop declares them dead between two groups, if no memtable names them
// either. Batches that were encoded before are recognised by the number of deaths that
// they carry, see writer.refuse. When a quarter of the catalog is dead, the register is
// built anew without them, and so is the CATALOG file, as its next generation.

// bury finds the series that are dead and lets them go. With all set the register and
// CATALOG are made anew even if few of theirs are dead.
func (m *maintenance) bury(all bool) error {
	if m.writer.failed() != nil {
		return nil
	}
	if m.stale {
		if err := m.nextGeneration(); err != nil {
			return err
		}
	}
	if !m.removed {
		return nil
	}
	const tries = 3 // flushes may keep on bringing files
	for range tries {
		done, err := m.tryBury(all)
		if err != nil || done {
			// What a damaged pack names is not known, now or when asked again.
			m.removed = err != nil && !errors.Is(err, base.ErrCorrupt)
			return err
		}
	}
	return nil // the next round tries again
}

// tryBury is bury for the files of this moment. It returns false if there were others
// when the loop had its say.
func (m *maintenance) tryBury(all bool) (done bool, err error) {
	files, _, _ := m.state.moment()
	reg := m.reg.now()
	cat := reg.catalog
	limit := cat.Limit() // later ones are alive
	named, err := m.namedInFiles(files, cat, limit)
	if err != nil {
		return false, err
	}
	var candidates []base.Ordinal
	for o := range cat.Living() {
		if o < limit && !named.has(o) && reg.index.Contains(o) {
			candidates = append(candidates, o)
		}
	}
	if len(candidates) == 0 && (!all || cat.Dead() == 0) {
		return true, nil
	}
	renewed := false
	if !m.writer.between(func() { done, renewed = m.declareDead(files, candidates, all) }) {
		return true, nil // closing
	}
	if renewed {
		err = m.nextGeneration()
	}
	return done, err
}

// ordinalSet is a set of ordinals.
type ordinalSet []uint64

func (s ordinalSet) add(o base.Ordinal)      { s[o/64] |= 1 << (o % 64) }
func (s ordinalSet) has(o base.Ordinal) bool { return s[o/64]&(1<<(o%64)) != 0 }

// namedInFiles returns the series below limit that have points in files.
func (m *maintenance) namedInFiles(files *fileSet, cat *catalog.Catalog, limit base.Ordinal) (ordinalSet, error) {
	named := make(ordinalSet, limit/64+1)
	note := func(id base.SeriesID) {
		if o, known := cat.ByID(id); known && o < limit {
			named.add(o)
		}
	}
	for _, r := range files.runs {
		for i := range r.segments {
			note(r.segments[i].SeriesID)
		}
		for _, p := range r.packs {
			if err := m.eachSeries(p, note); err != nil {
				return nil, err
			}
		}
	}
	return named, nil
}

// eachSeries calls fn for each series of a pack.
func (m *maintenance) eachSeries(p *packFile, fn func(base.SeriesID)) error {
	var packs packReaders
	defer packs.close()
	pack, err := packs.open(m.fs, newCache(0), p)
	if err != nil {
		return err
	}
	return pack.reader.All(func(s *segment.PackSeries) error {
		fn(s.ID)
		return nil
	})
}

// declareDead lets go of those candidates that no memtable names, if the live files are
// still those in which they were looked for. It runs in the writer loop. renewed reports
// that the register was built anew: when a quarter is dead, or any with all set.
func (m *maintenance) declareDead(files *fileSet, candidates []base.Ordinal, all bool) (done, renewed bool) {
	s := m.state
	m.reg.renewal.Lock()
	defer m.reg.renewal.Unlock()
	s.mu.Lock()
	if s.mu.files != files {
		s.mu.Unlock()
		return false, false
	}
	dead := slices.DeleteFunc(candidates, func(o base.Ordinal) bool {
		return s.mu.active.Names(o) || s.mu.frozen != nil && s.mu.frozen.Names(o)
	})
	reg := m.reg.now()
	if len(dead) > 0 {
		reg.index.Remove(dead, reg.catalog.Pairs)
		m.reg.bury(reg, dead)
		m.reg.deaths.Add(1)
		m.logger.Debug("series are dead", "count", len(dead))
	}
	s.mu.Unlock()

	gone := reg.catalog.Dead()
	if gone == 0 || !all && gone*4 < gone+reg.catalog.Len() {
		return true, false
	}
	m.renew(reg)
	return true, true
}

// renew replaces the register by one without the dead. Readers go on with the old one
// meanwhile. Requires: the writer loop, and reg.renewal for writing.
func (m *maintenance) renew(old *register) {
	d := dict.New()
	next := &register{dict: d, catalog: old.catalog.Renew(d), index: tags.New(d)}
	var pairs []uint32
	for o := range next.catalog.Living() {
		if old.index.Contains(o) {
			pairs = next.catalog.Pairs(pairs[:0], o)
			next.index.Add(o, pairs)
		}
	}
	m.state.mu.Lock()
	m.reg.current.Store(next)
	m.state.mu.Unlock()
	m.reg.handles.renew()
}

// nextGeneration writes the CATALOG file anew, without the dead.
func (m *maintenance) nextGeneration() error {
	reg := m.reg.now()
	living := func() (living []base.Ordinal) {
		for o := range reg.catalog.Living() {
			if reg.index.Contains(o) { // what no record has introduced is in no file
				living = append(living, o)
			}
		}
		return living
	}
	err := m.reserve.try("a catalog without the dead", func() error { return m.ledger.nextGeneration(reg.catalog, living) })
	m.stale = err != nil
	return err
}

// nextGeneration writes the living series to a new CATALOG file, which takes the place of
// the old one with the next edit. living is called when no flush can add to the old file
// any more: all that flushes have added is among them.
func (l *ledger) nextGeneration(c *catalog.Catalog, living func() []base.Ordinal) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return l.failed
	}
	old := l.catalog
	next, err := catalog.CreateFile(l.fs, old.Generation()+1)
	if errors.Is(err, catalog.ErrFailed) && !errors.Is(err, fsys.ErrTooManyFiles) {
		// Another attempt would find the name there, and no sync would save it any more;
		// unless the directory was not even opened.
		return l.failLocked(err)
	}
	if err != nil {
		return err
	}
	path := base.CatalogFile(next.Generation())
	if _, err = next.Append(c, living()); err == nil {
		l.catalog = next
		err = l.commitLocked(0, manifest.Edit{}, nil)
	}
	switch {
	case errors.Is(err, ErrStorageFailed):
		return errors.Join(err, old.Close()) // the edit may be on disk
	case err != nil:
		l.catalog = old
		return errors.Join(err, next.Close(), l.fs.Remove(path))
	}
	l.sizes.catalog.Store(next.Bytes())
	l.logger.Debug("catalog written anew", "generation", next.Generation(), "bytes", next.Bytes())
	// A file of another generation is nothing that an opening minds.
	if err := errors.Join(old.Close(), l.fs.Remove(base.CatalogFile(old.Generation()))); err != nil {
		l.logger.Warn("cannot remove the catalog of an earlier generation", "error", err)
	}
	return nil
}
