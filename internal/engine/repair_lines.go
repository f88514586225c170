package engine

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"maps"
	"math"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/segment"
	"github.com/sydradb/sydradb/internal/tombstone"
	"github.com/sydradb/sydradb/internal/wal"
)

// lineRepair is what is made of the damaged lines of MANIFEST. Nothing vouches for what
// can be read of them, so of a file that one names only as much is believed as shows in
// the file itself: size and BLAKE3 say that it is the one that is meant. Its place in
// write order shows nowhere, and a wrong one brings back what was replaced or deleted:
// so it has to agree with that of other files, or the damage has to show elsewhere.
type lineRepair struct {
	damaged int // lines, of which
	mended  int // were put right: the checksum tells which byte was wrong
	files   int // that damaged lines name and that are kept
}

// readLines makes the state that of all lines of MANIFEST, not only of those before the
// damage, with what can be believed of the damaged ones.
func (r *Repair) readLines() error {
	c := r.check
	if c.whole {
		return nil
	}
	s, err := manifest.ReadSalvage(r.fs, base.ManifestFile)
	switch {
	case errors.Is(err, iofs.ErrNotExist):
		return nil
	case errors.Is(err, manifest.ErrNewer):
		return fmt.Errorf("%w: %w", ErrFormat, err)
	case err != nil:
		return err
	}
	sound, err := s.Sound()
	if err != nil {
		return err
	}
	r.lines.damaged, r.lines.mended = s.Damaged, s.Mended
	judge := lineJudge{r: r, sound: &sound}
	if err := judge.run(s); err != nil {
		return err
	}
	state, err := s.State()
	if err != nil {
		return err
	}
	for i := range s.Parts {
		r.lines.files += len(s.Parts[i].Add) + len(s.Parts[i].AddDeletes)
	}
	return r.checkLines(state)
}

// checkLines checks the files of a state that the check has not seen as live ones.
func (r *Repair) checkLines(state manifest.State) error {
	c := r.check
	before := c.state
	c.state = state
	for i := range state.Live {
		e := &state.Live[i]
		if _, seen := before.Entry(e.Path); seen {
			continue
		}
		why, err := r.misfit(e)
		if err != nil {
			return err
		}
		if why != "" {
			c.damage.bad(e.Path)
			r.reasons[e.Path] = why
		}
	}
	for i := range state.Deletes {
		d := &state.Deletes[i]
		if _, seen := before.Delete(d.Path); seen {
			continue
		}
		if err := c.loadDelete(d); errors.Is(err, base.ErrCorrupt) {
			c.damage.bad(d.Path)
			r.reasons[d.Path] = err.Error()
		} else if err != nil && !errors.Is(err, iofs.ErrNotExist) {
			return err
		}
	}
	return r.findTwins()
}

// quiet returns a checker whose findings stay its own.
func (r *Repair) quiet() *segmentChecker {
	q := *r.check
	q.report, q.unread, q.known = CheckReport{}, nil, false
	q.damage = damaged{files: maps.Clone(q.damage.files)}
	return &segmentChecker{checker: &q, strangers: make(map[base.SeriesID]bool)}
}

// findTwins looks for files with the same seq that have points in common. The check does
// so only when MANIFEST is whole.
func (r *Repair) findTwins() error {
	q := r.quiet()
	for i := range q.state.Live {
		e := &q.state.Live[i]
		found, err := fsys.Exists(r.fs, e.Path)
		if err != nil {
			return err
		}
		if !found {
			q.damage.bad(e.Path)
		}
	}
	q.disjoint()
	r.check.damage.twins = q.damage.twins
	return errors.Join(errors.Join(q.unread...), r.check.ctx.Err())
}

// misfit returns what is wrong with the file of an entry, "" if it is what the entry says.
func (r *Repair) misfit(e *manifest.Entry) (why string, err error) {
	q := r.quiet()
	delete(q.damage.files, e.Path)
	q.live(e)
	if newer := q.damage.newer; newer != nil {
		r.check.damage.newer = newer
	}
	if err := errors.Join(errors.Join(q.unread...), r.check.ctx.Err()); err != nil {
		return "", err
	}
	if !q.damage.files[e.Path] {
		return "", nil
	}
	if f := q.report.Findings; len(f) > 0 {
		return f[0].Message, nil
	}
	return "damaged", nil
}

// lineJudge takes out of the parts of damaged lines what is not to be believed.
type lineJudge struct {
	r       *Repair
	sound   *manifest.State       // of the sound lines
	highest base.LSN              // that the database may have seen
	logged  bool                  // all records behind the sound lines are in the log
	jobs    map[int64]placed      // what files of each job agree on
	ordered map[moment]bool       // of damaged lines, those that go with all others
	deletes []manifest.DeleteFile // that any line names
}

// placed is the place of the files of one job, which all have the same one.
type placed struct {
	edit     uint64
	seq      base.LSN
	wall     int64
	files    int
	disagree bool
	sound    bool // sound lines say so
}

func placeOf(e *manifest.Entry) placed {
	return placed{edit: e.Edit, seq: e.Seq, wall: e.Wall, files: 1}
}

func (j *lineJudge) run(s *manifest.Salvage) error {
	var err error
	if j.logged, err = wal.Present(j.r.fs, j.r.check.uuid, j.sound.FlushedLSN+1); err != nil {
		return err
	}
	if j.highest, err = j.highestLSN(); err != nil {
		return err
	}
	j.jobs = make(map[int64]placed)
	for i := range j.sound.Live {
		j.place(&j.sound.Live[i], true)
	}
	for i := range s.Parts {
		if err := j.files(&s.Parts[i]); err != nil {
			return err
		}
	}
	// Now that all files are known which are what their lines say.
	for i := range s.Parts {
		for k := range s.Parts[i].Add {
			j.place(&s.Parts[i].Add[k], false)
		}
	}
	j.order(s.Parts)
	for i := range s.Parts {
		if err := j.part(&s.Parts[i]); err != nil {
			return err
		}
	}
	return nil
}

// highestLSN returns the highest LSN that may have been given, as far as is known.
func (j *lineJudge) highestLSN() (base.LSN, error) {
	highest := max(j.sound.FlushedLSN, j.sound.LastLSN)
	files, err := j.r.check.logFiles()
	if err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return 0, err
	}
	if len(files) == 0 {
		return math.MaxInt64, nil
	}
	for _, f := range files {
		// What cannot be read has no say.
		_ = wal.Scan(j.r.fs, f, func(rec wal.Record) error {
			if rec.Type == wal.TypeHeader {
				highest = max(highest, rec.LSN-1) // it names the record that follows
			} else {
				highest = max(highest, rec.LSN)
			}
			return nil
		})
	}
	return highest, nil
}

// place notes what an entry says of the files of its job.
func (j *lineJudge) place(e *manifest.Entry, sound bool) {
	job, ok := base.SegmentJob(e.Path)
	if !ok {
		return
	}
	p, mine := j.jobs[job], placeOf(e)
	switch {
	case p.files == 0:
		p, p.sound = mine, sound
	case p.edit == mine.edit && p.seq == mine.seq && p.wall == mine.wall:
		p.files++
	case !p.sound:
		p.disagree = true
	}
	j.jobs[job] = p
}

// files takes out of a part the files that are missing, or not what it says they are.
func (j *lineJudge) files(p *manifest.Part) error {
	var add []manifest.Entry
	for _, e := range p.Add {
		found, err := fsys.Exists(j.r.fs, e.Path)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		why, err := j.r.misfit(&e)
		if err != nil {
			return err
		}
		if why != "" {
			p.Shown = true // there, or in the file
			continue
		}
		// Which deletions have been applied cannot be verified. To apply them again does no harm.
		e.Applied = 0
		add = append(add, e)
	}
	p.Add = add
	var deletes []manifest.DeleteFile
	for _, d := range p.AddDeletes {
		err := j.r.check.loadDelete(&d)
		switch {
		case err == nil:
			deletes = append(deletes, d)
		case errors.Is(err, base.ErrCorrupt):
			p.Shown = true
			if d.LSN, err = tombstone.ReadLSN(j.r.fs, d.Path); err == nil {
				j.deletes = append(j.deletes, d) // its edit may be right
			}
		case !errors.Is(err, iofs.ErrNotExist):
			return err
		}
	}
	p.AddDeletes = deletes
	return nil
}

// part takes out of a part what is in doubt.
func (j *lineJudge) part(p *manifest.Part) error {
	p.Add = slices.DeleteFunc(p.Add, func(e manifest.Entry) bool { return !j.believes(&e, p.Shown) })
	p.AddDeletes = slices.DeleteFunc(p.AddDeletes, func(d manifest.DeleteFile) bool { return !j.reached(d.LSN) })
	if len(p.Add) == 0 && p.Adds && !p.Ended {
		// What it has made of the files that it removes is lost: what is left of these counts.
		// But if deletions have ended since, what they hid may be in there.
		p.Remove = nil
	}
	maps.DeleteFunc(p.Horizon, func(_ string, h int64) bool {
		return !p.Shown || h > j.r.now.UnixNano()
	})
	return nil
}

// reached reports whether a file with an LSN is needed: those behind what is known to be
// in files are not if the log has the records.
func (j *lineJudge) reached(lsn base.LSN) bool {
	return lsn <= j.sound.FlushedLSN || !j.logged && lsn <= j.highest
}

// believes reports whether an entry may say in which place of write order its file is.
// shown means that the damage of the line is known to be elsewhere.
func (j *lineJudge) believes(e *manifest.Entry, shown bool) bool {
	job, ok := base.SegmentJob(e.Path)
	p, mine := j.jobs[job], placeOf(e)
	switch {
	case !ok || e.Wall > job || !j.reached(e.Seq) || p.disagree, !j.ordered[momentOf(e)], !j.precedes(e):
		return false
	case p.edit != mine.edit || p.seq != mine.seq || p.wall != mine.wall:
		return false
	}
	return shown || p.files > 1 || p.sound
}

// adoptDelete returns what MANIFEST would say of a delete file that no line names that is
// left. It says by itself what it hides, and to hide again what is gone does no harm.
func (r *Repair) adoptDelete(file string) (d manifest.DeleteFile, ok bool, err error) {
	data, err := fsys.ReadFile(r.fs, file)
	if err != nil {
		return d, false, err
	}
	d = manifest.DeleteFile{Path: file, Edit: r.first.Number, Bytes: int64(len(data)), BLAKE3: segment.SumBLAKE3(data)}
	t, err := tombstone.Load(r.fs, tombstone.File{Path: file, Bytes: d.Bytes, BLAKE3: d.BLAKE3})
	if err != nil {
		return d, false, ignoreDamage(err)
	}
	d.LSN, d.StartTS, d.EndTS = t.LSN, t.Start, t.End
	taken := slices.ContainsFunc(r.first.AddDeletes, func(other manifest.DeleteFile) bool { return other.LSN == d.LSN })
	// The records above are in the log.
	return d, !taken && d.LSN <= r.first.FlushedLSN, nil
}

// leaves says how many points leave the database with a file, by what it says of itself.
func (r *Repair) leaves(file string) (string, error) {
	count := 0
	if base.IsPackFile(file) {
		e, err := segment.DescribePack(r.fs, file)
		if err := ignoreDamage(err); err != nil {
			return "", err
		}
		count = e.Count
	} else {
		data, err := fsys.ReadFile(r.fs, file)
		if err != nil {
			return "", err
		}
		if h, _, err := segment.DecodeHeader(data); err == nil {
			count = h.Count
		}
	}
	if count == 0 {
		return "it does not say how many points leave the database with it", nil
	}
	return fmt.Sprintf("%d points leave the database with it", count), nil
}
