package fsys

import (
	"math/rand/v2"
	"slices"
)

// CrashClone returns what a power cut at this moment might leave: a new Mem, all of it
// durable, without locks, handles and hook. The original goes on as if nothing happened.
//
// What was synced survives. Every other change survives with a chance of keepPercent,
// each on its own, whatever came before or after it:
//
//   - A write survives whole, or else perhaps in part: its first bytes only, or some
//     bytes amid zeros, or its length in zeros. Cuts fall at any byte. A lost write
//     before one that survived leaves zeros, or what stood there before.
//   - A Truncate survives or not; so does emptying a file by Create.
//   - A name that was made, replaced or removed is, after the cut, in any of the states
//     it went through since it was durable. A file or directory without a durable name
//     is lost with all below it, however well synced.
//   - A Rename is the arrival of one name and the departure of another. The departure
//     never survives alone: the old name stands, or the new one, or both. Syncing the
//     directory it left settles the arrival too. Giving the old name to another file
//     is a change of its own, that may survive where the rename did not.
//   - A Rename of a directory survives as a whole or not at all, and not without the
//     Renames of it before: no directory has two names. Syncing the directory it left,
//     or the one it arrived in, settles it.
//   - What a failed sync dropped has half the chance.
//
// With keepPercent 0 exactly the durable state is left, with 100 exactly the present
// one, but for what failed syncs dropped. Two clones of one state under equal rng are
// equal; one number is drawn from rng. Contents are shared, not copied: a clone costs
// a few hundred nanoseconds a file.
func (m *Mem) CrashClone(rng *rand.Rand, keepPercent int) *Mem {
	m.mu.RLock()
	defer m.mu.RUnlock()
	clone := NewMem()
	clone.capacity = m.capacity
	c := crash{
		dice:  dice{seed: rng.Uint64(), keepPercent: uint64(min(max(keepPercent, 0), 100))},
		clone: clone,
		seen:  map[*node]*node{},
	}
	clone.root = c.directory(m.root)
	return clone
}

// crash is the state of one CrashClone.
type crash struct {
	dice  dice
	clone *Mem
	seen  map[*node]*node // files copied so far: those with two names stay one file
}

// directory returns what is left of n and all below it.
func (c *crash) directory(n *node) *node {
	left := &node{dir: true, names: make(map[string]*node, len(n.names))}
	for name, child := range n.names {
		if n.changed[name] == nil {
			c.place(left, name, child)
		}
	}
	for name, ch := range n.changed {
		c.place(left, name, c.dice.name(ch))
	}
	return left
}

// place gives what is left of child a name in dir.
func (c *crash) place(dir *node, name string, child *node) {
	if child == nil {
		return
	}
	if child.dir {
		dir.names[name] = c.directory(child)
		return
	}
	left := c.seen[child]
	if left == nil {
		data := c.dice.data(child)
		left = &node{data: data, durable: data}
		c.seen[child] = left
		c.clone.used += int64(len(data))
	}
	left.links++
	dir.names[name] = left
}

// dice decides what survives. The fate of a change is a function of the seed and of the
// number of the change alone, so that it does not matter who asks first, or how often.
type dice struct {
	seed        uint64
	keepPercent uint64
}

// die returns the source of all chance about one change, and whether it survives whole.
func (d dice) die(number uint64, dropped bool) (source rand.PCG, whole bool) {
	chance := d.keepPercent
	if dropped {
		chance /= 2
	}
	source.Seed(d.seed, number)
	return source, source.Uint64()%100 < chance
}

// name returns what a changed name stands for after the cut.
func (d dice) name(c *change) *node {
	n := c.was
	for _, s := range c.steps {
		if d.step(s) {
			n = s.node
		}
	}
	return n
}

func (d dice) step(s *step) bool {
	if s.settled {
		return true
	}
	if s.after != nil && (s.tied || !d.step(s.after)) {
		return d.step(s.after)
	}
	_, whole := d.die(s.number, s.dropped)
	return whole
}

// data returns the bytes of a file after the cut, not to be appended to in place.
func (d dice) data(n *node) []byte {
	if d.keepPercent == 100 && !n.dropped {
		return n.data[:len(n.data):len(n.data)]
	}
	left := n.durable
	owned := false // left is shared until the first edit that survives
	for _, e := range n.edits {
		data, offset, end := e.data, e.offset, e.offset+len(e.data)
		if !e.synced {
			die, whole := d.die(e.number, e.dropped)
			if !whole {
				if e.cut || die.Uint64()%100 >= d.keepPercent {
					continue
				}
				data, offset, end = tear(&die, e)
			}
		}
		if !owned {
			owned = true
			left = append(make([]byte, 0, max(len(left), len(n.data), end)), left...)
		}
		if grown := len(left); end > grown {
			left = slices.Grow(left, end-grown)[:end]
			clear(left[grown:])
		}
		if e.cut {
			left = left[:end]
		}
		copy(left[offset:], data)
	}
	return left[:len(left):len(left)]
}

// tear returns a part of a write, the offset of that part and the end that the write
// gives to the file.
func tear(die *rand.PCG, e edit) (data []byte, offset, end int) {
	a := int(die.Uint64() % uint64(len(e.data)))
	b := int(die.Uint64() % uint64(len(e.data)))
	a, b = min(a, b), max(a, b)
	switch die.Uint64() % 4 {
	case 0, 1: // the file ends within the write
		return e.data[:b], e.offset, e.offset + b
	case 2: // its length arrived, its bytes in part
		return e.data[a:b], e.offset + a, e.offset + len(e.data)
	default: // its length arrived, its bytes did not
		return nil, e.offset, e.offset + len(e.data)
	}
}
