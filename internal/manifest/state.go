package manifest

import (
	"maps"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
)

// State is what the lines of a MANIFEST add up to. The exported fields may be read, not
// changed. A slice of Live taken earlier stays as it was when the state moves on.
type State struct {
	Live []Entry // live files, in the order in which they were added

	LastEdit   uint64   // number of the last edit
	Wall       int64    // Unix ms, of the last edit
	NextMS     int64    // of the last edit: a job after it has this number or a higher one
	FlushedLSN base.LSN // records up to here are in segment files
	Catalog    Catalog
	// LastLSN is the highest LSN up to which a clean close found the log durable, 0 if
	// there was none. The log must still reach it, unless FlushedLSN does.
	LastLSN base.LSN
	Bytes   int64 // of the lines that count, from the start of the file
	V0      bool  // plain entries of version 0; all that Live then holds is their six fields

	lines    int                 // lines that count
	crc      string              // CRC of the last line, what the next one gives as prev
	index    map[string]int      // place in Live of each live path
	owed     map[string]struct{} // paths of removals owed
	gone     int                 // entries of Live that are no longer live; see compact
	snapshot int64               // bytes of all live entries and owed paths as a line holds them
	scratch  []byte
}

// Entry returns the live entry of path.
func (s *State) Entry(path string) (Entry, bool) {
	if i, ok := s.index[path]; ok {
		return s.Live[i], true
	}
	return Entry{}, false
}

// Owes reports whether the unlink of path is still owed.
func (s *State) Owes(path string) bool {
	_, ok := s.owed[path]
	return ok
}

// Owed returns the paths whose unlinks are owed, in ascending order.
func (s *State) Owed() []string {
	return slices.Sorted(maps.Keys(s.owed))
}

// Fate says what is to happen to a file found below segments/.
type Fate int

// The fates of a file. Nothing is removed on doubt.
const (
	FateForeign    Fate = iota // not a name that SydraDB gives: reported, never touched
	FateKeep                   // live
	FateRemove                 // its removal is owed, or it is the debris of an unfinished job
	FateQuarantine             // nobody knows it: set aside
)

// Fate returns what is to happen to the file at path. A file that no entry names is
// removed only where MANIFEST says so, or where the number of the job that wrote it shows
// that the job had not been finished when the last edit was written; its points are then
// still in the log.
func (s *State) Fate(path string) Fate {
	job, ok := base.SegmentJob(path)
	if _, live := s.index[path]; live {
		return FateKeep
	}
	switch {
	case !ok || !validPath(path):
		return FateForeign
	case s.Owes(path) || job >= s.NextMS:
		return FateRemove
	}
	return FateQuarantine
}
