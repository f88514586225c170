package memtable

// Bounds returns the least and the greatest time of the points of p; ok is false if there
// are none. It looks at each chunk of a series in order, and at each cell of one that is
// late.
func (s Snapshot) Bounds(p Position) (first, last int64, ok bool) {
	if p.n == 0 {
		return 0, 0, false
	}
	head, used := p.head, p.pos-p.head-1
	tail := s.chunk(head, used)
	first, last = tail[used-1].ts, tail[used-1].ts
	for head != 0 {
		c := s.chunk(head, used)
		if !p.late() {
			c = c[:1]
		}
		for i := range c {
			first, last = min(first, c[i].ts), max(last, c[i].ts)
		}
		head, used = s.before(head)
	}
	return first, last, true
}
