package manifest

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
)

// State is what the lines of a MANIFEST add up to. The exported fields may be read, not
// changed. Slices and maps of a Log's state, taken earlier, stay as they were when the
// state moves on.
type State struct {
	Live    []Entry      // live segment files, in the order in which they were added
	Deletes []DeleteFile // live delete files, by rising LSN
	// Horizon is the least timestamp still kept, Unix ns, per namespace: see HorizonOf.
	Horizon map[string]int64

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

	lines       int             // lines that count
	closed      bool            // the last line is that of a clean close, and not the only one
	crc         string          // CRC of the last line, what the next one gives as prev
	index       map[string]int  // place in Live of each live path
	deleteIndex map[string]int  // place in Deletes of each live path
	owed        map[string]bool // removed paths in the file; false once settled
	gone        int             // entries of Live that are no longer live; see compact
	goneDeletes int             // the same of Deletes
	snapshot    int64           // bytes of all that is live, owed or a horizon, as a line holds it
	scratch     []byte
}

// Entry returns the live entry of path.
func (s *State) Entry(path string) (Entry, bool) {
	if i, ok := s.index[path]; ok {
		return s.Live[i], true
	}
	return Entry{}, false
}

// Delete returns the live delete file at path.
func (s *State) Delete(path string) (DeleteFile, bool) {
	if i, ok := s.deleteIndex[path]; ok {
		return s.Deletes[i], true
	}
	return DeleteFile{}, false
}

// HorizonOf returns the least timestamp that is still kept of a namespace, Unix ns: its
// own horizon, or that of "" if it has none; false if everything is kept.
func (s *State) HorizonOf(namespace string) (horizon int64, ok bool) {
	if horizon, ok = s.Horizon[namespace]; !ok {
		horizon, ok = s.Horizon[""]
	}
	return horizon, ok
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

// LastJob returns the highest number of a job in the names of segment files and packs that
// are live, or were removed by a line that is still there; 0 if there are none. It may be
// far above NextMS, which waits for the oldest job, and above the clock, which may have
// been set back: a job needs a higher number, for else its files may get names that are
// taken.
func (s *State) LastJob() (nowMS int64) {
	note := func(path string) {
		if job, ok := base.SegmentJob(path); ok && job < noJob {
			nowMS = max(nowMS, job)
		}
	}
	for path := range s.index {
		note(path)
	}
	for path := range s.owed {
		note(path)
	}
	return nowMS
}

// noJob is above the number of every job: no clock shows so many ms since 1970.
const noJob = 1 << 52

// Fate says what is to happen to a file found below segments/.
type Fate int

// The fates of a file. Nothing is removed on doubt.
const (
	FateForeign    Fate = iota // not a name that SydraDB gives: reported, never touched
	FateKeep                   // live
	FateRemove                 // its removal is owed, or it is the debris of an unfinished job
	FateQuarantine             // nobody knows it: set aside
)

// Fate returns what is to happen to the file at path, a segment file or a pack by its
// name: what is to happen to a delete file shows inside it alone. A file that no entry names is
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

// commit makes an admitted edit part of the state: its line of n bytes is on disk.
func (s *State) commit(e *Edit, crc string, n int) {
	for _, path := range e.Remove {
		if i, live := s.index[path]; live {
			s.snapshot -= s.entryBytes(&s.Live[i])
			delete(s.index, path)
			s.gone++
		} else if i, live := s.deleteIndex[path]; live {
			s.snapshot -= s.deleteBytes(&s.Deletes[i])
			delete(s.deleteIndex, path)
			s.goneDeletes++
		}
		s.snapshot += pathBytes(path)
	}
	for i := range e.Add {
		s.snapshot += s.entryBytes(&e.Add[i])
	}
	for i := range e.AddDeletes {
		s.snapshot += s.deleteBytes(&e.AddDeletes[i])
	}
	s.Live = append(s.Live, e.Add...)
	s.Deletes = append(s.Deletes, e.AddDeletes...)
	s.moveHorizon(e.Horizon)
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
		s.compactLive()
	}
	if s.goneDeletes > len(s.Deletes)/2 {
		s.compactDeletes()
	}
}

// moveHorizon changes Horizon in place. A log clones the map before: see Log.Append.
func (s *State) moveHorizon(horizon map[string]int64) {
	if s.Horizon == nil && len(horizon) > 0 {
		s.Horizon = make(map[string]int64, len(horizon))
	}
	for namespace, h := range horizon {
		if old, ok := s.Horizon[namespace]; ok {
			s.snapshot -= s.horizonBytes(namespace, old)
		}
		s.snapshot += s.horizonBytes(namespace, h)
		s.Horizon[namespace] = h
	}
}

// compact drops the files that commit left behind in the lists of live ones. Doing so
// once for many edits keeps a long file quick to read. It moves to new slices: the old
// ones may still be in use.
func (s *State) compact() {
	s.compactLive()
	s.compactDeletes()
}

func (s *State) compactLive() {
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

// compactDeletes brings the delete files into the order of their LSNs as well: of two
// flushes, the one that deletes less may be written first.
func (s *State) compactDeletes() {
	byLSN := func(a, b DeleteFile) int {
		return cmp.Or(cmp.Compare(a.LSN, b.LSN), cmp.Compare(a.Path, b.Path))
	}
	if s.goneDeletes == 0 && slices.IsSortedFunc(s.Deletes, byLSN) {
		return
	}
	live := make([]DeleteFile, 0, len(s.deleteIndex))
	for i, d := range s.Deletes {
		if at, ok := s.deleteIndex[d.Path]; ok && at == i {
			live = append(live, d)
		}
	}
	slices.SortFunc(live, byLSN)
	for i := range live {
		s.deleteIndex[live[i].Path] = i
	}
	s.Deletes, s.goneDeletes = live, 0
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

// entryBytes is what e takes in a line; deleteBytes, horizonBytes and pathBytes are what a
// delete file, a horizon and a removal take.
func (s *State) entryBytes(e *Entry) int64 {
	s.scratch = appendEntry(s.scratch[:0], e)
	return int64(len(s.scratch)) + 1
}

func (s *State) deleteBytes(d *DeleteFile) int64 {
	s.scratch = appendDelete(s.scratch[:0], d)
	return int64(len(s.scratch)) + 1
}

func (s *State) horizonBytes(namespace string, horizon int64) int64 {
	s.scratch = appendHorizon(s.scratch[:0], namespace, horizon)
	return int64(len(s.scratch)) + 1
}

func pathBytes(path string) int64 { return int64(len(path)) + int64(len(`"",`)) }
