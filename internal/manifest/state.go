package manifest

import (
	"fmt"
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

	lines    int             // lines that count
	closed   bool            // the last line is that of a clean close, and not the only one
	crc      string          // CRC of the last line, what the next one gives as prev
	index    map[string]int  // place in Live of each live path
	owed     map[string]bool // removed paths in the file; false once settled
	gone     int             // entries of Live that are no longer live; see compact
	snapshot int64           // bytes of all live entries and owed paths as a line holds them
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
func (s *State) Owes(path string) bool { return s.owed[path] }

// Owed returns the paths whose unlinks are owed, in ascending order.
func (s *State) Owed() []string {
	var paths []string
	for path, owed := range s.owed {
		if owed {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
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

// admit checks that e may follow what s holds (M2 to M5) and enters its paths, so that a
// path given twice in e shows too. Commit or revoke must come next. After an error s is
// as it was.
func (s *State) admit(e *Edit) error {
	if err := s.checkNumbers(e); err != nil {
		return err
	}
	if s.index == nil {
		s.index, s.owed = make(map[string]int), make(map[string]bool)
	}
	for i := range e.Add {
		if err := s.checkAdd(e, &e.Add[i]); err != nil {
			s.forget(e.Add[:i], nil)
			return err
		}
		s.index[e.Add[i].Path] = len(s.Live) + i
	}
	for i, path := range e.Remove {
		if err := s.checkRemove(path); err != nil {
			s.forget(e.Add, e.Remove[:i])
			return err
		}
		s.owed[path] = true
	}
	return nil
}

// checkNumbers holds the numbers of e against those of the edit before (M4).
func (s *State) checkNumbers(e *Edit) error {
	switch {
	case e.NextMS < s.NextMS && s.lines > 0:
		return fmt.Errorf("next_ms goes back from %d to %d", s.NextMS, e.NextMS)
	case e.FlushedLSN < s.FlushedLSN || e.FlushedLSN > maxLSN:
		return fmt.Errorf("flushed_lsn goes from %d to %d", s.FlushedLSN, e.FlushedLSN)
	case e.Catalog.Bytes < 0 || e.Catalog.Generation < s.Catalog.Generation,
		e.Catalog.Generation == s.Catalog.Generation && e.Catalog.Bytes < s.Catalog.Bytes:
		return fmt.Errorf("catalog goes back from %d bytes of generation %d to %d of %d",
			s.Catalog.Bytes, s.Catalog.Generation, e.Catalog.Bytes, e.Catalog.Generation)
	case e.LastLSN != 0 && (e.LastLSN < e.FlushedLSN || e.LastLSN > maxLSN):
		return fmt.Errorf("last_lsn %d with flushed_lsn %d", e.LastLSN, e.FlushedLSN)
	}
	return nil
}

func (s *State) checkAdd(e *Edit, a *Entry) error {
	if err := a.validate(false); err != nil {
		return err
	}
	// Only a first line may hold the entries of earlier edits.
	if a.Edit > e.Number || a.Edit != e.Number && s.lines > 0 {
		return fmt.Errorf("%s: added by edit %d", a.Path, a.Edit)
	}
	_, live := s.index[a.Path]
	if _, removed := s.owed[a.Path]; live || removed {
		return fmt.Errorf("%s is added a second time", a.Path)
	}
	return nil
}

func (s *State) checkRemove(path string) error {
	i, known := s.index[path]
	live := known && i < len(s.Live)
	switch {
	case s.Owes(path):
		return fmt.Errorf("%s is removed a second time", path)
	case s.lines == 0 && (known || !validPath(path)):
		return fmt.Errorf("removal owed of %q", path)
	case s.lines > 0 && !live:
		return fmt.Errorf("%q is removed and was not live", path)
	}
	return nil
}

// revoke undoes admit.
func (s *State) revoke(e *Edit) { s.forget(e.Add, e.Remove) }

func (s *State) forget(added []Entry, removed []string) {
	for i := range added {
		delete(s.index, added[i].Path)
	}
	for _, path := range removed {
		delete(s.owed, path)
	}
}

// commit makes an admitted edit part of the state: its line of n bytes is on disk.
func (s *State) commit(e *Edit, crc string, n int) {
	for _, path := range e.Remove {
		if i, live := s.index[path]; live {
			s.snapshot -= s.entryBytes(&s.Live[i])
			delete(s.index, path)
			s.gone++
		}
		s.snapshot += pathBytes(path)
	}
	for i := range e.Add {
		s.snapshot += s.entryBytes(&e.Add[i])
	}
	s.Live = append(s.Live, e.Add...)
	s.LastEdit, s.Wall, s.NextMS = e.Number, e.Wall, e.NextMS
	s.FlushedLSN, s.Catalog = e.FlushedLSN, e.Catalog
	s.LastLSN = max(s.LastLSN, e.LastLSN)
	if s.LastLSN <= s.FlushedLSN {
		s.LastLSN = 0
	}
	s.crc = crc
	s.closed = e.LastLSN != 0 && s.lines > 0
	s.lines++
	s.Bytes += int64(n)
	if s.gone > len(s.Live)/2 {
		s.compact()
	}
}

// compact drops the entries of Live that commit left behind. Doing so once for many
// edits keeps a long file quick to read. It moves to a new slice: the old one may still
// be in use.
func (s *State) compact() {
	if s.gone == 0 {
		return
	}
	live := make([]Entry, 0, len(s.index))
	for i, e := range s.Live {
		if at, ok := s.index[e.Path]; ok && at == i {
			s.index[e.Path] = len(live)
			live = append(live, e)
		}
	}
	s.Live, s.gone = live, 0
}

// addPlain adds the entry of a line of version 0.
func (s *State) addPlain(e *Entry, n int64) error {
	if s.index == nil {
		s.index = make(map[string]int)
	}
	if err := e.validate(true); err != nil {
		return err
	}
	if _, live := s.index[e.Path]; live {
		return fmt.Errorf("%s is added a second time", e.Path)
	}
	s.index[e.Path] = len(s.Live)
	s.Live = append(s.Live, *e)
	s.lines++
	s.Bytes += n
	return nil
}

// settle notes removals that are done. The file names them until it is written anew, and
// so long they bar the path (M3).
func (s *State) settle(paths []string) {
	for _, path := range paths {
		if s.Owes(path) {
			s.owed[path] = false
			s.snapshot -= pathBytes(path)
		}
	}
}

// rewritten notes that the file now has one line, a snapshot of s in n bytes.
func (s *State) rewritten(number uint64, crc string, n int64) {
	for path, owed := range s.owed {
		if !owed {
			delete(s.owed, path)
		}
	}
	s.LastEdit, s.crc, s.lines, s.closed, s.Bytes = number, crc, 1, false, n
}

// entryBytes is what e takes in a line, pathBytes what a removal takes.
func (s *State) entryBytes(e *Entry) int64 {
	s.scratch = appendEntry(s.scratch[:0], e)
	return int64(len(s.scratch)) + 1
}

func pathBytes(path string) int64 { return int64(len(path)) + int64(len(`"",`)) }
