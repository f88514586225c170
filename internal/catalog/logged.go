package catalog

import (
	"slices"

	"github.com/sydradb/sydradb/internal/base"
)

// Unlogged reports whether any series is not yet in the log. It takes no lock: while
// no series are new, writers need not look at their rows.
func (c *Catalog) Unlogged() bool { return c.unloggedCount.Load() > 0 }

// AppendUnlogged appends to dst a registration for each series of rows that no log
// record has introduced yet, by rising ordinal, each once.
func (c *Catalog) AppendUnlogged(dst []base.Registration, rows []base.Row) []base.Registration {
	if !c.Unlogged() {
		return dst
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	var found []base.Ordinal
	for i := range rows {
		o := rows[i].Ordinal
		if c.isUnloggedLocked(o) && (len(found) == 0 || found[len(found)-1] != o) {
			found = append(found, o)
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	return c.appendRegistrationsLocked(dst, found)
}

// appendRegistrationsLocked appends the registrations of the given series, in their
// order, leaving out those that are not known. Requires: c.mu, for reading at least.
func (c *Catalog) appendRegistrationsLocked(dst []base.Registration, ordinals []base.Ordinal) []base.Registration {
	dst = slices.Grow(dst, len(ordinals))
	var tags []base.Tag // of several series, cut into pieces: one allocation for many
	for _, o := range ordinals {
		row, ok := c.mu.get(o)
		if !ok {
			continue
		}
		if cap(tags)-len(tags) < stackPairs {
			tags = make([]base.Tag, 0, min(64, len(ordinals))*stackPairs)
		}
		name, all := c.describeLocked(tags, o)
		dst = append(dst, base.Registration{Ordinal: o, ID: row.id, Name: name, Tags: slices.Clip(all[len(tags):])})
		if len(all) <= cap(tags) {
			tags = all
		}
	}
	return dst
}

// SetLogged tells that a log record with these registrations has been written, and
// returns those that no record before it held. A series that got its name after its
// registration was made stays unlogged, and its registration is among them again when
// the name is logged.
func (c *Catalog) SetLogged(regs []base.Registration) (fresh []base.Registration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, reg := range regs {
		row, ok := c.mu.get(reg.Ordinal)
		if !ok || !c.isUnloggedLocked(reg.Ordinal) {
			continue
		}
		fresh = append(fresh, reg)
		if reg.Name != "" || !c.mu.named(row) {
			c.markLoggedLocked(reg.Ordinal)
		}
	}
	return fresh
}

func (c *Catalog) isUnloggedLocked(o base.Ordinal) bool {
	return c.mu.unlogged.At(uint32(o)/64)>>(o%64)&1 != 0
}

func (c *Catalog) markUnloggedLocked(o base.Ordinal) {
	if !c.isUnloggedLocked(o) {
		*c.mu.unlogged.Slot(uint32(o) / 64) |= 1 << (o % 64)
		c.unloggedCount.Add(1)
	}
}

func (c *Catalog) markLoggedLocked(o base.Ordinal) {
	if c.isUnloggedLocked(o) {
		*c.mu.unlogged.Slot(uint32(o) / 64) &^= 1 << (o % 64)
		c.unloggedCount.Add(-1)
	}
}
