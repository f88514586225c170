package aggregate

// sliding puts windows together from panes that several of them share. The panes of the
// window at hand are a queue: new ones come in at its end, and those that the next window
// has no more leave at its front. It is kept as two stacks, in one row of rows:
//
//	 head             middle           end
//	+----------------+----------------+
//	| front          | back           |
//	+----------------+----------------+
//	 each merged with  as they came, and
//	 all behind it     merged into one
//	 in the front
//
// A window is the first row of the front merged with the back. When the front is used up
// the back becomes the front, from its end to its beginning. So each pane is merged twice,
// each window costs one merge, and none of it depends on how many panes a window has.
type sliding struct {
	need         parts
	panes        rows // with the last window that each is in
	head, middle int
	back         partial // of the panes from middle on; none: count is 0
	next         int     // window that is to be finished next

	window partial // the panes that are there, merged
	fresh  bool    // whether it is
}

func (q *sliding) reset(need parts) {
	q.need = need
	q.panes.reset(need)
	q.head, q.middle, q.next = 0, 0, 0
	q.back.clear()
	q.fresh = false
}

// add adds a pane that is in the windows from low to high. All windows before low are
// complete now, and finished.
func (q *sliding) add(s *Series, low, high int, p *partial) {
	q.advance(s, low)
	q.panes.push(high, p)
	q.back.merge(p, q.need)
	q.fresh = false
}

// advance finishes the windows before limit.
func (q *sliding) advance(s *Series, limit int) {
	for q.next < limit {
		q.leave(q.next)
		if q.head == q.panes.len() {
			q.next = limit // no pane, no row
			return
		}
		p := q.merged()
		s.finish(q.next, p)
		q.next++
	}
}

// leave drops the panes that window has no more.
func (q *sliding) leave(window int) {
	last := q.panes.window
	for q.head < len(last) && int(last[q.head]) < window {
		q.head++
		q.fresh = false
	}
	if q.head >= q.middle && q.middle < len(last) {
		q.turn()
	}
}

// turn makes the back the front.
func (q *sliding) turn() {
	q.panes.drop(q.head)
	q.head, q.middle = 0, q.panes.len()
	q.back.clear()
	if q.middle == 0 {
		return
	}
	var front, behind partial
	q.panes.load(q.middle-1, &behind)
	for i := q.middle - 2; i >= 0; i-- {
		q.panes.load(i, &front)
		front.merge(&behind, q.need)
		q.panes.store(i, &front)
		behind = front
	}
}

// merged returns all panes merged into one. There are some, and the front has one.
func (q *sliding) merged() *partial {
	if !q.fresh {
		q.panes.load(q.head, &q.window)
		q.window.merge(&q.back, q.need)
		q.fresh = true
	}
	return &q.window
}
