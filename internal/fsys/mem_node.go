package fsys

import "slices"

// node is a file or a directory of a Mem, apart from its names. All fields are guarded
// by Mem.mu.
//
// Beside its present state a node knows its durable one and the changes that lead from
// it to the present, each with its own number. A sync settles changes; a CrashClone
// rolls dice over the rest.
type node struct {
	dir bool

	// Of a directory.
	names   map[string]*node
	changed map[string]*change // names whose durable state is another, or uncertain
	arrival *step              // of the last Rename of the directory itself

	// Of a file. Bytes below len(data) are never written again, so that handles,
	// clones and the durable state can share them.
	data    []byte
	durable []byte
	edits   []edit // between durable and data
	dropped bool   // one of edits is dropped
	links   int    // names
	opens   int    // handles
	locked  bool
}

func newDir() *node { return &node{dir: true, names: map[string]*node{}} }

func (n *node) entry(name string) Entry {
	return Entry{Name: name, Size: int64(len(n.data)), Dir: n.dir, Regular: !n.dir}
}

// change is what happened to one name of a directory since it was last durable.
type change struct {
	was   *node // durable state; nil for no such name
	steps []*step
}

// step is one change of one name.
type step struct {
	in      *change
	node    *node // what the name stands for from here on; nil for nothing
	after   *step // the arrival that this must not outlive; see Rename
	tied    bool  // the departure of a directory, that stands or falls with its arrival
	number  uint64
	dropped bool // a sync failed: never made durable by another
	settled bool // durable, or replaced by what is
}

// setName makes name stand for n, or for nothing, as far as readers can tell.
func (m *Mem) setName(dir *node, name string, n *node, after *step) *step {
	c := dir.changed[name]
	if c == nil {
		if dir.changed == nil {
			dir.changed = map[string]*change{}
		}
		c = &change{was: dir.names[name]}
		dir.changed[name] = c
	}
	m.changes++
	s := &step{in: c, node: n, after: after, number: m.changes}
	c.steps = append(c.steps, s)

	old := dir.names[name]
	if n == nil {
		delete(dir.names, name)
	} else {
		n.links++
		dir.names[name] = n
	}
	if old != nil {
		old.links--
		m.release(old)
	}
	return s
}

// syncNames makes the names of dir durable, those excepted that an earlier sync dropped.
func syncNames(dir *node) {
	for name, c := range dir.changed {
		for _, s := range slices.Backward(c.steps) {
			if s.settle() {
				break
			}
		}
		if len(c.steps) == 0 {
			delete(dir.changed, name)
		}
	}
}

// settle makes s the durable state of its name, unless a sync dropped it, and reports
// whether it did. A departure takes its arrival with it, wherever that is, and so do
// those that s overtakes: a rename made durable never loses the file.
func (s *step) settle() bool {
	switch {
	case s.settled:
		return true
	case s.dropped:
		return false
	case s.after != nil && !s.after.settle():
		s.dropped = true
		return false
	}
	c := s.in
	i := slices.Index(c.steps, s)
	overtaken := c.steps[:i]
	c.was, c.steps = s.node, c.steps[i+1:]
	s.settled = true
	for _, o := range overtaken {
		o.settled = true
		if o.after != nil {
			o.after.settle()
		}
	}
	return true
}

// dropNames has a sync of dir fail: nothing that is dirty now will ever be settled.
func (n *node) dropNames() {
	for _, c := range n.changed {
		for _, s := range c.steps {
			s.dropped = true
		}
	}
}

// edit is one change of a file's bytes: data written at offset, or a cut to size offset.
type edit struct {
	offset  int
	data    []byte
	cut     bool
	number  uint64
	dropped bool // a sync failed: never made durable by another
	synced  bool // durable, but kept since an earlier one was dropped
}

// write appends what there is room for and returns how much that was.
func (m *Mem) write(n *node, p []byte) int {
	p = p[:max(0, min(int64(len(p)), m.capacity-m.used))]
	if len(p) == 0 {
		return 0
	}
	offset := len(n.data)
	if cap(n.data)-offset < len(p) {
		n.data = slices.Grow(n.data, max(len(p), offset))
	}
	n.data = append(n.data, p...)
	m.edit(n, edit{offset: offset, data: n.data[offset:len(n.data):len(n.data)]})
	m.used += int64(len(p))
	return len(p)
}

// truncate cuts or, with zeros, extends a file.
func (m *Mem) truncate(n *node, size int) {
	if size == len(n.data) {
		return
	}
	m.used += int64(size - len(n.data))
	m.edit(n, edit{offset: size, cut: true})
	n.data = resize(n.data, size)
}

// resize returns data cut or extended to size, never to be appended to in place.
func resize(data []byte, size int) []byte {
	if size <= len(data) {
		return data[:size:size]
	}
	return append(data[:len(data):len(data)], make([]byte, size-len(data))...)
}

func (m *Mem) edit(n *node, e edit) {
	m.changes++
	e.number = m.changes
	n.edits = append(n.edits, e)
}

// syncData makes the bytes of n durable, those excepted that an earlier sync dropped.
func (n *node) syncData() {
	if !n.dropped {
		n.durable, n.edits = n.data, nil
		return
	}
	for i := range n.edits {
		n.edits[i].synced = !n.edits[i].dropped
	}
}

// dropData has a sync of n fail: nothing that is dirty now will ever be durable.
func (n *node) dropData() {
	for i := range n.edits {
		if e := &n.edits[i]; !e.synced {
			e.dropped, n.dropped = true, true
		}
	}
}

// release gives the space of a file back once it has neither name nor handle.
func (m *Mem) release(n *node) {
	if n.links == 0 && n.opens == 0 {
		m.used -= int64(len(n.data))
	}
}
