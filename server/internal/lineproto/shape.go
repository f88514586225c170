package lineproto

import (
	"encoding/binary"
	"slices"
	"sync/atomic"

	"github.com/sydradb/sydradb"
)

// maxFields and shapeBytes bound the fields of one entry: further ones are looked up each
// time.
const (
	maxFields  = 1024
	shapeBytes = 64 << 10
)

// shape is the names of fields in the order in which lines have them. Entries with the same
// names share it, so that it stays in the processor's cache. It never changes.
type shape struct {
	fields []fieldName
	index  map[string]int // by text
	text   string         // all names, each with its equals sign
	refs   int            // entries that have it; guarded by the Table's mutex
}

// fieldName is the name of a field as it is written, with the equals sign behind it.
type fieldName struct {
	text  string
	first uint64 // its first eight bytes, zeros behind shorter ones
	mask  uint64 // of those of first that count
	last  uint64 // its last eight bytes, if it has as many
}

func newFieldName(text string) fieldName {
	var first [8]byte
	n := copy(first[:], text)
	f := fieldName{text: text, first: binary.LittleEndian.Uint64(first[:]), mask: ^uint64(0) >> (64 - 8*uint(n))}
	if len(text) >= 8 {
		f.last = binary.LittleEndian.Uint64([]byte(text[len(text)-8:]))
	}
	return f
}

// at reports whether b[i:] begins with the name, which holds no line end. There must be a
// line end in b, and sixteen bytes behind it.
func (f *fieldName) at(b []byte, i int) bool {
	n := len(f.text)
	switch {
	case load(b, i)&f.mask != f.first:
		return false
	case n <= 8:
		return true
	case n <= 16:
		return load(b, i+n-8) == f.last
	}
	return i+n <= len(b) && string(b[i:i+n]) == f.text
}

// newShape returns the shape of these names, whose texts together are text.
func newShape(names []string, text string) *shape {
	s := &shape{fields: make([]fieldName, len(names)), index: make(map[string]int, len(names)), text: text}
	for i, name := range names {
		own := text[:len(name)]
		text = text[len(name):]
		s.fields[i] = newFieldName(own)
		s.index[own] = i
	}
	return s
}

// find returns the position of the field whose name, with its equals sign, is at b[i:], -1
// if there is none.
func (s *shape) find(b []byte, i int) int {
	end := i
	for end < len(b) && (classes[b[end]]&keyChar != 0 || b[end] == '=' && b[end-1] == '\\') {
		end++
	}
	if end == len(b) || b[end] != '=' {
		return -1
	}
	if n, known := s.index[string(b[i:end+1])]; known {
		return n
	}
	return -1
}

// size returns about what the shape takes, in bytes.
func (s *shape) size() int64 { return int64(len(s.text) + len(s.fields)*96 + 128) }

// entry is what the table knows of one text of measurement and tags. What says so changes;
// the rest never does.
type entry struct {
	hash   uint64
	key    string
	shape  *shape
	series []*sydradb.Series // of the fields of shape
	used   flag              // changes: since the clock's hand came by
	stale  flag              // changes: it is no longer in the table
	missed atomic.Int32      // changes: fields that were new to it since it was made

	// next changes: it is the entry of the line that followed the last time, a good guess
	// for who keeps to an order. It is cleared when the entry leaves the table, so that
	// guesses do not keep alive chains of entries that were forgotten.
	next atomic.Pointer[entry]
}

// dead reports whether none of the series is alive.
func (e *entry) dead() bool {
	return !slices.ContainsFunc(e.series, (*sydradb.Series).Alive)
}

// size returns about what the entry takes, without its shape, in bytes.
func (e *entry) size() int64 { return int64(len(e.key) + len(e.series)*8 + 128) }
