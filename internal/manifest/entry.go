package manifest

import (
	"fmt"
	"strings"

	"github.com/sydradb/sydradb/internal/base"
)

// maxLSN bounds every log sequence number: the top byte stays free.
const maxLSN = base.LSN(1)<<56 - 1

// maxEdit bounds the numbers of edits in the same way.
const maxEdit = uint64(maxLSN)

// maxPoints is the largest count that a segment file can hold.
const maxPoints = 1<<32 - 1

// Entry describes one live segment file. The first six fields are all that version 0
// wrote. It is a plain value; its strings are never changed.
type Entry struct {
	SeriesID   base.SeriesID `json:"series_id"`
	HourBucket int64         `json:"hour_bucket"` // start of the hour; ns, in version 0 s
	StartTS    int64         `json:"start_ts"`    // first timestamp, same unit
	EndTS      int64         `json:"end_ts"`      // last timestamp, same unit
	Count      int           `json:"count"`       // points
	Path       string        `json:"path"`        // relative to the data directory

	Seq    base.LSN `json:"seq"`    // place in write order: of equal points the higher Seq wins
	Edit   uint64   `json:"edit"`   // number of the edit that added the file here
	Wall   int64    `json:"wall"`   // Unix ms of the flush that brought its newest data
	Bytes  int64    `json:"bytes"`  // size of the file
	BLAKE3 string   `json:"blake3"` // identity of its bytes, 64 hex digits; "" in version 0

	// Applied is the LSN up to which deletions have been applied to the file: what they
	// hide is not in it. It is never below Seq in meaning; 0 stands for "as Seq".
	Applied base.LSN `json:"applied,omitempty"`

	// Only packs have these. The SeriesID of a pack is 0 and means nothing.
	Width     int64  `json:"width,omitempty"`      // of the bucket, ns; 0 stands for an hour
	Segments  int    `json:"segments,omitempty"`   // series in the pack, at least 1
	FooterCRC string `json:"footer_crc,omitempty"` // CRC-32C of its footer, 8 hex digits
}

// IsPack reports whether the entry is that of a pack: many series in one file.
func (e *Entry) IsPack() bool { return e.Segments > 0 }

// BucketWidth returns the width of the bucket, in nanoseconds.
func (e *Entry) BucketWidth() int64 {
	if e.Width == 0 {
		return base.Hour
	}
	return e.Width
}

// DeleteFile describes a live file of tombstones: what the Delete record LSN hides. It
// is a plain value.
type DeleteFile struct {
	Path    string   `json:"path"`
	LSN     base.LSN `json:"lsn"`      // of the record: points of earlier ones are hidden
	Edit    uint64   `json:"edit"`     // number of the edit that added the file here
	StartTS int64    `json:"start_ts"` // what it hides lies from here
	EndTS   int64    `json:"end_ts"`   // to here, inclusive; Unix ns
	Bytes   int64    `json:"bytes"`
	BLAKE3  string   `json:"blake3"`
}

// Catalog is a position in the catalog: the generation of the file that counts, and
// how many of its bytes do. What lies beyond comes again from the log.
type Catalog struct {
	Generation uint64 `json:"generation"`
	Bytes      int64  `json:"bytes"`
}

// Edit is one line of MANIFEST. Its numbers replace those of the edit before, its lists
// change what is live. Number and Prev, and Edit of each added entry, are the log's to
// fill in.
type Edit struct {
	Number     uint64   `json:"edit"`
	Prev       string   `json:"prev"`          // CRC of the line before, 8 hex digits; "" in the first line
	Wall       int64    `json:"wall"`          // Unix ms when it was written
	NextMS     int64    `json:"next_ms"`       // least number of an unfinished job, else the next one to be given
	FlushedLSN base.LSN `json:"flushed_lsn"`   // records up to here are in segment files
	Catalog    Catalog  `json:"catalog"`       // what the entries and the log above FlushedLSN build on
	Add        []Entry  `json:"add,omitempty"` // files that go live
	// AddDeletes are delete files that go live. In the line they stand in "add", too.
	AddDeletes []DeleteFile `json:"-"`
	Remove     []string     `json:"remove,omitempty"` // paths no longer live; their unlinks are owed
	// Horizon moves retention horizons forward: per namespace, "" for all without one of
	// their own, the least timestamp that is still kept.
	Horizon map[string]int64 `json:"horizon,omitempty"`
	LastLSN base.LSN         `json:"last_lsn,omitempty"` // after a clean close: the log is durable up to here; else 0
}

// validate checks what can be said of an entry by itself (M5). plain entries come from
// version 0, whose unit is not known.
func (e *Entry) validate(plain bool) error {
	switch {
	case !validPath(e.Path):
		return fmt.Errorf("path %q is not that of a segment file", e.Path)
	case e.StartTS > e.EndTS:
		return fmt.Errorf("%s: start_ts %d after end_ts %d", e.Path, e.StartTS, e.EndTS)
	case e.Count < 1 || e.Count > maxPoints:
		return fmt.Errorf("%s: count %d", e.Path, e.Count)
	case plain:
		return nil
	case e.StartTS < base.MinTime || e.EndTS > base.MaxTime:
		return fmt.Errorf("%s: times %d to %d out of range", e.Path, e.StartTS, e.EndTS)
	case base.BucketStart(e.StartTS) != e.HourBucket || base.BucketStart(e.EndTS) != e.HourBucket:
		return fmt.Errorf("%s: times %d to %d not in the hour %d", e.Path, e.StartTS, e.EndTS, e.HourBucket)
	case int64(e.Count)-1 > e.EndTS-e.StartTS:
		return fmt.Errorf("%s: %d points between %d and %d", e.Path, e.Count, e.StartTS, e.EndTS)
	case e.Seq > maxLSN:
		return fmt.Errorf("%s: seq %d out of range", e.Path, e.Seq)
	case e.Bytes < 1:
		return fmt.Errorf("%s: %d bytes", e.Path, e.Bytes)
	case len(e.BLAKE3) != 64 || !all(e.BLAKE3, isHex):
		return fmt.Errorf("%s: blake3 %q is not 64 hex digits", e.Path, e.BLAKE3)
	}
	return nil
}

// validPath reports whether path may stand in MANIFEST: segments/<hour>/<name>.seg with
// a decimal hour of at most 12 digits, perhaps negative, and a name of lower-case hex
// digits and dashes. So no line of the file can point outside the data directory.
func validPath(path string) bool {
	rest, ok := strings.CutPrefix(path, base.SegmentsDir+"/")
	if !ok {
		return false
	}
	hour, name, ok := strings.Cut(rest, "/")
	if !ok {
		return false
	}
	hour = strings.TrimPrefix(hour, "-")
	name, ok = strings.CutSuffix(name, ".seg")
	return ok && len(hour) <= 12 && all(hour, isDigit) && len(name) <= 128 && all(name, isNameByte)
}

// all reports whether s is not empty and every byte of it is in the class.
func all(s string, in func(byte) bool) bool {
	for i := range len(s) {
		if !in(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigit(c byte) bool    { return '0' <= c && c <= '9' }
func isHex(c byte) bool      { return isDigit(c) || 'a' <= c && c <= 'f' }
func isNameByte(c byte) bool { return isHex(c) || c == '-' }
