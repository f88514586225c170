package remotewrite

import (
	"encoding/binary"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/metadata"
)

// request2 is the reading of one request. It holds the lock of the table.
type request2 struct {
	*decoder
	table  *table2
	store  *metadata.Store
	body   []byte
	locked bool
	epoch  int // of table, when the symbols got their numbers
	tries  int // how often they did
	last   int // number of the last key that was found, -1 without one
	meta   metadata2
	text   []byte    // the last Metadata as it stands in body, nil before the first
	parsed metadata2 // what it says
	texts  []string  // of the symbols that were needed, nil at first
}

// decode2 reads a Request.
func (d *decoder) decode2(t *table2, store *metadata.Store, body []byte) error {
	series, ok := d.takeSymbols(body)
	if !ok {
		return errWire
	}
	r := request2{decoder: d, table: t, store: store, body: body}
	defer r.unlock()
	r.number()
	for i, n := series, 0; i < len(body); n++ {
		if n%turn == turn-1 {
			r.unlock()
			r.lock()
		}
		tag, next := readTag(body, i, len(body))
		if tag != tagOf(5, wireBytes) {
			i = skipValue(body, next, len(body), tag&7) // as takeSymbols did
			continue
		}
		from, to := span(body, next, len(body))
		if !r.timeSeries(from, to) {
			return errWire
		}
		i = to
	}
	return nil
}

// takeSymbols finds the symbols of a Request, wherever they stand, and where the first
// TimeSeries begins. It checks all fields of the Request, unless there are too many symbols.
func (d *decoder) takeSymbols(b []byte) (series int, ok bool) {
	series = len(b)
	for i := 0; i < len(b); {
		tag, next := uint64(b[i]), i+1
		if tag >= 0x80 {
			if tag, next = readTag(b, i, len(b)); next == 0 {
				return 0, false
			}
		}
		var from int
		switch tag {
		case tagOf(4, wireBytes):
			from, next = span(b, next, len(b))
			if len(d.places) == maxPlaces {
				d.request.Overflow()
				return len(b), true
			}
			d.places = append(d.places, place{uint32(from), uint32(next)})
		case tagOf(5, wireBytes):
			series = min(series, i)
			_, next = span(b, next, len(b))
		default:
			if field := tag >> 3; field == 0 || field == 4 || field == 5 {
				return 0, false
			}
			next = skip(b, next, len(b), tag, 0)
		}
		if i = next; i == 0 {
			return 0, false
		}
	}
	return series, true
}

// lock takes the lock again. If the table was emptied meanwhile, the symbols get other
// numbers.
func (r *request2) lock() {
	r.table.mu.RLock()
	r.locked = true
	if r.epoch != r.table.epoch {
		r.unlock()
		r.number()
	}
}

func (r *request2) unlock() {
	if r.locked {
		r.locked = false
		r.table.mu.RUnlock()
	}
}

// maxTries is how often the symbols of a request get numbers. A request with more symbols
// than there is room for wears the table out with each series that it puts there; it then
// goes on without the table, rather than look all of them up again each time.
const maxTries = 3

// number looks the symbols up and adds what is missing, then takes the lock.
func (r *request2) number() {
	for r.tries < maxTries {
		r.tries++
		r.table.mu.RLock()
		r.locked = true
		if r.findSymbols() {
			return
		}
		r.unlock()
		if r.addSymbols() {
			r.table.mu.RLock()
			r.locked = true
			if r.epoch == r.table.epoch {
				return
			}
			r.unlock()
		}
	}
	if r.tries == maxTries {
		r.tries++
		r.numbers = r.numbers[:0]
		for range r.places {
			r.numbers = append(r.numbers, unknown)
		}
	}
	r.table.mu.RLock()
	r.locked = true
	r.epoch, r.last = r.table.epoch, -1
}

// findSymbols looks the symbols up. It reports whether all of them have numbers.
func (r *request2) findSymbols() bool {
	r.epoch, r.last = r.table.epoch, -1
	all := true
	r.numbers = r.numbers[:0]
	for _, p := range r.places {
		n, found := r.table.symbols.Find(r.body[p.from:p.to])
		if !found {
			n, all = unknown, false
		}
		r.numbers = append(r.numbers, n)
	}
	return all
}

// addSymbols gives numbers to the symbols that have none. It reports whether the other
// numbers still hold.
func (r *request2) addSymbols() bool {
	t := r.table
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.freshen(); t.epoch != r.epoch {
		return false
	}
	for i, p := range r.places {
		if r.numbers[i] != unknown {
			continue
		}
		symbol := r.body[p.from:p.to]
		n, found := t.symbols.Find(symbol)
		if !found {
			n, found = t.symbols.Add(symbol)
		}
		if found {
			r.numbers[i] = n
		}
	}
	return true
}

// timeSeries reads a TimeSeries.
func (r *request2) timeSeries(i, end int) bool {
	b, d := r.body, r.decoder
	d.samples = d.samples[:0]
	r.meta = metadata2{}
	var refs []byte
	apart := false // refs are in d.gathered
	for i < end {
		tag, next := uint64(b[i]), i+1
		if tag >= 0x80 {
			if tag, next = readTag(b, i, end); next == 0 {
				return false
			}
		}
		i = next
		switch tag {
		case tagOf(1, wireBytes):
			if i, next = span(b, i, end); refs == nil {
				refs = b[i:next]
			} else if cutOff(refs) {
				return false
			} else {
				refs, apart = d.gather(refs, apart, b[i:next]), true
			}
		case tagOf(1, wireVarint):
			if _, next = uvarint(b, i, end); cutOff(refs) {
				return false
			} else if next != 0 {
				refs, apart = d.gather(refs, apart, b[i:next]), true
			}
		case tagOf(2, wireBytes):
			next = d.sample(b, i, end, 3)
		case tagOf(3, wireBytes):
			d.histograms++
			_, next = span(b, i, end)
		case tagOf(4, wireBytes):
			d.exemplars++
			_, next = span(b, i, end)
		case tagOf(5, wireBytes):
			i, next = span(b, i, end)
			if next != 0 && !r.readMetadata(b, i, next) {
				return false
			}
		default:
			next = skip(b, i, end, tag, 5)
		}
		if i = next; i == 0 {
			return false
		}
	}
	return r.storeSeries(refs)
}

// cutOff reports whether references end within a number. It must not go on in the next part
// of them.
func cutOff(refs []byte) bool { return len(refs) > 0 && refs[len(refs)-1] >= 0x80 }

// storeSeries adds the samples that were read to the series that refs name. False means
// that refs are no numbers.
func (r *request2) storeSeries(refs []byte) bool {
	if r.last >= 0 {
		if n, guess := r.table.after(r.last); r.names(refs, guess) {
			r.storeKnown(n)
			return true
		}
	}
	key, fault := r.keyOf(refs)
	switch {
	case fault == faultWire:
		return false
	case len(r.samples) == 0:
		return true
	case fault == faultNone:
		if n := r.table.find(r.last, key); n >= 0 {
			r.storeKnown(n)
			return true
		}
	}
	r.resolveNew(refs, key, fault)
	return true
}

// storeKnown adds the samples to the series with a number.
func (r *request2) storeKnown(n int) {
	if len(r.samples) == 0 {
		return
	}
	r.last = n
	r.add(r.table.series[n])
	if r.meta != (metadata2{}) {
		r.describe(n)
	}
}

// names reports whether the symbols at refs make this key, sparing keyOf if a guess is
// right. It need not know references of more than two bytes.
func (r *request2) names(refs, key []byte) bool {
	numbers := r.numbers
	for i := 0; i < len(refs); {
		ref := uint(refs[i])
		i++
		if ref >= 0x80 {
			if i == len(refs) || refs[i] >= 0x80 {
				return false
			}
			ref = ref&0x7f | uint(refs[i])<<7
			i++
		}
		if len(key) < 4 || ref >= uint(len(numbers)) || numbers[ref] != binary.LittleEndian.Uint32(key) {
			return false
		}
		key = key[4:]
	}
	return len(key) == 0
}

// What can be wrong with references.
type fault uint8

const (
	faultNone    fault = iota
	faultWire          // they are no numbers
	faultRange         // one points beyond the symbols, or there is one too many
	faultUnknown       // a symbol has no number: the series is not in the table
)

// keyOf returns the key of the series whose labels are at refs.
func (r *request2) keyOf(refs []byte) ([]byte, fault) {
	d := r.decoder
	if need := 4 * len(refs); cap(d.key) < need {
		d.key = make([]byte, 2*need)
	}
	key, numbers := d.key[:cap(d.key)], d.numbers
	n, all, outside := 0, uint32(0), false
	for i := 0; i < len(refs); {
		ref := uint(refs[i])
		i++
		if ref >= 0x80 {
			if i < len(refs) && refs[i] < 0x80 {
				ref = ref&0x7f | uint(refs[i])<<7
				i++
			} else {
				v, next := uvarint(refs, i-1, len(refs))
				if next == 0 {
					return nil, faultWire
				}
				ref, i = uint(uint32(v)), next
			}
		}
		if ref >= uint(len(numbers)) {
			outside = true
			continue
		}
		number := numbers[ref]
		all |= number
		binary.LittleEndian.PutUint32(key[n:], number)
		n += 4
	}
	switch {
	case outside || n%8 != 0:
		return nil, faultRange
	case all&unknown != 0:
		return nil, faultUnknown
	}
	return key[:n], faultNone
}

// resolveNew stores the samples of a series that is not in the table, which it is put in
// if key is not nil.
func (r *request2) resolveNew(refs, key []byte, fault fault) {
	d := r.decoder
	d.tags = d.tags[:0]
	if fault == faultRange {
		d.refuse(refuseReferences)
		return
	}
	if len(refs) > maxReferences {
		d.refuse(refuseMany)
		return
	}
	for i := 0; i < len(refs); {
		var name, value uint64
		name, i = uvarint(refs, i, len(refs))
		value, i = uvarint(refs, i, len(refs))
		d.tags = append(d.tags, sydradb.Tag{Key: r.symbol(uint32(name)), Value: r.symbol(uint32(value))})
	}
	epoch := r.epoch
	r.unlock()
	defer r.lock()
	s, err := d.resolve()
	if err != nil {
		d.refuse(err)
		return
	}
	if key != nil {
		r.table.put(epoch, key, s)
	}
	d.add(s)
	if r.meta != (metadata2{}) {
		r.set(s)
	}
}

// symbol returns a symbol of the request, "" if there is none. It is made once: few bytes of
// references can ask for a large one any number of times.
func (r *request2) symbol(ref uint32) string {
	if int(ref) >= len(r.places) {
		return ""
	}
	p := r.places[ref]
	if r.texts == nil {
		r.texts = make([]string, len(r.places))
	}
	if r.texts[ref] == "" {
		r.texts[ref] = string(r.body[p.from:p.to])
	}
	return r.texts[ref]
}
