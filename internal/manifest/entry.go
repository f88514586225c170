package manifest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sydradb/sydradb/internal/base"
)

// maxLSN bounds every log sequence number: the top byte stays free.
const maxLSN = base.LSN(1)<<56 - 1

// maxEdit bounds the numbers of edits in the same way.
const maxEdit = uint64(maxLSN)

// Most of what one file can hold: points of a segment file, points and series of a pack.
const (
	maxPoints     = 1<<32 - 1
	maxPackPoints = 1<<53 - 1 // what other readers of JSON still take for an integer
	maxSegments   = 1<<32 - 1 // as many as there are ordinals
)

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

// Catalog is a position in the catalog: the generation of the file that counts, how many
// of its bytes do, and their checksum, which tells the catalog of another database from
// ours. What lies beyond comes again from the log.
type Catalog struct {
	Generation uint64 `json:"generation"`
	Bytes      int64  `json:"bytes"`
	CRC        string `json:"crc,omitempty"` // CRC-32C of the bytes, 8 hex digits; "" in lines of before
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
	// their own, the least timestamp that is still kept. Such an edit is to be followed at
	// once by an empty one, and to take effect only then: the line whose loss would show
	// points again is not to be the last one, which a crash may cut off.
	Horizon map[string]int64 `json:"horizon,omitempty"`
	LastLSN base.LSN         `json:"last_lsn,omitempty"` // after a clean close: the log is durable up to here; else 0
}

// validate checks what can be said of an entry by itself (M5). plain entries come from
// version 0, whose unit is not known.
func (e *Entry) validate(plain bool) error {
	switch {
	case !validPath(e.Path) || plain && base.IsPackFile(e.Path):
		return fmt.Errorf("path %q is not that of a segment file", e.Path)
	case e.StartTS > e.EndTS:
		return fmt.Errorf("%s: start_ts %d after end_ts %d", e.Path, e.StartTS, e.EndTS)
	case e.Count < 1 || e.Count > maxPoints && !e.IsPack():
		return fmt.Errorf("%s: count %d", e.Path, e.Count)
	case plain:
		return nil
	case e.StartTS < base.MinTime || e.EndTS > base.MaxTime:
		return fmt.Errorf("%s: times %d to %d out of range", e.Path, e.StartTS, e.EndTS)
	case e.Seq > maxLSN || e.Applied > maxLSN:
		return fmt.Errorf("%s: seq %d, applied %d out of range", e.Path, e.Seq, e.Applied)
	}
	if err := e.validateKind(); err != nil {
		return fmt.Errorf("%s: %w", e.Path, err)
	}
	bucket := base.BucketStart
	if e.Width != 0 {
		bucket = base.DayStart
	}
	if bucket(e.StartTS) != e.HourBucket || bucket(e.EndTS) != e.HourBucket {
		return fmt.Errorf("%s: times %d to %d not in the bucket %d", e.Path, e.StartTS, e.EndTS, e.HourBucket)
	}
	return validateFile(e.Path, e.Bytes, e.BLAKE3)
}

// validateKind checks the members that set packs apart, and the count against the times
// that there are.
func (e *Entry) validateKind() error {
	each := e.Count
	switch {
	case e.IsPack() != base.IsPackFile(e.Path):
		return fmt.Errorf("%d segments under this name", e.Segments)
	case e.Width != 0 && (e.Width != base.Day || !e.IsPack()):
		return fmt.Errorf("width %d", e.Width)
	case !e.IsPack() && e.FooterCRC != "":
		return errors.New("footer_crc of a file that is no pack")
	case e.IsPack():
		if e.SeriesID != 0 || e.Segments > maxSegments || e.Count < e.Segments || e.Count > maxPackPoints {
			return fmt.Errorf("a pack of series %d with %d points of %d series", e.SeriesID, e.Count, e.Segments)
		}
		if !isCRC(e.FooterCRC) {
			return fmt.Errorf("footer_crc %q is not %d hex digits", e.FooterCRC, crcDigits)
		}
		each = (e.Count + e.Segments - 1) / e.Segments // one series has so many or more
	}
	if int64(each)-1 > e.EndTS-e.StartTS {
		return fmt.Errorf("%d points between %d and %d", e.Count, e.StartTS, e.EndTS)
	}
	return nil
}

// validate checks what can be said of a delete file by itself (M5).
func (d *DeleteFile) validate() error {
	switch {
	case !base.IsDeleteFile(d.Path):
		return fmt.Errorf("path %q is not that of a delete file", d.Path)
	case d.LSN < 1 || d.LSN > maxLSN:
		return fmt.Errorf("%s: lsn %d out of range", d.Path, d.LSN)
	case d.StartTS > d.EndTS:
		return fmt.Errorf("%s: start_ts %d after end_ts %d", d.Path, d.StartTS, d.EndTS)
	}
	return validateFile(d.Path, d.Bytes, d.BLAKE3)
}

// validateFile checks the size and the identity of a file.
func validateFile(path string, size int64, blake3 string) error {
	if size < 1 {
		return fmt.Errorf("%s: %d bytes", path, size)
	}
	if len(blake3) != 64 || !all(blake3, isHex) {
		return fmt.Errorf("%s: blake3 %q is not 64 hex digits", path, blake3)
	}
	return nil
}

// removable reports whether path may stand in "remove".
func removable(path string) bool { return validPath(path) || base.IsDeleteFile(path) }

// validPath reports whether path may be that of an entry: segments/<hour>/<name>.seg, or
// .pack, with a decimal hour of at most 12 digits, perhaps negative, and a name of
// lower-case hex digits and dashes. So no line of the file can point outside the data
// directory.
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
	if base.IsPackFile(name) {
		name, ok = strings.CutSuffix(name, ".pack")
	} else {
		name, ok = strings.CutSuffix(name, ".seg")
	}
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

// isCRC reports whether s may be a checksum: hex digits, as many as one has.
func isCRC(s string) bool { return len(s) == crcDigits && all(s, isHex) }
