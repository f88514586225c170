package catalog

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/sydradb/sydradb/internal/base"
)

// shape is what the series of one kind have in common: the keys of their tags, in the
// order in which a caller gives them, and everything that follows from these alone. Where
// the keys are known to be valid, nothing of them has to be sorted, checked or escaped
// again. A shape never changes.
type shape struct {
	keys   []string // as they are given
	order  []uint8  // by place in normal form: place as given
	texts  []string // by place in normal form: what stands before the value in a canonical key
	length int      // of texts, and what follows the last value
}

const (
	// shapeTags is how many tags a shape has at most: they are put in order on the stack.
	shapeTags = 16
	// shapeKey is how long a canonical key may be for a shape to make it, so that nobody
	// has to look whether escapes make it too long.
	shapeKey = MaxKeyBytes / 12
	// Of the series that no shape fits, one in learnEvery makes one, so that kinds that
	// take turns in a slot cost little.
	learnEvery = 8
)

// shapes are those that came up last, by a number that is quickly made of the keys. It is
// safe for concurrent use.
type shapes struct {
	slots  [64]atomic.Pointer[shape]
	misses atomic.Uint32
}

func (s *shapes) slot(tags []base.Tag) *atomic.Pointer[shape] {
	n := uint(len(tags))
	for i := range tags {
		n = n*31 + uint(len(tags[i].Key))
	}
	return &s.slots[(n^n>>6)%uint(len(s.slots))]
}

// find returns the shape of a series, nil if there is none, or if a tag is without a value.
func (s *shapes) find(tags []base.Tag) *shape {
	found := s.slot(tags).Load()
	if found == nil || len(found.keys) != len(tags) {
		return nil
	}
	for i := range tags {
		if tags[i].Key != found.keys[i] || tags[i].Value == "" {
			return nil
		}
	}
	return found
}

// learn makes a shape of a valid series that none fits, now and then.
func (s *shapes) learn(tags []base.Tag) {
	if len(tags) == 0 || len(tags) > shapeTags || s.misses.Add(1)%learnEvery != 1 {
		return
	}
	made := &shape{}
	for i, t := range tags {
		if t.Value == "" {
			return
		}
		made.keys = append(made.keys, strings.Clone(t.Key))
		made.order = append(made.order, uint8(i))
	}
	slices.SortFunc(made.order, func(a, b uint8) int { return strings.Compare(made.keys[a], made.keys[b]) })
	before := []byte(`|{"`)
	for _, i := range made.order {
		text := string(append(appendEscaped(before, made.keys[i]), `":"`...))
		made.texts = append(made.texts, text)
		made.length += len(text)
		before = append(before[:0], `","`...)
	}
	made.length += len(keyEnd)
	s.slot(tags).Store(made)
}

// keyEnd is what follows the last value in a canonical key.
const keyEnd = `"}`

// normalise appends tags to dst in normal form. They must be of this shape.
func (s *shape) normalise(dst, tags []base.Tag) []base.Tag {
	for _, i := range s.order {
		dst = append(dst, tags[i])
	}
	return dst
}

// appendKey is AppendKey for tags of this shape, in normal form. It returns false for a key
// that is longer than shapeKey.
func (s *shape) appendKey(dst []byte, name string, tags []base.Tag) ([]byte, bool) {
	n := len(name) + s.length
	for i := range tags {
		n += len(tags[i].Value)
	}
	if n > shapeKey {
		return dst, false
	}
	dst = append(dst, name...)
	for i, text := range s.texts {
		dst = append(dst, text...)
		dst = appendEscaped(dst, tags[i].Value)
	}
	return append(dst, keyEnd...), true
}
