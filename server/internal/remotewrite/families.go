package remotewrite

import (
	"bytes"
	"sync/atomic"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/metadata"
)

// metadata2 is what a TimeSeries says about its family.
type metadata2 struct {
	typ        uint64
	help, unit uint32 // references
}

// readMetadata reads a Metadata. Series of a family, which stand beside one another, have
// equal ones.
func (r *request2) readMetadata(b []byte, i, end int) bool {
	if r.meta != (metadata2{}) { // there is another one, which this one adds to
		return r.meta.read(b, i, end)
	}
	if text := b[i:end]; !bytes.Equal(text, r.text) {
		if !r.meta.read(b, i, end) {
			return false
		}
		r.text, r.parsed = text, r.meta
	}
	r.meta = r.parsed
	return true
}

// read reads a Metadata.
func (m *metadata2) read(b []byte, i, end int) bool {
	for i < end {
		tag, next := readTag(b, i, end)
		if next == 0 {
			return false
		}
		var v uint64
		switch tag {
		case tagOf(1, wireVarint):
			m.typ, next = uvarint(b, next, end)
		case tagOf(3, wireVarint):
			v, next = uvarint(b, next, end)
			m.help = uint32(v)
		case tagOf(4, wireVarint):
			v, next = uvarint(b, next, end)
			m.unit = uint32(v)
		default:
			if tag>>3 == 2 {
				next = skipValue(b, next, end, tag&7)
			} else {
				next = skip(b, next, end, tag, 4)
			}
		}
		if i = next; i == 0 {
			return false
		}
	}
	return true
}

// describe passes the metadata of series n on, unless it was the same the last time.
func (r *request2) describe(n int) {
	code := r.meta.code(r.numbers)
	if code != 0 && atomic.LoadUint64(&r.table.said[n]) == code {
		return
	}
	r.set(r.table.series[n])
	atomic.StoreUint64(&r.table.said[n], code)
}

func (r *request2) set(s *sydradb.Series) {
	typ := metadata.TypeName(r.meta.typ)
	r.store.Set(metadata.Family(s.Name(), typ), typ, r.symbol(r.meta.unit), r.symbol(r.meta.help))
}

// code returns a number for the metadata, which is not 0 and holds as long as the numbers
// of the symbols; 0 if a symbol has none.
func (m *metadata2) code(numbers []uint32) uint64 {
	if int(m.help) >= len(numbers) || int(m.unit) >= len(numbers) {
		return 0
	}
	help, unit := numbers[m.help], numbers[m.unit]
	if (help|unit)&unknown != 0 {
		return 0
	}
	return 1<<63 | min(m.typ, 255)<<48 | uint64(help)<<24 | uint64(unit)
}

// setFamily reads a MetricMetadata and keeps it.
func setFamily(store *metadata.Store, b []byte, i, end int) bool {
	var typ uint64
	var texts [6]string // by field
	for i < end {
		tag, next := readTag(b, i, end)
		if next == 0 {
			return false
		}
		switch tag {
		case tagOf(1, wireVarint):
			typ, next = uvarint(b, next, end)
		case tagOf(2, wireBytes), tagOf(4, wireBytes), tagOf(5, wireBytes):
			from, to := span(b, next, end)
			texts[tag>>3], next = string(b[from:to]), to
		default:
			if field := tag >> 3; field == 3 {
				next = skipValue(b, next, end, tag&7)
			} else {
				next = skip(b, next, end, tag, 5)
			}
		}
		if i = next; i == 0 {
			return false
		}
	}
	store.Set(texts[2], metadata.TypeName(typ), texts[5], texts[4])
	return true
}
