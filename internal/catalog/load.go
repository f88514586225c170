package catalog

import (
	"fmt"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
)

// loader puts decoded frames into a catalog. It is Register for many series at a time:
// the strings of a frame are looked up once, not once a series. What it loads counts
// as logged.
type loader struct {
	c     *Catalog
	frame frameData
	names []uint32 // dictionary numbers of the frame's names
	pairs []uint32 // and of its pairs
	list  []uint32 // of one series
}

// load decodes a payload and takes in its series. An error says what is wrong.
func (l *loader) load(payload []byte) error {
	if err := l.frame.decode(string(payload)); err != nil {
		return err
	}
	l.names, l.pairs = l.names[:0], l.pairs[:0]
	for _, name := range l.frame.names {
		l.names = append(l.names, l.c.dict.Intern(base.NameKey, name))
	}
	for _, p := range l.frame.pairs {
		l.pairs = append(l.pairs, l.c.dict.Intern(l.frame.keys[p.key], p.value))
	}
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	l.c.mu.changes++
	for i := range l.frame.series {
		s := &l.frame.series[i]
		if err := l.addLocked(s, l.frame.tags(i)); err != nil {
			return err
		}
	}
	return nil
}

// addLocked takes in one series, of which tags are the pairs by their number in the
// frame. Requires: c.mu.
func (l *loader) addLocked(s *seriesEntry, tags []uint32) error {
	l.list = l.list[:0]
	if s.name != 0 {
		l.list = append(l.list, l.names[s.name-1])
	}
	for _, n := range tags {
		l.list = append(l.list, l.pairs[n])
	}
	c := l.c
	row, known := c.mu.get(s.ordinal)
	if known && s.hasID && row.id != s.id {
		return fmt.Errorf("ordinal %d stands for the series %x and %x", s.ordinal, uint64(row.id), uint64(s.id))
	}
	if !known {
		return l.addNewLocked(s)
	}
	if len(l.list) == 0 {
		return nil
	}
	if c.mu.named(row) {
		pairs, _ := c.mu.pairs(nil, row)
		// Without a name, this was written before the series got it.
		if s.name != 0 && !slices.Equal(pairs, l.list) {
			return fmt.Errorf("ordinal %d has two names or two sets of tags", s.ordinal)
		}
		return nil
	}
	if err := l.nameLocked(s, row.id); err != nil {
		return err
	}
	c.mu.setPairs(s.ordinal, l.list, s.name != 0)
	return nil
}

// addNewLocked takes in a series whose ordinal is new. Requires: c.mu.
func (l *loader) addNewLocked(s *seriesEntry) error {
	c := l.c
	id := s.id
	if !s.hasID {
		id = l.keyID()
	}
	if _, err := c.succeedLocked(s.ordinal, id, id, "", nil); err != nil {
		return err
	}
	if err := l.nameLocked(s, id); err != nil {
		return err
	}
	c.mu.add(s.ordinal, id, l.list, s.name != 0)
	c.mu.next = max(c.mu.next, uint32(s.ordinal)+1)
	return nil
}

// nameLocked prepares for the name, if there is one, of a series with an id: it makes
// way for it, and lists it under the hash of its key if that is another (C3). Nearly
// always there is nothing to do, and no hash to be made. Requires: c.mu.
func (l *loader) nameLocked(s *seriesEntry, id base.SeriesID) error {
	displaced := l.c.mu.displaced
	if s.name == 0 || !s.hasID && len(displaced[id]) == 0 {
		return nil
	}
	tags := l.c.dict.AppendTags(nil, l.list)
	name, tags := tags[0].Value, tags[1:]
	hash := l.c.keyID(name, tags)
	if _, err := l.c.succeedLocked(s.ordinal, id, hash, name, tags); err != nil {
		return err
	}
	if hash != id && !slices.Contains(displaced[hash], s.ordinal) {
		displaced[hash] = append(displaced[hash], s.ordinal)
	}
	return nil
}

// keyID hashes the key of the series in list, which begins with its name.
func (l *loader) keyID() base.SeriesID {
	tags := l.c.dict.AppendTags(nil, l.list)
	return l.c.keyID(tags[0].Value, tags[1:])
}
