package catalog

import (
	"fmt"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
)

// Resolve returns the ordinal of the series with this name and these tags, giving it
// the next one if it is new. A new series is unlogged: every log record with one of
// its points must introduce it, until SetLogged. Tags may come in any order; nothing
// passed in is kept. A known series costs no allocation.
//
// If a series is known by its id alone and the key hashes to that id, the series takes
// the name and is unlogged again. Errors match ErrInvalid, but for the one that all
// ordinals are given.
func (c *Catalog) Resolve(name string, tags []base.Tag) (base.Ordinal, error) {
	// What equals a known series is valid, so the checks can wait. Keys that cannot be
	// made, or would take long to hash, go straight to them.
	normal, ok := normalise(tags)
	if !ok || len(name) > MaxKeyBytes || keyLen(name, normal) > MaxKeyBytes {
		_, err := ValidateSeries(name, tags)
		return 0, err
	}
	var buf [keyBuffer]byte
	key := AppendKey(buf[:0], name, normal)
	id := c.hashKey(key)
	c.mu.RLock()
	o, ok := c.findLocked(id, name, normal)
	seen := c.mu.changes
	c.mu.RUnlock()
	if ok {
		return o, nil
	}
	if !isValid(key, name, normal) {
		_, err := ValidateSeries(name, tags)
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
// where the series is new. Errors match ErrInvalid, but for the one that all ordinals
// are given.
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
	return c.nextLocked(id, c.dict.InternSeries(nil, "", tags), false)
}

// assignLocked makes a series with the given id; hash is that of its key. Requires: c.mu.
func (c *Catalog) assignLocked(hash, id base.SeriesID, name string, tags []base.Tag) (base.Ordinal, error) {
	var buf [stackPairs]uint32
	o, err := c.nextLocked(id, c.dict.InternSeries(buf[:0], name, tags), true)
	if err == nil && id != hash {
		c.mu.displaced[hash] = append(c.mu.displaced[hash], o)
	}
	return o, err
}

func (c *Catalog) nextLocked(id base.SeriesID, pairs []uint32, named bool) (base.Ordinal, error) {
	if c.mu.next == maxSeries {
		return 0, fmt.Errorf("all %d ordinals of series are given", uint32(maxSeries))
	}
	o := base.Ordinal(c.mu.next)
	c.mu.next++
	c.mu.changes++
	c.mu.add(o, id, pairs, named)
	c.markUnloggedLocked(o)
	return o, nil
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
// series is logged from then on. Registering one again changes nothing, and one that
// is known by its id alone may take its name. Everything else that contradicts what is
// known is an error: the record is damaged.
func (c *Catalog) Register(reg base.Registration) error {
	id := reg.ID
	if reg.Name != "" {
		id = c.keyID(reg.Name, reg.Tags)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if row, ok := c.mu.get(reg.Ordinal); ok {
		if err := c.registerAgainLocked(reg, row); err != nil {
			return err
		}
		c.markLoggedLocked(reg.Ordinal)
		return nil
	}
	if err := checkNormal(reg); err != nil {
		return err
	}
	if uint32(reg.Ordinal) == maxSeries {
		return fmt.Errorf("ordinal %d is out of range", reg.Ordinal)
	}
	if o, ok := c.mu.byID(reg.ID); ok {
		return fmt.Errorf("series %x has ordinals %d and %d", uint64(reg.ID), o, reg.Ordinal)
	}
	if reg.Name != "" {
		if o, ok := c.findLocked(id, reg.Name, reg.Tags); ok {
			return fmt.Errorf("ordinals %d and %d have one name and tags", o, reg.Ordinal)
		}
	}
	c.mu.changes++
	c.mu.add(reg.Ordinal, reg.ID, c.dict.InternSeries(nil, reg.Name, reg.Tags), reg.Name != "")
	c.mu.next = max(c.mu.next, uint32(reg.Ordinal)+1)
	if id != reg.ID {
		c.mu.displaced[id] = append(c.mu.displaced[id], reg.Ordinal)
	}
	return nil
}

// registerAgainLocked compares a registration with the series that has its ordinal.
// Requires: c.mu.
func (c *Catalog) registerAgainLocked(reg base.Registration, row series) error {
	switch {
	case row.id != reg.ID:
		return fmt.Errorf("ordinal %d stands for the series %x and %x", reg.Ordinal, uint64(row.id), uint64(reg.ID))
	case reg.Name == "":
		// Written before the series got its name, or it never got one.
		_, known := c.describeLocked(nil, reg.Ordinal)
		if slices.ContainsFunc(reg.Tags, func(t base.Tag) bool { return !slices.Contains(known, t) }) {
			return fmt.Errorf("ordinal %d (series %x) has other tags", reg.Ordinal, uint64(reg.ID))
		}
		return nil
	case c.isSeriesLocked(reg.Ordinal, reg.Name, reg.Tags):
		return nil
	}
	if err := checkNormal(reg); err != nil {
		return err
	}
	if !c.canAdoptLocked(reg.Ordinal, reg.Tags) {
		return fmt.Errorf("ordinal %d (series %x) has another name or other tags", reg.Ordinal, uint64(reg.ID))
	}
	if id := c.keyID(reg.Name, reg.Tags); id != reg.ID {
		return fmt.Errorf("ordinal %d: the name %.100q does not hash to %x", reg.Ordinal, reg.Name, uint64(reg.ID))
	}
	c.adoptLocked(reg.Ordinal, reg.Name, reg.Tags)
	return nil
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
