package remotewrite

import (
	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/metadata"
)

// request1 is the reading of one request. It holds the lock of the table.
type request1 struct {
	*decoder
	table  *table1
	locked bool
	epoch  int
	last   int // number of the last key that was found, -1 without one
	body   []byte
}

// decode1 reads a WriteRequest.
func (d *decoder) decode1(t *table1, store *metadata.Store, body []byte) error {
	r := request1{decoder: d, table: t, last: -1, body: body}
	defer r.unlock()
	r.lock()
	families := d.places // metadata, for later
	for i, n := 0, 0; i < len(body); n++ {
		if n%turn == turn-1 {
			r.unlock()
			r.lock()
		}
		tag, next := uint64(body[i]), i+1
		if tag >= 0x80 {
			if tag, next = readTag(body, i, len(body)); next == 0 {
				return errWire
			}
		}
		var from int
		switch tag {
		case tagOf(1, wireBytes):
			from, i = span(body, next, len(body))
			if i != 0 && !r.timeSeries(from, i) {
				return errWire
			}
		case tagOf(3, wireBytes):
			from, i = span(body, next, len(body))
			if len(families) == maxPlaces {
				d.request.Overflow()
				return nil
			}
			families = append(families, place{uint32(from), uint32(i)})
		default:
			if field := tag >> 3; field == 0 || field == 1 || field == 3 {
				return errWire
			}
			i = skip(body, next, len(body), tag, 0)
		}
		if i == 0 {
			return errWire
		}
	}
	d.places = families
	for _, p := range families {
		if !setFamily(store, body, int(p.from), int(p.to)) {
			return errWire
		}
	}
	return nil
}

func (r *request1) lock() {
	r.table.mu.RLock()
	r.locked = true
	if r.epoch != r.table.epoch {
		r.epoch, r.last = r.table.epoch, -1
	}
}

func (r *request1) unlock() {
	if r.locked {
		r.locked = false
		r.table.mu.RUnlock()
	}
}

const tagLabel = 1<<3 | wireBytes

// timeSeries reads a TimeSeries.
func (r *request1) timeSeries(from, end int) bool {
	b, d := r.body, r.decoder
	d.samples = d.samples[:0]
	n, i := r.guess(from, end)
	var labels []byte
	apart := false // labels are in d.gathered
	if n < 0 {
		if i = endOfLabels(b, from, end); i == 0 {
			return false
		}
		labels = b[from:i]
	}
	for i < end {
		tag, next := uint64(b[i]), i+1
		if tag >= 0x80 {
			if tag, next = readTag(b, i, end); next == 0 {
				return false
			}
		}
		switch tag {
		case tagOf(2, wireBytes):
			next = d.sample(b, next, end, 2)
		case tagOf(3, wireBytes):
			d.exemplars++
			_, next = span(b, next, end)
		case tagOf(4, wireBytes):
			d.histograms++
			_, next = span(b, next, end)
		case tagLabel: // behind something else
			if n >= 0 {
				labels, n = r.table.keys.Key(uint32(n)), -1
			}
			if _, next = span(b, next, end); next != 0 {
				labels, apart = d.gather(labels, apart, b[i:next]), true
			}
		default:
			next = skip(b, next, end, tag, 4)
		}
		if i = next; i == 0 {
			return false
		}
	}
	if n < 0 && len(d.samples) > 0 {
		n = r.table.find(r.last, labels)
	}
	if n >= 0 {
		r.last = n
		d.add(r.table.series[n])
		return true
	}
	return len(d.samples) == 0 && validLabels(labels) || r.unknown(labels)
}

// guess returns the number of the series that came after the last one before, and where
// its labels end, if it comes again.
func (r *request1) guess(from, end int) (n, i int) {
	if r.last < 0 {
		return -1, from
	}
	n, key := r.table.after(r.last)
	i = from + len(key)
	if i > end || string(r.body[from:i]) != string(key) || i < end && r.body[i] == tagLabel {
		return -1, from
	}
	return n, i
}

// unknown stores the samples of a series that is not in the table.
func (r *request1) unknown(labels []byte) bool {
	d := r.decoder
	d.tags = d.tags[:0]
	if !d.takeLabels(labels) {
		return false
	}
	r.unlock()
	defer r.lock()
	s, err := d.resolve()
	if err != nil {
		d.refuse(err)
		return true
	}
	r.table.put(labels, s)
	d.add(s)
	return true
}

// endOfLabels returns where the labels end that stand at the beginning of a TimeSeries.
func endOfLabels(b []byte, i, end int) int {
	for i < end && b[i] == tagLabel {
		if _, i = span(b, i+1, end); i == 0 {
			return 0
		}
	}
	return i
}

// takeLabels appends labels, of which nothing is known but their lengths, to d.tags.
func (d *decoder) takeLabels(b []byte) bool {
	for i := 0; i < len(b); {
		_, i = uvarint(b, i, len(b)) // the tag
		from, to := span(b, i, len(b))
		name, value, ok := label(b, from, to)
		if !ok {
			return false
		}
		d.tags = append(d.tags, sydradb.Tag{Key: string(name), Value: string(value)})
		i = to
	}
	return true
}

// validLabels reports whether labels, which are not needed, could be read.
func validLabels(b []byte) bool {
	for i := 0; i < len(b); {
		_, i = uvarint(b, i, len(b))
		from, to := span(b, i, len(b))
		if _, _, ok := label(b, from, to); !ok {
			return false
		}
		i = to
	}
	return true
}

// label reads a Label.
func label(b []byte, i, end int) (name, value []byte, ok bool) {
	for i < end {
		tag, next := readTag(b, i, end)
		if next == 0 {
			return nil, nil, false
		}
		var from int
		switch tag {
		case tagOf(1, wireBytes):
			from, next = span(b, next, end)
			name = b[from:next]
		case tagOf(2, wireBytes):
			from, next = span(b, next, end)
			value = b[from:next]
		default:
			next = skip(b, next, end, tag, 2)
		}
		if i = next; i == 0 {
			return nil, nil, false
		}
	}
	return name, value, true
}
