package engine

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"maps"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/dict"
	"github.com/sydradb/sydradb/internal/frame"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/segment"
)

// catalogRepair is the next generation of the catalog: what the sound frames of the old
// one say, and the log, and the ids that files name. A series stands in two kinds of
// frames, either of which tells its id; if its name is lost, it is known by its id until
// somebody writes to it by name.
type catalogRepair struct {
	series     *catalog.Catalog
	lostBytes  int64 // of frames that are damaged
	source     string
	generation uint64 // to be written; 0 for none
	strangers  int    // series of files that nothing else knows
}

// maxCatalogFrame bounds the frames that are looked for behind a damaged one: that of one
// series with the longest key is shorter.
const maxCatalogFrame = 2 << 20

// loadCatalog takes in all sound frames of the catalog.
func (r *Repair) loadCatalog() error {
	c := &r.catalog
	*c = catalogRepair{series: catalog.New(dict.New(), catalog.Options{Hash: r.hash})}
	file, limit, err := r.catalogSource()
	if err != nil || file == "" {
		return err
	}
	c.source = file
	data, err := fsys.ReadFile(r.fs, file)
	if err != nil {
		return err
	}
	if limit >= 0 && isAnother(data, limit, r.check.state.Catalog.CRC) {
		c.lostBytes = int64(len(data))
		return nil
	}
	if limit >= 0 && limit < int64(len(data)) {
		data = data[:limit]
	}
	for len(data) > 0 {
		n := frameLen(data)
		if n == 0 {
			// Its length may be what is damaged, and yet lead to where some frame ends.
			n = searchFrame(data)
			c.lostBytes += int64(n)
		} else if loadFrame(data[:n], c.series) != nil {
			c.lostBytes += int64(n)
		}
		data = data[n:]
	}
	return nil
}

// isAnother reports whether a catalog is that of another database: all of it is sound, but
// no frame ends where one did when MANIFEST said so, or what ends there has another
// checksum. To take its ordinals for those in the log would give points to series that
// they are not of.
func isAnother(data []byte, limit int64, crc string) bool {
	if limit > int64(len(data)) {
		return false // what there is may be the beginning of ours
	}
	ends := limit == 0
	for at := 0; at < len(data); {
		n := frameLen(data[at:])
		if n == 0 {
			return false
		}
		at += n
		ends = ends || int64(at) == limit
	}
	return !ends || crc != "" && catalog.CRC(data[:limit]) != crc
}

// catalogSource returns the file that frames are taken from, "" if there is none: that of
// the generation which MANIFEST names, as far as it vouches for it; if that is missing,
// or lines of MANIFEST are, or the log shows that they must be, whatever there is of the
// latest.
func (r *Repair) catalogSource() (file string, limit int64, err error) {
	at := r.check.state.Catalog
	if at.Generation > 0 {
		file := base.CatalogFile(at.Generation)
		found, err := fsys.Exists(r.fs, file)
		switch {
		case err != nil:
			return "", 0, err
		case found && r.check.whole && !r.log.gap:
			return file, at.Bytes, nil
		case found:
			return file, -1, nil
		}
	}
	latest, err := r.latestGeneration()
	if err != nil || latest == 0 {
		return "", 0, err
	}
	return base.CatalogFile(latest), -1, nil
}

// latestGeneration returns the highest generation of which there is a file, 0 for none.
func (r *Repair) latestGeneration() (latest uint64, err error) {
	entries, err := r.fs.List("")
	for _, e := range entries {
		if generation, ok := base.ParseCatalogFile(e.Name); ok && e.Regular {
			latest = max(latest, generation)
		}
	}
	return latest, err
}

// frameLen returns the length of the sound frame at the start of data, 0 if there is none.
func frameLen(data []byte) int {
	if _, rest, err := frame.Next(data); err == nil {
		return len(data) - len(rest)
	}
	return 0
}

// nextFrame returns where, behind the damaged frame at the start of data, the next sound
// one begins: where its length says, if there is one, else the first place where there
// seems to be one; the end of data if there is none.
func nextFrame(data []byte) int {
	if n, err := frame.PayloadLen(data); err == nil && n+frame.Overhead <= len(data) {
		if n += frame.Overhead; n == len(data) || frameLen(data[n:]) > 0 {
			return n
		}
	}
	return searchFrame(data)
}

// searchFrame returns the first place behind the start of data where there seems to be a
// sound frame, the end of data if there is none.
func searchFrame(data []byte) int {
	for at := 1; at < len(data); at++ {
		if n, err := frame.PayloadLen(data[at:]); err == nil && n <= maxCatalogFrame && frameLen(data[at:]) > 0 {
			return at
		}
	}
	return len(data)
}

// loadFrame puts the series of one frame into c.
func loadFrame(data []byte, c *catalog.Catalog) error {
	fs, name := fsys.NewMem(), base.CatalogFile(firstGeneration)
	if err := fsys.WriteFileUnlisted(fs, name, data); err != nil {
		return err
	}
	return catalog.Load(fs, name, -1, "", c)
}

// planCatalog plans a new generation if series of the old one are lost, or were never in
// it. Files are all that will be live, but for those of which only a part is saved.
func (r *Repair) planCatalog() error {
	c := &r.catalog
	if err := r.addStrangers(); err != nil {
		return err
	}
	if !r.check.damage.catalog && r.check.whole && !r.log.gap && c.strangers == 0 {
		return nil
	}
	latest, err := r.latestGeneration()
	if err != nil {
		return err
	}
	c.generation = max(latest, r.check.state.Catalog.Generation) + 1
	nameless := 0
	for o := range c.series.Living() {
		if c.series.Name(o) == "" {
			nameless++
		}
	}
	named := base.CatalogFile(max(firstGeneration, r.check.state.Catalog.Generation))
	why := r.reasons[named]
	switch {
	case why != "":
	case r.check.whole:
		why = "it lacks series of files"
	default:
		why = "MANIFEST does not tell how much of it counts"
	}
	saved := fmt.Sprintf("%d series are saved, %d of them without a name", c.series.Len(), nameless)
	if nameless > 0 && (c.source == "" || c.lostBytes > 0 || c.strangers > 0) && r.keepNameless() {
		saved += "; these are kept as long as those without a rule of their own, so points come back until" +
			" the next sweep: open without retention and write to them by name before"
	}
	if c.source == "" {
		r.step(RepairCreate, named, "missing; %s", saved)
		return nil
	}
	if c.lostBytes > 0 {
		saved += fmt.Sprintf("; %d bytes are of no use", c.lostBytes)
	}
	r.step(RepairRewrite, c.source, "%s; %s", why, saved)
	return nil
}

// keepNameless moves the horizon of all namespaces without one of their own back to the
// least of all: the series without a name, which it is for, may be of any namespace. It
// reports whether that moved it.
func (r *Repair) keepNameless() bool {
	least := r.first.Horizon[""]
	for _, h := range r.first.Horizon {
		least = min(least, h)
	}
	general, ok := r.first.Horizon[""]
	if !ok || least == general {
		return false
	}
	r.first.Horizon = maps.Clone(r.first.Horizon)
	r.first.Horizon[""] = least
	return true
}

// addStrangers adds the series that only files name, under ordinals that nothing names.
func (r *Repair) addStrangers() error {
	c := &r.catalog
	next := max(c.series.Limit(), r.log.highest)
	add := func(id base.SeriesID) error {
		if _, ok := c.series.ByID(id); ok {
			return nil
		}
		c.strangers++
		next++
		return c.series.Register(base.Registration{Ordinal: next - 1, ID: id})
	}
	for i := range r.first.Add {
		e := &r.first.Add[i]
		if !e.IsPack() {
			if err := add(e.SeriesID); err != nil {
				return err
			}
			continue
		}
		if err := r.check.ctx.Err(); err != nil {
			return err
		}
		p, err := openPackTimes(r.fs, e)
		if err != nil {
			return err
		}
		err = p.reader.All(func(s *segment.PackSeries) error { return add(s.ID) })
		if err := errors.Join(err, p.close()); err != nil {
			return err
		}
	}
	for i := range r.salvages {
		for _, id := range r.salvages[i].series {
			if err := add(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeCatalog writes the new generation, whole or not at all, and returns what MANIFEST is
// to say of it.
func (r *Repair) writeCatalog() (at manifest.Catalog, err error) {
	c := &r.catalog
	mem := fsys.NewMem()
	f, err := catalog.CreateFile(mem, c.generation)
	if err != nil {
		return at, err
	}
	var all []base.Ordinal
	for o := range c.series.Living() {
		all = append(all, o)
	}
	n, err := f.Append(c.series, all)
	if err := errors.Join(err, f.Close()); err != nil {
		return at, err
	}
	name := base.CatalogFile(c.generation)
	data, err := fsys.ReadFile(mem, name)
	if err != nil {
		return at, err
	}
	at = manifest.Catalog{Generation: c.generation, Bytes: n, CRC: f.CRC()}
	return at, fsys.WriteFileAtomic(r.fs, name, data)
}

// keep puts a copy of a file into the quarantine before it is written anew. A file that
// is missing needs none.
func (r *Repair) keep(file string) error {
	e, err := r.fs.Stat(file)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	name, err := quarantineName(r.fs, file)
	if err != nil {
		return err
	}
	if err := fsys.Copy(r.fs, file, r.fs, name, e.Size); err != nil {
		return err
	}
	return errors.Join(r.fs.SyncDir(base.QuarantineDir), r.fs.SyncDir(""))
}
