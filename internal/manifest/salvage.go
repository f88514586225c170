package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// Salvage is what a damaged MANIFEST still says, for a repair: the sound lines, wherever
// they stand, and what can be read of the others. It belongs to one goroutine.
//
// Nothing vouches for what damaged lines say. The caller takes out of Parts what it does
// not trust, and State adds up the rest.
type Salvage struct {
	Parts   []Part // of damaged lines, in their order; lines without anything to read have none
	Damaged int    // lines that are not sound
	Mended  int    // those of which one byte is wrong, and the checksum tells which: they count as sound

	lines []salvagedLine
}

// Part is what can be read of a damaged line. Each file is possible by itself (M5), and no
// sound line names it.
type Part struct {
	Offset     int64 // of the line in the file
	Add        []Entry
	AddDeletes []DeleteFile
	Remove     []string // in order; the files may be any
	Horizon    map[string]int64

	// Shown means that some of the line cannot be read. Else the damage hides in a number,
	// which may be any.
	Shown bool
	// Adds means that the line has added files, whether they can be read or not.
	Adds bool
	// Ended means that a sound line behind this one has removed delete files: what they
	// hid may be in the files that this line removes, if these are still there.
	Ended bool
}

// salvagedLine is a sound line, or stands for a part.
type salvagedLine struct {
	edit *Edit
	part int
}

// ReadSalvage reads the MANIFEST at path, damaged as it may be. Errors: of the file
// system; one that matches ErrNewer.
func ReadSalvage(fs fsys.FS, path string) (*Salvage, error) {
	data, err := fsys.ReadFile(fs, path)
	if err != nil {
		return nil, err
	}
	return readSalvage(path, data)
}

func readSalvage(path string, data []byte) (*Salvage, error) {
	s := &Salvage{}
	for at := 0; at < len(data); {
		n, err := s.line(data[at:], int64(at))
		if err != nil {
			return nil, fmt.Errorf("%s: line at offset %d: %w: %w", path, at, ErrNewer, err)
		}
		at += n
	}
	s.compare()
	return s, nil
}

// line reads the line that rest begins with and returns its length. The error is that of a
// newer version.
func (s *Salvage) line(rest []byte, offset int64) (n int, err error) {
	text, ended := firstLine(rest)
	if ok, err := s.sound(text); ok || err != nil {
		return len(text) + 1, err
	}
	s.Damaged++
	// The newline at its end may be what is damaged.
	if i := bytes.Index(text[min(1, len(text)):], []byte(editStart)); i > 0 {
		text, ended = text[:i], true
		if ok, err := s.sound(text); ok || err != nil {
			s.Mended++
			return len(text) + 1, err
		}
	}
	n = len(text) + 1
	if !ended {
		if ok, err := s.sound(text[:len(text)-1]); ok || err != nil {
			s.Mended++
			return n, err
		}
	}
	if s.mends(text) {
		return n, nil
	}
	// A byte of it may have become a newline.
	if n < len(rest) {
		more, _ := firstLine(rest[n:])
		joined := rest[:n+len(more)]
		if s.mends(joined) {
			return len(joined) + 1, nil
		}
	}
	s.part(text, offset)
	return n, nil
}

// sound takes in a line, given without its newline, if it is sound.
func (s *Salvage) sound(text []byte) (bool, error) {
	if _, err := checkLine(text); err != nil {
		return false, nil
	}
	var e Edit
	if err := decodeEdit(text, &e); err != nil {
		if errors.Is(err, errUnknown) {
			return false, err
		}
		return false, nil
	}
	s.lines = append(s.lines, salvagedLine{edit: &e})
	return true, nil
}

// mends takes in a line of which one byte is wrong, and reports whether it is one. More
// damage can look like that by chance; what then reads as an unknown member is no word of
// a newer version.
func (s *Salvage) mends(text []byte) bool {
	ok, err := s.sound(mend(text))
	if !ok || err != nil {
		return false
	}
	s.Mended++
	return true
}

// part takes in what can be read of a damaged line. It goes by the order in which members
// are written.
func (s *Salvage) part(text []byte, offset int64) {
	p := Part{Offset: offset, Shown: !possible(text)}
	for _, sign := range []string{`"add"`, `"blake3"`, `"series_id"`, `"lsn"`} {
		p.Adds = p.Adds || bytes.Contains(text, []byte(sign))
	}
	p.files(text)
	p.removals(text)
	p.horizons(text)
	if len(p.Add)+len(p.AddDeletes)+len(p.Remove)+len(p.Horizon) > 0 {
		s.lines = append(s.lines, salvagedLine{part: len(s.Parts)})
		s.Parts = append(s.Parts, p)
	}
}

// possible reports whether a line reads as an edit with possible members.
func possible(text []byte) bool {
	var e Edit
	sum, found := bytes.CutPrefix(text[max(0, len(text)-crcTail):], []byte(crcMember))
	if !found || len(sum) < crcDigits || !isCRC(string(sum[:crcDigits])) {
		return false
	}
	if decodeEdit(text, &e) != nil || e.Prev != "" && !isCRC(e.Prev) || e.Catalog.CRC != "" && !isCRC(e.Catalog.CRC) {
		return false
	}
	var s State
	return s.checkHorizon(e.Horizon) == nil && !slices.ContainsFunc(e.Remove, func(path string) bool { return !removable(path) })
}

// mostObject is above the length of the object of every file, mostPath of every path.
const (
	mostObject = 2 << 10
	mostPath   = 256
)

// files reads the objects of files. There are no braces within them.
func (p *Part) files(text []byte) {
	for {
		i := bytes.IndexByte(text, '{')
		if i < 0 {
			return
		}
		text = text[i:]
		skip := 1
		if bytes.HasPrefix(text, []byte(`{"series_id":`)) || bytes.HasPrefix(text, []byte(`{"path":`)) {
			end := bytes.IndexByte(text[:min(len(text), mostObject)], '}') + 1
			if p.file(text[:end]) {
				skip = end
			} else {
				p.Shown = true
			}
		}
		text = text[skip:]
	}
}

// file reads the object of one file, and reports whether that is possible.
func (p *Part) file(object []byte) bool {
	var e Edit
	in := parser{buf: object}
	in.file(&e)
	switch {
	case in.finish() != nil:
		return false
	case len(e.Add) > 0 && e.Add[0].validate(false) == nil:
		p.Add = append(p.Add, e.Add[0])
	case len(e.AddDeletes) > 0 && e.AddDeletes[0].validate() == nil:
		p.AddDeletes = append(p.AddDeletes, e.AddDeletes[0])
	default:
		return false
	}
	return true
}

// removals reads the paths that are elements of a list: no colon stands on either side.
func (p *Part) removals(text []byte) {
	for i := 1; i < len(text); i++ {
		if text[i] != '"' || text[i-1] != '[' && text[i-1] != ',' {
			continue
		}
		n := bytes.IndexByte(text[i+1:], '"')
		if n < 0 {
			return
		}
		after := i + n + 2
		if after == len(text) || text[after] != ',' && text[after] != ']' {
			continue
		}
		if path := text[i+1 : after-1]; len(path) <= mostPath && removable(string(path)) {
			p.Remove = append(p.Remove, string(path))
			i = after - 1
		}
	}
}

// horizons reads that member, if it is whole.
func (p *Part) horizons(text []byte) {
	_, rest, found := bytes.Cut(text, []byte(`,"horizon":`))
	if !found {
		return
	}
	in := parser{buf: rest}
	horizon := in.horizon()
	var s State
	if in.err == nil && s.checkHorizon(horizon) == nil {
		p.Horizon = horizon
	}
}

// compare takes out of the parts what sound lines name or contradict, or other parts have.
func (s *Salvage) compare() {
	named := make(map[string]bool)
	last, any := uint64(0), false
	for _, l := range s.lines {
		if e := l.edit; e != nil {
			last, any = max(last, e.Number), true
			for i := range e.Add {
				named[e.Add[i].Path] = true
			}
			for i := range e.AddDeletes {
				named[e.AddDeletes[i].Path] = true
			}
			for _, path := range e.Remove {
				named[path] = true
			}
		}
	}
	unlike := func(path string, edit uint64) bool {
		if named[path] || any && edit > last || edit >= maxEdit-1 {
			return true
		}
		named[path] = true
		return false
	}
	ended := false
	for _, l := range slices.Backward(s.lines) {
		if l.edit != nil {
			ended = ended || slices.ContainsFunc(l.edit.Remove, base.IsDeleteFile)
		} else {
			s.Parts[l.part].Ended = ended
		}
	}
	for i := range s.Parts {
		p := &s.Parts[i]
		p.Add = slices.DeleteFunc(p.Add, func(e Entry) bool { return unlike(e.Path, e.Edit) })
		p.AddDeletes = slices.DeleteFunc(p.AddDeletes, func(d DeleteFile) bool { return unlike(d.Path, d.Edit) })
	}
}

// Sound returns what the sound lines add up to, see State.
func (s *Salvage) Sound() (State, error) { return s.sum(nil) }

// State returns what the sound lines and what is left in Parts add up to, in the order of
// the lines. Numbers and horizons are the highest that sound lines have; FlushedLSN and
// horizons are raised to those of the parts. What parts remove is not owed: it is not in
// the state, as if nobody had named it. The state serves to plan with. No Log can be
// opened with it.
func (s *Salvage) State() (State, error) { return s.sum(s.Parts) }

func (s *Salvage) sum(parts []Part) (State, error) {
	t := total{known: make(map[string]bool), gone: make(map[string]bool), sum: Edit{Horizon: make(map[string]int64)}}
	for _, l := range s.lines {
		switch {
		case l.edit != nil:
			t.edit(l.edit)
		case l.part < len(parts):
			p := &parts[l.part]
			t.change(p.Add, p.AddDeletes, p.Remove, p.Horizon)
		}
	}
	var state State
	e := t.finish()
	if err := state.admit(&e); err != nil {
		return State{}, corrupt(base.ManifestFile, base.WholeFile, err)
	}
	state.commit(&e, "", 0)
	state.compact()
	return state, nil
}

// total adds up lines of which some are missing.
type total struct {
	sum   Edit // as the first line of a new file
	known map[string]bool
	gone  map[string]bool
}

func (t *total) edit(e *Edit) {
	sum := &t.sum
	sum.Number, sum.Wall, sum.NextMS = max(sum.Number, e.Number), max(sum.Wall, e.Wall), max(sum.NextMS, e.NextMS)
	sum.FlushedLSN, sum.LastLSN = max(sum.FlushedLSN, e.FlushedLSN), max(sum.LastLSN, e.LastLSN)
	if c := e.Catalog; c.Generation > sum.Catalog.Generation || c.Generation == sum.Catalog.Generation && c.Bytes > sum.Catalog.Bytes {
		sum.Catalog = c
	}
	for _, path := range e.Remove {
		if removable(path) && !t.gone[path] {
			t.gone[path] = true
			sum.Remove = append(sum.Remove, path)
		}
	}
	t.change(e.Add, e.AddDeletes, nil, e.Horizon)
}

// change takes in what a line changes, whatever came before.
func (t *total) change(add []Entry, deletes []DeleteFile, remove []string, horizon map[string]int64) {
	sum := &t.sum
	for i := range add {
		if e := &add[i]; !t.known[e.Path] && e.validate(false) == nil {
			t.known[e.Path] = true
			sum.Add = append(sum.Add, *e)
		}
	}
	for i := range deletes {
		if d := &deletes[i]; !t.known[d.Path] && d.validate() == nil {
			t.known[d.Path] = true
			sum.AddDeletes = append(sum.AddDeletes, *d)
		}
	}
	for _, path := range remove {
		t.gone[path] = true
	}
	for namespace, h := range horizon {
		if now, ok := sum.Horizon[namespace]; (!ok || h > now) && h >= base.MinTime && h <= base.MaxTime {
			sum.Horizon[namespace] = h
		}
	}
}

// finish returns the sum with numbers that go with the files.
func (t *total) finish() Edit {
	sum := t.sum
	sum.Add = slices.DeleteFunc(sum.Add, func(e Entry) bool { return t.gone[e.Path] })
	sum.AddDeletes = slices.DeleteFunc(sum.AddDeletes, func(d DeleteFile) bool { return t.gone[d.Path] })
	for i := range sum.Add {
		sum.FlushedLSN, sum.Number = max(sum.FlushedLSN, sum.Add[i].Seq), max(sum.Number, sum.Add[i].Edit)
	}
	for i := range sum.AddDeletes {
		sum.FlushedLSN, sum.Number = max(sum.FlushedLSN, sum.AddDeletes[i].LSN), max(sum.Number, sum.AddDeletes[i].Edit)
	}
	if sum.LastLSN < sum.FlushedLSN {
		sum.LastLSN = 0
	}
	return sum
}
