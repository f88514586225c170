package manifest

import (
	"bytes"
	"fmt"
	"math"

	"github.com/sydradb/sydradb/internal/base"
)

// parser reads the JSON of MANIFEST: objects of known members, lists, integers and
// strings without escapes. It keeps its first error and from then on finds nothing more,
// so that callers look at the error once, at the end.
type parser struct {
	buf []byte
	pos int
	err error
}

// Members of an entry and of an edit, as bits: which were seen, which must be.
const (
	seriesIDMember = 1 << iota
	hourBucketMember
	startTSMember
	endTSMember
	countMember
	pathMember
	seqMember
	entryEditMember
	entryWallMember
	bytesMember
	blake3Member

	plainMembers = seqMember - 1
	entryMembers = blake3Member<<1 - 1
)

const (
	editMember = 1 << iota
	prevMember
	wallMember
	nextMSMember
	flushedLSNMember
	catalogMember
	crc32Member
	addMember
	removeMember
	lastLSNMember

	requiredMembers = addMember - 1
)

const (
	generationMember = 1 << iota
	catalogBytesMember

	catalogMembers = catalogBytesMember<<1 - 1
)

// edit reads an edit, appending to its lists.
func (p *parser) edit(e *Edit) {
	seen := 0
	p.expect('{')
	for i := 0; p.next(i, '}'); i++ {
		switch key := p.key(); string(key) {
		case "edit":
			p.once(&seen, editMember)
			e.Number = p.uint(maxEdit)
		case "prev":
			p.once(&seen, prevMember)
			e.Prev = string(p.string())
		case "wall":
			p.once(&seen, wallMember)
			e.Wall = p.int()
		case "next_ms":
			p.once(&seen, nextMSMember)
			e.NextMS = p.int()
		case "flushed_lsn":
			p.once(&seen, flushedLSNMember)
			e.FlushedLSN = base.LSN(p.uint(uint64(maxLSN)))
		case "catalog":
			p.once(&seen, catalogMember)
			e.Catalog = p.catalog()
		case "add":
			p.once(&seen, addMember)
			e.Add = grow(e.Add, len(p.buf)-p.pos)
			p.expect('[')
			for j := 0; p.next(j, ']'); j++ {
				e.Add = append(e.Add, p.entry(entryMembers))
			}
		case "remove":
			p.once(&seen, removeMember)
			p.expect('[')
			for j := 0; p.next(j, ']'); j++ {
				e.Remove = append(e.Remove, string(p.string()))
			}
		case "last_lsn":
			p.once(&seen, lastLSNMember)
			e.LastLSN = base.LSN(p.uint(uint64(maxLSN)))
		case "crc32":
			p.once(&seen, crc32Member)
			p.string()
		default:
			p.unknown(key)
		}
	}
	p.exactly(seen&requiredMembers, requiredMembers)
}

// catalog reads the value of that member.
func (p *parser) catalog() (c Catalog) {
	seen := 0
	p.expect('{')
	for i := 0; p.next(i, '}'); i++ {
		switch key := p.key(); string(key) {
		case "generation":
			p.once(&seen, generationMember)
			c.Generation = p.uint(math.MaxUint64)
		case "bytes":
			p.once(&seen, catalogBytesMember)
			c.Bytes = int64(p.uint(math.MaxInt64))
		default:
			p.unknown(key)
		}
	}
	p.exactly(seen, catalogMembers)
	return c
}

// entry reads an entry that has exactly the members given.
func (p *parser) entry(members int) (e Entry) {
	seen := 0
	p.expect('{')
	for i := 0; p.next(i, '}'); i++ {
		switch key := p.key(); string(key) {
		case "series_id":
			p.once(&seen, seriesIDMember)
			e.SeriesID = base.SeriesID(p.uint(math.MaxUint64))
		case "hour_bucket":
			p.once(&seen, hourBucketMember)
			e.HourBucket = p.int()
		case "start_ts":
			p.once(&seen, startTSMember)
			e.StartTS = p.int()
		case "end_ts":
			p.once(&seen, endTSMember)
			e.EndTS = p.int()
		case "count":
			p.once(&seen, countMember)
			e.Count = int(p.uint(maxPoints))
		case "path":
			p.once(&seen, pathMember)
			e.Path = string(p.string())
		case "seq":
			p.once(&seen, seqMember)
			e.Seq = base.LSN(p.uint(uint64(maxLSN)))
		case "edit":
			p.once(&seen, entryEditMember)
			e.Edit = p.uint(maxEdit)
		case "wall":
			p.once(&seen, entryWallMember)
			e.Wall = p.int()
		case "bytes":
			p.once(&seen, bytesMember)
			e.Bytes = int64(p.uint(math.MaxInt64))
		case "blake3":
			p.once(&seen, blake3Member)
			e.BLAKE3 = string(p.string())
		default:
			p.unknown(key)
		}
	}
	p.exactly(seen, members)
	return e
}

// finish returns the first error; bytes left over are one.
func (p *parser) finish() error {
	if p.err == nil && p.peek() != 0 {
		p.fail("text after the end")
	}
	return p.err
}

// fail keeps an error, unless there is one, and gives up the rest of the line.
func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("byte %d of the line: %w", p.pos, fmt.Errorf(format, args...))
	}
	p.buf = p.buf[:p.pos]
}

func (p *parser) unknown(key []byte) {
	p.fail("%w %.64q", errUnknown, key)
}

// once notes that a member was seen, which may happen once.
func (p *parser) once(seen *int, member int) {
	if *seen&member != 0 {
		p.fail("a member stands twice")
	}
	*seen |= member
}

// exactly fails unless the members seen are those wanted.
func (p *parser) exactly(seen, want int) {
	if seen != want {
		p.fail("a member is missing or out of place")
	}
}

// peek skips white space and returns the byte that follows, 0 at the end.
func (p *parser) peek() byte {
	for ; p.pos < len(p.buf); p.pos++ {
		switch c := p.buf[p.pos]; c {
		case ' ', '\t', '\r':
		case 0:
			p.fail("a zero byte")
		default:
			return c
		}
	}
	return 0
}

func (p *parser) expect(c byte) {
	if p.peek() != c {
		p.fail("want %q", c)
		return
	}
	p.pos++
}

// next reports whether an object or list goes on with element i, and eats the comma
// before it or the byte that closes.
func (p *parser) next(i int, closing byte) bool {
	c := p.peek()
	switch {
	case p.err != nil:
		return false
	case c == closing:
		p.pos++
		return false
	case i > 0:
		p.expect(',')
	}
	return p.err == nil
}

// key reads the name of a member and the colon behind it. The result is part of buf.
func (p *parser) key() []byte {
	k := p.string()
	p.expect(':')
	return k
}

// string reads a string without escapes. The result is part of buf.
func (p *parser) string() []byte {
	p.expect('"')
	n := bytes.IndexByte(p.buf[p.pos:], '"')
	if n < 0 {
		p.fail("a string does not end")
		return nil
	}
	s := p.buf[p.pos : p.pos+n]
	p.pos += n + 1
	return s
}

// int reads an integer of 64 bits.
func (p *parser) int() int64 {
	if p.peek() != '-' {
		return int64(p.uint(math.MaxInt64))
	}
	p.pos++
	v := p.magnitude(1 << 63)
	if v == 0 {
		p.fail("a negative zero")
	}
	return -int64(v)
}

// uint reads an integer from 0 to limit.
func (p *parser) uint(limit uint64) uint64 {
	p.peek()
	return p.magnitude(limit)
}

// magnitude reads decimal digits without leading zeros.
func (p *parser) magnitude(limit uint64) uint64 {
	start, v := p.pos, uint64(0)
	for ; p.pos < len(p.buf) && isDigit(p.buf[p.pos]); p.pos++ {
		d := uint64(p.buf[p.pos] - '0')
		if v > (limit-d)/10 {
			p.fail("a number above %d", limit)
			return 0
		}
		v = v*10 + d
	}
	if p.pos == start || p.pos-start > 1 && p.buf[start] == '0' {
		p.fail("want a number")
	}
	return v
}
