package tags

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/sydradb/sydradb/internal/base"
)

// tags.json is one JSON object: for each tag, the ids of the series that have it.
//
//	{"generation":[1],"bytes":[4711],
//	"floor=2":[17,4242],
//	"room=kitchen":[17]}
//
// The first two members are the stamp: the catalog of which this is the snapshot. Tags
// follow in bytewise order of "key=value", ids ascending. A reader splits a member at
// its first '='; the members of the stamp have none. Keys that hold a '=' are therefore
// ambiguous, and members that come out the same are one. Names are not tags and not
// here. The catalog is the truth: a snapshot that is missing or wrong is written anew.

// Stamp names the state of the catalog that a snapshot shows.
type Stamp struct {
	Generation uint64 // of the CATALOG file
	Bytes      int64  // of it
}

const (
	stampStart  = `{"generation":[`
	stampMiddle = `],"bytes":[`
	stampEnd    = ']'
)

// AppendSnapshot appends the contents of tags.json to dst, with id telling the id of
// each series. Where they would take more than limit bytes it returns dst and false.
func (ix *Index) AppendSnapshot(dst []byte, stamp Stamp, id func(base.Ordinal) base.SeriesID, limit int) ([]byte, bool) {
	members, ok := ix.members(limit)
	if !ok {
		return dst, false
	}
	out := appendStamp(dst, stamp)
	var found []uint32
	var ids []base.SeriesID
	for i, m := range members {
		ids = ids[:0]
		ix.mu.RLock()
		found = ix.mu.appendTo(found[:0], m.pair)
		ix.mu.RUnlock()
		for _, o := range found {
			ids = append(ids, id(base.Ordinal(o)))
		}
		if i+1 < len(members) && members[i+1].text == m.text {
			// Rare enough to go on with the lists of both under the second.
			members[i+1].more = append(m.more, ids...)
			continue
		}
		ids = append(ids, m.more...)
		out = appendMember(out, m.text, ids)
		if len(out)-len(dst) > limit {
			return dst, false
		}
	}
	out = append(out, "}\n"...)
	if len(out)-len(dst) > limit {
		return dst, false
	}
	return out, true
}

func appendStamp(dst []byte, s Stamp) []byte {
	dst = append(dst, stampStart...)
	dst = strconv.AppendUint(dst, s.Generation, 10)
	dst = append(dst, stampMiddle...)
	dst = strconv.AppendInt(dst, s.Bytes, 10)
	return append(dst, stampEnd)
}

// member is one tag of the snapshot.
type member struct {
	text string // key=value
	pair uint32
	more []base.SeriesID // of pairs with the same text
}

// members returns the tags that some series has, sorted; false if their text and ids
// take more than limit bytes in any case.
func (ix *Index) members(limit int) ([]member, bool) {
	var members []member
	size := 0
	for _, key := range ix.dict.Keys() {
		if key == base.NameKey {
			continue
		}
		for _, pair := range ix.dict.AppendValues(nil, key, 0) {
			ix.mu.RLock()
			count := ix.mu.count(pair)
			ix.mu.RUnlock()
			if count == 0 {
				continue
			}
			_, value := ix.dict.Pair(pair)
			m := member{text: key + "=" + value, pair: pair}
			if size += len(m.text) + 2*count; size > limit {
				return nil, false
			}
			members = append(members, m)
		}
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.text, b.text) })
	return members, true
}

// appendMember appends one tag with the ids of its series, which it sorts.
func appendMember(dst []byte, text string, ids []base.SeriesID) []byte {
	slices.Sort(ids)
	quoted, _ := json.Marshal(text) // a string has no error
	dst = append(dst, ",\n"...)
	dst = append(dst, quoted...)
	dst = append(dst, ":["...)
	for i, id := range slices.Compact(ids) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, uint64(id), 10)
	}
	return append(dst, ']')
}

// ReadStamp returns the stamp at the beginning of a snapshot. It is false for anything
// that AppendSnapshot does not write. Some 100 bytes of the file are enough.
func ReadStamp(data []byte) (Stamp, bool) {
	var s Stamp
	rest, found := bytes.CutPrefix(data, []byte(stampStart))
	if !found {
		return s, false
	}
	generation, rest, found := bytes.Cut(rest, []byte(stampMiddle))
	if !found {
		return s, false
	}
	size, rest, found := bytes.Cut(rest, []byte{stampEnd})
	if !found || len(rest) == 0 {
		return s, false
	}
	var err1, err2 error
	s.Generation, err1 = strconv.ParseUint(string(generation), 10, 64)
	s.Bytes, err2 = strconv.ParseInt(string(size), 10, 64)
	written := bytes.HasPrefix(data, appendStamp(nil, s)) // not 007, say
	return s, err1 == nil && err2 == nil && written
}
