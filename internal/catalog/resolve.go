package catalog

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/sydradb/sydradb/internal/base"
)

// Resolve returns the ordinal of the series with this name and these tags, giving it
// the next one if it is new. A new series is unlogged: every log record with one of
// its points must introduce it, until SetLogged. Tags may come in any order; nothing
// passed in is kept. A known series costs no allocation.
//
// If a series is known by its id alone and the key hashes to that id, the series takes
// the name and is unlogged again. Errors match ErrInvalid, ErrSeriesLimit, ErrRenewed or
// ErrSealed, but for the one that all ordinals are given.
func (c *Catalog) Resolve(name string, tags []base.Tag) (base.Ordinal, error) {
	if len(tags) > 0 {
		if s := c.shapes.find(tags); s != nil {
			var place [shapeTags]base.Tag
			var buf [keyBuffer]byte
			normal := s.normalise(place[:0], tags)
			if key, ok := s.appendKey(buf[:0], name, normal); ok {
				return c.resolveKey(key, name, normal, true)
			}
		}
	}
	// What equals a known series is valid, so the checks can wait. Keys that cannot be
	// made, or would take long to hash, go straight to them.
	normal, ok := normalise(tags)
	if !ok || len(name) > MaxKeyBytes || keyLen(name, normal) > MaxKeyBytes {
		_, err := ValidateSeries(name, tags)
		return 0, err
	}
	var buf [keyBuffer]byte
	o, err := c.resolveKey(AppendKey(buf[:0], name, normal), name, normal, false)
	if err == nil {
		c.shapes.learn(tags)
	}
	return o, err
}

// resolveKey is Resolve for tags in normal form and the key of the series. validTags says
// that the keys of the tags are valid.
func (c *Catalog) resolveKey(key []byte, name string, normal []base.Tag, validTags bool) (base.Ordinal, error) {
	id := c.hashKey(key)
	c.mu.RLock()
	o, ok := c.findLocked(id, name, normal)
	seen := c.mu.changes
	c.mu.RUnlock()
	if ok {
		return o, nil
	}
	if name == "" || !utf8.Valid(key) || !validTags && !validKeys(normal) {
		_, err := ValidateSeries(name, normal)
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.changes != seen {
		if o, ok := c.findLocked(id, name, normal); ok {
			return o, nil
		}
	}
	if o, taken := c.mu.byID(id); !taken {
		return c.assignLocked(id, id, name, normal)
	} else if c.canAdoptLocked(o, normal) {
		if c.mu.refusal != nil {
			return 0, c.mu.refusal
		}
		c.adoptLocked(o, name, normal)
		c.markUnloggedLocked(o)
		return o, nil
	}
	free := id + 1
	for _, taken := c.mu.byID(free); taken; _, taken = c.mu.byID(free) {
		free++
	}
	return c.assignLocked(id, free, name, normal)
}

// ResolveID returns the ordinal of the series with this id, making one without a name
// if there is none. tags are those that are known of it, in any order; they count only
// where the series is new. Errors are those of Resolve.
func (c *Catalog) ResolveID(id base.SeriesID, tags []base.Tag) (base.Ordinal, error) {
	if o, ok := c.ByID(id); ok {
		return o, nil
	}
	tags, err := validateTags("", tags)
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if o, ok := c.mu.byID(id); ok {
		return o, nil
	}
	if err := c.roomLocked(); err != nil {
		return 0, err
	}
	return c.nextLocked(id, c.dict.InternSeries(nil, "", tags), false), nil
}

// assignLocked makes a series with the given id; hash is that of its key. Requires: c.mu.
func (c *Catalog) assignLocked(hash, id base.SeriesID, name string, tags []base.Tag) (base.Ordinal, error) {
	if err := c.roomLocked(); err != nil {
		return 0, err
	}
	var buf [stackPairs]uint32
	o := c.nextLocked(id, c.dict.InternSeries(buf[:0], name, tags), true)
	if id != hash {
		c.mu.displaced[hash] = append(c.mu.displaced[hash], o)
	}
	return o, nil
}

// roomLocked returns why no series can be made, nil if one can. It comes before the
// dictionary takes in names and tags, which it never gives up. Requires: c.mu.
func (c *Catalog) roomLocked() error {
	switch {
	case c.mu.refusal != nil:
		return c.mu.refusal
	case c.opts.MaxSeries > 0 && c.mu.count >= c.opts.MaxSeries:
		return fmt.Errorf("%w: there are %d, and %d are allowed; delete others, let them expire, or raise the limit",
			ErrSeriesLimit, c.mu.count, c.opts.MaxSeries)
	case c.mu.next == maxSeries:
		return fmt.Errorf("all %d ordinals of series are given", uint32(maxSeries))
	}
	return nil
}

// nextLocked makes a series. Requires: c.mu, and roomLocked.
func (c *Catalog) nextLocked(id base.SeriesID, pairs []uint32, named bool) base.Ordinal {
	o := base.Ordinal(c.mu.next)
	c.mu.next++
	c.mu.changes++
	c.mu.add(o, id, pairs, named)
	c.markUnloggedLocked(o)
	return o
}

// canAdoptLocked reports whether the series o is without a name and may get one along
// with these tags: they must hold those that it has. Requires: c.mu.
func (c *Catalog) canAdoptLocked(o base.Ordinal, tags []base.Tag) bool {
	name, known := c.describeLocked(nil, o)
	return name == "" && !slices.ContainsFunc(known, func(t base.Tag) bool { return !slices.Contains(tags, t) })
}

func (c *Catalog) adoptLocked(o base.Ordinal, name string, tags []base.Tag) {
	c.mu.changes++
	c.mu.setPairs(o, c.dict.InternSeries(nil, name, tags), true)
}

// Register repeats, when a log is replayed, what a record says about a series. The
// series is logged from then on. Registering one again changes nothing, one that is
// known by its id alone may take its name, and one whose id or key belongs to lower
// ordinals takes their place, for their series was dead: they are void from then on.
// Everything else that contradicts what is known is an error: the record is damaged.
func (c *Catalog) Register(reg base.Registration) error {
	_, err := c.Replay(reg)
	return err
}

// Replay is Register for callers that want to know which ordinals it made void.
func (c *Catalog) Replay(reg base.Registration) (void []base.Ordinal, err error) {
	hash := reg.ID
	if reg.Name != "" {
		hash = c.keyID(reg.Name, reg.Tags)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if row, ok := c.mu.get(reg.Ordinal); ok {
		if void, err = c.registerAgainLocked(reg, row); err != nil {
			return nil, err
		}
		c.markLoggedLocked(reg.Ordinal)
		return void, nil
	}
	if err := checkNormal(reg); err != nil {
		return nil, err
	}
	if uint32(reg.Ordinal) == maxSeries {
		return nil, fmt.Errorf("ordinal %d is out of range", reg.Ordinal)
	}
	if void, err = c.succeedLocked(reg.Ordinal, reg.ID, hash, reg.Name, reg.Tags); err != nil {
		return nil, err
	}
	c.mu.changes++
	c.mu.add(reg.Ordinal, reg.ID, c.dict.InternSeries(nil, reg.Name, reg.Tags), reg.Name != "")
	c.mu.next = max(c.mu.next, uint32(reg.Ordinal)+1)
	if hash != reg.ID {
		c.mu.displaced[hash] = append(c.mu.displaced[hash], reg.Ordinal)
	}
	return void, nil
}

// registerAgainLocked compares a registration with the series that has its ordinal, and
// gives that the name. It returns the ordinals that this made void. Requires: c.mu.
func (c *Catalog) registerAgainLocked(reg base.Registration, row series) (void []base.Ordinal, err error) {
	switch {
	case row.id != reg.ID:
		return nil, fmt.Errorf("ordinal %d stands for the series %x and %x", reg.Ordinal, uint64(row.id), uint64(reg.ID))
	case reg.Name == "":
		// Written before the series got its name, or it never got one.
		_, known := c.describeLocked(nil, reg.Ordinal)
		if slices.ContainsFunc(reg.Tags, func(t base.Tag) bool { return !slices.Contains(known, t) }) {
			return nil, fmt.Errorf("ordinal %d (series %x) has other tags", reg.Ordinal, uint64(reg.ID))
		}
		return nil, nil
	case c.isSeriesLocked(reg.Ordinal, reg.Name, reg.Tags):
		return nil, nil
	}
	if err := checkNormal(reg); err != nil {
		return nil, err
	}
	if !c.canAdoptLocked(reg.Ordinal, reg.Tags) {
		return nil, fmt.Errorf("ordinal %d (series %x) has another name or other tags", reg.Ordinal, uint64(reg.ID))
	}
	if id := c.keyID(reg.Name, reg.Tags); id != reg.ID {
		return nil, fmt.Errorf("ordinal %d: the name %.100q does not hash to %x", reg.Ordinal, reg.Name, uint64(reg.ID))
	}
	// A series that died may have had the key under another id.
	if void, err = c.succeedLocked(reg.Ordinal, reg.ID, reg.ID, reg.Name, reg.Tags); err != nil {
		return nil, err
	}
	c.adoptLocked(reg.Ordinal, reg.Name, reg.Tags)
	return void, nil
}

// checkNormal reports what Resolve would not have registered like this.
func checkNormal(reg base.Registration) error {
	var tags []base.Tag
	var err error
	if reg.Name == "" {
		tags, err = validateTags("", reg.Tags)
	} else {
		tags, err = ValidateSeries(reg.Name, reg.Tags)
	}
	if err == nil && !slices.Equal(tags, reg.Tags) {
		err = fmt.Errorf("%w: the tags of %.100q are not sorted, or empty", ErrInvalid, reg.Name)
	}
	return err
}
