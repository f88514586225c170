package catalog

import (
	"slices"

	"github.com/sydradb/sydradb/internal/base"
)

// Unlogged reports whether any series is not yet in the log. It takes no lock: while
// no series are new, writers need not look at their rows.
func (c *Catalog) Unlogged() bool { return c.unloggedCount.Load() > 0 }

// AppendUnlogged appends to dst a registration for each series of rows that no log
// record has introduced yet, by rising ordinal, each once. It uses the memory of tags that
// lie in dst behind its end.
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
	var fresh []base.Tag // for several series, cut into pieces: one allocation for many
	for _, o := range ordinals {
		row, ok := c.mu.get(o)
		if !ok {
			continue
		}
		tags := dst[:len(dst)+1][len(dst)].Tags[:0]
		again := cap(tags) > 0
		if !again {
			if cap(fresh) < stackPairs {
				fresh = make([]base.Tag, 0, min(64, len(ordinals))*stackPairs)
			}
			tags = fresh
		}
		name, tags := c.describeLocked(tags, o)
		if !again && len(tags) <= cap(fresh) {
			tags, fresh = slices.Clip(tags), tags[len(tags):]
		}
		dst = append(dst, base.Registration{Ordinal: o, ID: row.id, Name: name, Tags: tags})
	}
	return dst
}

// SetLogged tells that a log record with these registrations has been written, and
// appends to dst the series that no record before it held. One that got its name after its
// registration was made stays unlogged, and is among them again when the name is logged.
func (c *Catalog) SetLogged(dst []base.Ordinal, regs []base.Registration) (fresh []base.Ordinal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, reg := range regs {
		row, ok := c.mu.get(reg.Ordinal)
		if !ok || !c.isUnloggedLocked(reg.Ordinal) {
			continue
		}
		dst = append(dst, reg.Ordinal)
		if reg.Name != "" || !c.mu.named(row) {
			c.markLoggedLocked(reg.Ordinal)
		}
	}
	return dst
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
