package catalog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/sydradb/sydradb/internal/base"
)

// The CATALOG file is a run of frames (package frame) without a header. Each frame can
// be read alone. A series stands in an ids frame and, unless all that is known of it is
// its id, in a names frame as well: either is enough to know its id, so that damage to
// one can be repaired from the other. Integers are little-endian, "uv" is an unsigned
// LEB128 number of at most 32 bits, "text" is uv length and UTF-8 bytes.
//
//	ids frame
//	  type       u8  2
//	  series     uv count, then for each, by rising ordinal:
//	    step     uv  ordinal - the one before - 1; the first counts from -1
//	    id       u64
//
//	names frame
//	  type       u8  1
//	  names      uv count, then text each
//	  keys       uv count, then text each, strictly ascending
//	  pairs      uv count, then for each:
//	    key      uv  number of the key
//	    value    text
//	  series     uv count, then for each, by rising ordinal:
//	    step     uv  as above
//	    name     uv  2 * (1 + number of the name), 0 without one; + 1 if an id follows
//	    id       u64, only where it is not the hash of the series' key
//	    tags     uv count, then uv number of the pair for each, by rising key
//
// A later entry of a series wins over an earlier one: it may bring the name that was
// missing. Where a later entry gives the id, or the name and tags, of a series to a higher
// ordinal, that series was dead, and the lower ordinal stands for nothing any more. Pinned by testdata/catalog.golden.
const (
	typeNames = 1
	typeIDs   = 2

	// frameBytes is how long a payload grows at most, unless one series takes more.
	frameBytes = 256 << 10
)

// appendIDsLocked appends the payload of an ids frame with as many series as fit, and
// returns how many it took. ordinals rise; those of series that died meanwhile are
// passed over, and nothing is appended if there are no others. Requires: c.mu, for
// reading at least.
func (c *Catalog) appendIDsLocked(dst []byte, ordinals []base.Ordinal) ([]byte, int) {
	const rowMax = binary.MaxVarintLen32 + 8
	ordinals = ordinals[:min(len(ordinals), frameBytes/rowMax)]
	count := 0
	for _, o := range ordinals {
		if _, ok := c.mu.get(o); ok {
			count++
		}
	}
	if count == 0 {
		return dst, len(ordinals)
	}
	dst = append(dst, typeIDs)
	dst = binary.AppendUvarint(dst, uint64(count))
	next := base.Ordinal(0)
	for _, o := range ordinals {
		row, ok := c.mu.get(o)
		if !ok {
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(o-next))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(row.id))
		next = o + 1
	}
	return dst, len(ordinals)
}

// frameData is a decoded frame. Its strings are parts of the payload.
type frameData struct {
	kind   byte
	names  []string
	keys   []string
	pairs  []pairEntry
	series []seriesEntry
	lists  []uint32 // pair numbers of all series, one after the other
}

type pairEntry struct {
	key   uint32
	value string
}

type seriesEntry struct {
	ordinal base.Ordinal
	hasID   bool
	name    uint32 // 1 + number of the name
	end     uint32 // of its part of lists
	id      base.SeriesID
}

var errPayload = errors.New("a count or length does not fit into the frame")

// decode reads a payload into f, whose slices it uses again. An error says what is
// wrong; everything has been checked that does not take knowledge of other frames.
func (f *frameData) decode(payload string) error {
	*f = frameData{names: f.names[:0], keys: f.keys[:0], pairs: f.pairs[:0], series: f.series[:0], lists: f.lists[:0]}
	if payload == "" {
		return errPayload
	}
	f.kind = payload[0]
	r := reader{rest: payload[1:]}
	switch f.kind {
	case typeIDs:
		f.decodeIDs(&r)
	case typeNames:
		f.decodeTables(&r)
		f.decodeSeries(&r)
	default:
		return fmt.Errorf("unknown type %d", f.kind)
	}
	if r.err == nil && r.rest != "" {
		return fmt.Errorf("%d bytes follow the last series", len(r.rest))
	}
	return r.err
}

func (f *frameData) decodeIDs(r *reader) {
	n := r.count(9)
	f.series = slices.Grow(f.series, n)
	next := uint64(0)
	for range n {
		o := r.ordinal(&next, uint64(r.uvarint()))
		f.series = append(f.series, seriesEntry{ordinal: o, hasID: true, id: r.id()})
	}
}

func (f *frameData) decodeTables(r *reader) {
	n := r.count(2)
	f.names = slices.Grow(f.names, n)
	for range n {
		f.names = append(f.names, r.text())
	}
	n = r.count(2)
	f.keys = slices.Grow(f.keys, n)
	for i := range n {
		key := r.text()
		if r.err == nil && (i > 0 && f.keys[i-1] >= key || key == base.NameKey || key == atKey) {
			r.err = fmt.Errorf("tag key %.100q is reserved or out of order", key)
		}
		f.keys = append(f.keys, key)
	}
	n = r.count(3)
	f.pairs = slices.Grow(f.pairs, n)
	for range n {
		f.pairs = append(f.pairs, pairEntry{r.below(len(f.keys)), r.text()})
	}
}

func (f *frameData) decodeSeries(r *reader) {
	n := r.count(3)
	f.series = slices.Grow(f.series, n)
	next := uint64(0)
	for range n {
		var s seriesEntry
		s.ordinal = r.ordinal(&next, uint64(r.uvarint()))
		name := r.below(2*len(f.names) + 2)
		s.name, s.hasID = name>>1, name&1 != 0
		if s.hasID {
			s.id = r.id()
		} else if s.name == 0 {
			r.fail(fmt.Errorf("ordinal %d has neither a name nor an id", s.ordinal))
		}
		lastKey := -1
		for range r.count(1) {
			pair := r.below(len(f.pairs))
			if r.err != nil {
				return
			}
			key := int(f.pairs[pair].key)
			if key <= lastKey {
				r.fail(fmt.Errorf("the tags of ordinal %d are out of order", s.ordinal))
			}
			lastKey = key
			f.lists = append(f.lists, pair)
		}
		s.end = uint32(len(f.lists))
		f.series = append(f.series, s)
	}
}

// tags returns the pair numbers of series i.
func (f *frameData) tags(i int) []uint32 {
	start := uint32(0)
	if i > 0 {
		start = f.series[i-1].end
	}
	return f.lists[start:f.series[i].end]
}

// reader takes values from the front of rest. It keeps its first error, and returns
// zero values from then on.
type reader struct {
	rest string
	err  error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = ""
}

// uvarint reads a number, most of which take one byte.
func (r *reader) uvarint() uint32 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 {
		v := r.rest[0]
		r.rest = r.rest[1:]
		return uint32(v)
	}
	return r.longUvarint()
}

func (r *reader) longUvarint() uint32 {
	var v uint64
	for i := 0; i < len(r.rest) && i < binary.MaxVarintLen32; i++ {
		v |= uint64(r.rest[i]&0x7f) << (7 * i)
		if r.rest[i] < 0x80 && v < 1<<32 {
			r.rest = r.rest[i+1:]
			return uint32(v)
		}
	}
	r.fail(errors.New("a number is cut off or has more than 32 bits"))
	return 0
}

// count reads a number of things that take at least size bytes each.
func (r *reader) count(size int) int {
	n := int(r.uvarint())
	if n > len(r.rest)/size {
		r.fail(errPayload)
		return 0
	}
	return n
}

// below reads a number that must be below limit.
func (r *reader) below(limit int) uint32 {
	n := r.uvarint()
	if r.err == nil && int(n) >= limit {
		r.fail(fmt.Errorf("number %d of %d", n, limit))
		return 0
	}
	return n
}

func (r *reader) text() string {
	n := int(r.uvarint())
	if n > len(r.rest) {
		r.fail(errPayload)
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	if r.err == nil && (s == "" || !utf8.ValidString(s)) {
		r.fail(fmt.Errorf("the text %.100q is empty or not UTF-8", s))
	}
	return s
}

func (r *reader) id() base.SeriesID {
	if len(r.rest) < 8 {
		r.fail(errPayload)
		return 0
	}
	var v uint64
	for i := range 8 {
		v |= uint64(r.rest[i]) << (8 * i)
	}
	r.rest = r.rest[8:]
	return base.SeriesID(v)
}

// ordinal adds a step to the ordinal that would come next.
func (r *reader) ordinal(next *uint64, step uint64) base.Ordinal {
	o := *next + step
	if o >= maxSeries {
		r.fail(fmt.Errorf("ordinal %d is out of range", o))
		return 0
	}
	*next = o + 1
	return base.Ordinal(o)
}
