package manifest

import (
	"math"

	"github.com/sydradb/sydradb/internal/base"
)

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
	appliedMember
	widthMember
	segmentsMember
	footerCRCMember
	lsnMember

	plainMembers  = seqMember - 1
	entryMembers  = blake3Member<<1 - 1
	packMembers   = segmentsMember | footerCRCMember
	deleteMembers = startTSMember | endTSMember | pathMember | entryEditMember | bytesMember | blake3Member | lsnMember
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
	horizonMember
	lastLSNMember

	requiredMembers = addMember - 1
)

const (
	generationMember = 1 << iota
	catalogBytesMember
	catalogCRCMember

	catalogMembers = catalogCRCMember - 1
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
				p.file(e)
			}
		case "remove":
			p.once(&seen, removeMember)
			p.expect('[')
			for j := 0; p.next(j, ']'); j++ {
				e.Remove = append(e.Remove, string(p.string()))
			}
		case "horizon":
			p.once(&seen, horizonMember)
			e.Horizon = p.horizon()
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
		case "crc":
			p.once(&seen, catalogCRCMember)
			c.CRC = string(p.string())
		default:
			p.unknown(key)
		}
	}
	p.exactly(seen&catalogMembers, catalogMembers)
	return c
}

// horizon reads the value of that member.
func (p *parser) horizon() map[string]int64 {
	horizon := make(map[string]int64)
	p.expect('{')
	for i := 0; p.next(i, '}'); i++ {
		namespace := p.text()
		p.expect(':')
		if _, twice := horizon[namespace]; twice {
			p.fail("a namespace stands twice")
		}
		horizon[namespace] = p.int()
	}
	return horizon
}

// plain reads an entry of version 0.
func (p *parser) plain() Entry {
	e, _, seen := p.members()
	p.exactly(seen, plainMembers)
	return e
}

// file reads an element of "add" and appends it to the list of e for its kind.
func (p *parser) file(e *Edit) {
	f, lsn, seen := p.members()
	if seen&lsnMember != 0 {
		p.exactly(seen, deleteMembers)
		e.AddDeletes = append(e.AddDeletes, DeleteFile{
			Path: f.Path, LSN: lsn, Edit: f.Edit, StartTS: f.StartTS, EndTS: f.EndTS, Bytes: f.Bytes, BLAKE3: f.BLAKE3,
		})
		return
	}
	want := entryMembers
	if seen&packMembers != 0 {
		want |= packMembers
		if !f.IsPack() {
			p.fail("a pack of no series")
		}
	}
	p.exactly(seen&^(appliedMember|widthMember), want)
	e.Add = append(e.Add, f)
}

// members reads a file of any kind: its members as those of an entry, and what only a
// delete file has. The caller judges which of them were seen.
func (p *parser) members() (e Entry, lsn base.LSN, seen int) {
	p.expect('{')
	for i := 0; p.next(i, '}'); i++ {
		key := p.key()
		switch string(key) {
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
			e.Count = int(p.uint(maxPackPoints))
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
		case "lsn":
			p.once(&seen, lsnMember)
			lsn = base.LSN(p.uint(uint64(maxLSN)))
		default:
			p.optional(key, &e, &seen)
		}
	}
	return e, lsn, seen
}

// optional reads a member that not every entry has.
func (p *parser) optional(key []byte, e *Entry, seen *int) {
	switch string(key) {
	case "applied":
		p.once(seen, appliedMember)
		e.Applied = base.LSN(p.uint(uint64(maxLSN)))
	case "width":
		p.once(seen, widthMember)
		e.Width = p.int()
	case "segments":
		p.once(seen, segmentsMember)
		e.Segments = int(p.uint(maxSegments))
	case "footer_crc":
		p.once(seen, footerCRCMember)
		e.FooterCRC = string(p.string())
	default:
		p.unknown(key)
	}
}
