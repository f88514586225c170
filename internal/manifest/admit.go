package manifest

import (
	"fmt"
	"unicode/utf8"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/plant"
)

// admit checks that e may follow what s holds (M2 to M5) and enters its paths, so that a
// path given twice in e shows too. Commit or revoke must come next. After an error s is
// as it was.
func (s *State) admit(e *Edit) error {
	if err := s.checkNumbers(e); err != nil {
		return err
	}
	if err := s.checkHorizon(e.Horizon); err != nil {
		return err
	}
	if s.index == nil {
		s.index, s.deleteIndex, s.owed = make(map[string]int), make(map[string]int), make(map[string]bool)
	}
	var entered Edit
	if err := s.enter(e, &entered); err != nil {
		s.revoke(&entered)
		return err
	}
	return nil
}

// enter enters the paths of e, one after the other, and notes in entered those it has
// done.
func (s *State) enter(e, entered *Edit) error {
	for i := range e.Add {
		a := &e.Add[i]
		if err := a.validate(false); err != nil {
			return err
		}
		if err := s.checkNew(e, a.Path, a.Edit); err != nil {
			return err
		}
		s.index[a.Path] = len(s.Live) + i
		entered.Add = e.Add[:i+1]
	}
	for i := range e.AddDeletes {
		d := &e.AddDeletes[i]
		if err := d.validate(); err != nil {
			return err
		}
		if d.LSN > e.FlushedLSN {
			return fmt.Errorf("%s: lsn %d above flushed_lsn %d", d.Path, d.LSN, e.FlushedLSN)
		}
		if err := s.checkNew(e, d.Path, d.Edit); err != nil {
			return err
		}
		s.deleteIndex[d.Path] = len(s.Deletes) + i
		entered.AddDeletes = e.AddDeletes[:i+1]
	}
	for i, path := range e.Remove {
		if err := s.checkRemove(path); err != nil {
			return err
		}
		s.owed[path] = true
		entered.Remove = e.Remove[:i+1]
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
	case e.Catalog.CRC != "" && !isCRC(e.Catalog.CRC):
		return fmt.Errorf("crc of the catalog %q is not %d hex digits", e.Catalog.CRC, crcDigits)
	case e.LastLSN != 0 && (e.LastLSN < e.FlushedLSN || e.LastLSN > maxLSN):
		return fmt.Errorf("last_lsn %d with flushed_lsn %d", e.LastLSN, e.FlushedLSN)
	}
	return nil
}

// checkHorizon checks that no horizon moves back (M4). Only a first line may hold a
// namespace that is behind "": it was left behind when that one moved.
func (s *State) checkHorizon(horizon map[string]int64) error {
	for namespace, h := range horizon {
		now, ok := s.HorizonOf(namespace)
		switch {
		case !utf8.ValidString(namespace):
			return fmt.Errorf("horizon of %q, which is not UTF-8", namespace)
		case h < base.MinTime || h > base.MaxTime:
			return fmt.Errorf("horizon of %q: %d out of range", namespace, h)
		case ok && h < now && !plant.Bug(plant.HorizonBack):
			return fmt.Errorf("horizon of %q goes back from %d to %d", namespace, now, h)
		}
	}
	return nil
}

// checkNew checks that the file at path, said to be added by edit, may go live with e.
func (s *State) checkNew(e *Edit, path string, edit uint64) error {
	// Only a first line may hold the files of earlier edits.
	if edit > e.Number || edit != e.Number && s.lines > 0 {
		return fmt.Errorf("%s: added by edit %d", path, edit)
	}
	_, removed := s.owed[path]
	if _, known := s.place(path); known || removed {
		return fmt.Errorf("%s is added a second time", path)
	}
	return nil
}

func (s *State) checkRemove(path string) error {
	live, known := s.place(path)
	switch {
	case s.Owes(path):
		return fmt.Errorf("%s is removed a second time", path)
	case s.lines == 0 && (known || !removable(path)):
		return fmt.Errorf("removal owed of %q", path)
	case s.lines > 0 && !live:
		return fmt.Errorf("%q is removed and was not live", path)
	}
	return nil
}

// place reports whether path is live, and whether it is that or will be with the edit
// that is being admitted.
func (s *State) place(path string) (live, known bool) {
	if i, ok := s.index[path]; ok {
		return i < len(s.Live), true
	}
	i, ok := s.deleteIndex[path]
	return ok && i < len(s.Deletes), ok
}

// revoke undoes admit.
func (s *State) revoke(e *Edit) {
	for i := range e.Add {
		delete(s.index, e.Add[i].Path)
	}
	for i := range e.AddDeletes {
		delete(s.deleteIndex, e.AddDeletes[i].Path)
	}
	for _, path := range e.Remove {
		delete(s.owed, path)
	}
}
