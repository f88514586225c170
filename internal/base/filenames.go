package base

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Names under the data directory. This file is the only place that knows them;
// all paths are relative to the data directory and use '/'.
const (
	LockFile      = "LOCK"
	FormatFile    = "FORMAT"
	ManifestFile  = "MANIFEST"
	TagsFile      = "tags.json"
	ReserveFile   = "RESERVE"
	WALDir        = "wal"
	CurrentWAL    = "wal/current.wal"
	SegmentsDir   = "segments"
	DeletesDir    = "deletes"
	ObjectsDir    = "objects"
	RefsDir       = "refs"
	HeadFile      = "HEAD"
	RefLogsDir    = "logs"
	SnapshotsDir  = "snapshots"
	QuarantineDir = "quarantine"

	// TempSuffix ends the name of every file that is still being written: see IsTemp.
	TempSuffix = ".tmp"
)

const (
	catalogPrefix = "CATALOG."
	walSuffix     = ".wal"
	tornSuffix    = ".torn"
	segmentSuffix = ".seg"
	packSuffix    = ".pack"
	deleteSuffix  = ".del"
	lockSuffix    = ".lock" // nothing of ours; a ref must not look like one
)

// CatalogFile returns the name of one generation of the catalog.
func CatalogFile(generation uint64) string {
	return catalogPrefix + strconv.FormatUint(generation, 10)
}

// ParseCatalogFile is the inverse of CatalogFile.
func ParseCatalogFile(name string) (generation uint64, ok bool) {
	s, found := strings.CutPrefix(name, catalogPrefix)
	if !found {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || CatalogFile(n) != name {
		return 0, false
	}
	return n, true
}

// WALFile returns the path of the rotated log file whose first record is first.
func WALFile(first LSN) string {
	return fmt.Sprintf("%s/%016x%s", WALDir, uint64(first), walSuffix)
}

// ParseWALFile is the inverse of WALFile.
func ParseWALFile(path string) (first LSN, ok bool) {
	s, found := strings.CutPrefix(path, WALDir+"/")
	if !found {
		return 0, false
	}
	if s, found = strings.CutSuffix(s, walSuffix); !found {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil || WALFile(LSN(n)) != path {
		return 0, false
	}
	return LSN(n), true
}

// TornFile returns the path under which the cut tail of a log is kept: expected
// is the LSN that the first bad record should have had, nowMS tells apart two
// tails cut at the same place.
func TornFile(expected LSN, nowMS int64) string {
	return fmt.Sprintf("%s/%016x-%d%s", WALDir, uint64(expected), nowMS, tornSuffix)
}

// IsTornFile reports whether path is one that TornFile makes.
func IsTornFile(path string) bool {
	lsn, ms, ok := parseNumbered(path, WALDir, tornSuffix)
	return ok && TornFile(lsn, ms) == path
}

// parseNumbered reads the two numbers of a name such as TornFile and DeleteFile make.
func parseNumbered(path, dir, suffix string) (lsn LSN, nowMS int64, ok bool) {
	s, found := strings.CutPrefix(path, dir+"/")
	if !found {
		return 0, 0, false
	}
	if s, found = strings.CutSuffix(s, suffix); !found {
		return 0, 0, false
	}
	first, second, found := strings.Cut(s, "-")
	if !found {
		return 0, 0, false
	}
	n, err1 := strconv.ParseUint(first, 16, 64)
	m, err2 := strconv.ParseInt(second, 10, 64)
	return LSN(n), m, err1 == nil && err2 == nil
}

// SegmentDir returns the directory of the bucket that starts at hour, given in
// Unix nanoseconds.
func SegmentDir(hour int64) string {
	return SegmentsDir + "/" + strconv.FormatInt(hour/1e9, 10)
}

// SegmentFile returns the path of a segment file: hour is the start of its bucket,
// start and end its first and last timestamp, all in Unix nanoseconds, and nowMS
// the number of the job that wrote it.
func SegmentFile(hour int64, id SeriesID, start, end, nowMS int64) string {
	return fmt.Sprintf("%s/%x-%d-%d-%d%s", SegmentDir(hour), uint64(id), start, end, nowMS, segmentSuffix)
}

// PackFile returns the path of a pack: bucket is the start of its hour or day, start and
// end its first and last timestamp, all in Unix nanoseconds, nowMS the number of the job
// that wrote it and part tells apart the packs that one job wrote into the bucket.
func PackFile(bucket, start, end, nowMS int64, part int) string {
	return fmt.Sprintf("%s/%d-%d-%d-%d%s", SegmentDir(bucket), start, end, nowMS, part, packSuffix)
}

// IsPackFile reports whether path has the suffix of a pack.
func IsPackFile(path string) bool { return strings.HasSuffix(path, packSuffix) }

// SegmentJob returns the number of the job that wrote a segment file or a pack. It is
// the only meaning ever taken from such a name, and serves the clean-up of leftovers and
// the numbering of later jobs.
func SegmentJob(path string) (nowMS int64, ok bool) {
	s, found := strings.CutSuffix(path, segmentSuffix)
	if !found {
		if s, found = strings.CutSuffix(path, packSuffix); !found {
			return 0, false
		}
		// What follows the job's number tells apart its packs.
		i := strings.LastIndexByte(s, '-')
		if i < 0 || !isNumber(s[i+1:]) {
			return 0, false
		}
		s = s[:i]
	}
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(s[i+1:], 10, 64)
	if err != nil || n < 0 {
		return 0, false
	}
	return n, true
}

func isNumber(s string) bool {
	n, err := strconv.ParseUint(s, 10, 31)
	return err == nil && strconv.FormatUint(n, 10) == s
}

// DeleteFile returns the path of the file that holds the tombstones of the record lsn,
// written by the job nowMS.
func DeleteFile(lsn LSN, nowMS int64) string {
	return fmt.Sprintf("%s/%016x-%d%s", DeletesDir, uint64(lsn), nowMS, deleteSuffix)
}

// IsDeleteFile reports whether path is one that DeleteFile makes.
func IsDeleteFile(path string) bool {
	lsn, ms, ok := parseNumbered(path, DeletesDir, deleteSuffix)
	return ok && DeleteFile(lsn, ms) == path
}

// IsSegmentDir reports whether path is one that SegmentDir makes.
func IsSegmentDir(path string) bool {
	s, found := strings.CutPrefix(path, SegmentsDir+"/")
	n, err := strconv.ParseInt(s, 10, 64)
	return found && err == nil && strconv.FormatInt(n, 10) == s
}

// IsTemp reports whether path names a file of a database that was still being written.
// Such a file is removed when the database opens; others that end in TempSuffix are
// not its own.
func IsTemp(path string) bool {
	path, found := strings.CutSuffix(path, TempSuffix)
	if !found {
		return false
	}
	switch path {
	case FormatFile, ManifestFile, TagsFile, ReserveFile, CurrentWAL:
		return true
	}
	if i := strings.LastIndexByte(path, '/'); i > 0 && IsSegmentDir(path[:i]) {
		_, segment := SegmentJob(path[i+1:])
		return segment
	}
	_, catalog := ParseCatalogFile(path)
	_, rotated := ParseWALFile(path)
	_, object := ParseObjectFile(path)
	_, ref := ParseRefFile(path)
	return catalog || rotated || object || ref || IsTornFile(path) || IsDeleteFile(path)
}

// ObjectFile returns the path of the object with this id, in the directory of the first
// byte of the id.
func ObjectFile(id [32]byte) string { return fmt.Sprintf("%s/%02x/%x", ObjectsDir, id[0], id) }

// ParseObjectFile is the inverse of ObjectFile.
func ParseObjectFile(path string) (id [32]byte, ok bool) {
	name := path[strings.LastIndexByte(path, '/')+1:]
	if len(name) != hex.EncodedLen(len(id)) {
		return id, false
	}
	if _, err := hex.Decode(id[:], []byte(name)); err != nil || ObjectFile(id) != path {
		return [32]byte{}, false
	}
	return id, true
}

// IsObjectDir reports whether path is the directory of some objects.
func IsObjectDir(path string) bool {
	s, found := strings.CutPrefix(path, ObjectsDir+"/")
	first, err := hex.DecodeString(s)
	return found && err == nil && len(first) == 1 && hex.EncodeToString(first) == s
}

// RefFile returns the path of the ref with this name, for which CheckRefName is nil.
func RefFile(name string) string { return RefsDir + "/" + name }

// ParseRefFile is the inverse of RefFile.
func ParseRefFile(path string) (name string, ok bool) {
	name, found := strings.CutPrefix(path, RefsDir+"/")
	if !found || CheckRefName(name) != nil {
		return "", false
	}
	return name, true
}
