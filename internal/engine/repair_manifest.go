package engine

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
)

// nearDigits is how many of the 32 hex digits of a uuid may differ from those in the log
// for FORMAT, which has no checksum, to be what has rotted. Otherwise the log is another
// database's.
const nearDigits = 4

// planFormat decides which uuid the database has, and whether FORMAT says so.
func (r *Repair) planFormat() error {
	c := r.check
	r.uuid = c.uuid
	f, fresh := newFormat(r.now)
	ids := logUUIDs(r.fs)
	_, unlike := r.reasons[base.FormatFile]
	switch {
	case !c.format && len(ids) > 0:
		r.uuid = ids[0]
	case !c.format:
		r.uuid = fresh
	case len(ids) > 0 && !slices.Contains(ids, c.uuid) && near(ids[0], c.uuid):
		r.uuid = ids[0]
		r.reasons[base.FormatFile] = "the uuid differs in some digits from that in the log"
	case !unlike:
		return nil
	}
	data, err := fsys.ReadFile(r.fs, base.FormatFile)
	action := RepairRewrite
	if err != nil {
		action = RepairCreate // checkRepairable has seen to it that it is missing
	}
	var old formatFile
	if json.Unmarshal(data, &old) == nil {
		if _, err := time.Parse(time.RFC3339, old.Created); err == nil {
			f.Created = old.Created
		}
	}
	f.UUID = hex.EncodeToString(r.uuid[:])
	r.format = &f
	switch {
	case len(ids) > 0:
		r.step(action, base.FormatFile, "%s; the log tells the uuid", r.reason(base.FormatFile))
	case c.format:
		r.step(action, base.FormatFile, "%s; the uuid stays", r.reason(base.FormatFile))
	default:
		r.step(action, base.FormatFile, "%s; the database gets a new uuid, as no log tells the old one", r.reason(base.FormatFile))
	}
	return nil
}

func near(a, b [16]byte) bool {
	x, y := hex.EncodeToString(a[:]), hex.EncodeToString(b[:])
	differ := 0
	for i := range x {
		if x[i] != y[i] {
			differ++
		}
	}
	return differ <= nearDigits
}

// planManifest decides which files are live, and whether MANIFEST has to be written anew.
func (r *Repair) planManifest() error {
	c, s := r.check, &r.check.state
	r.first = manifest.Edit{
		Number: s.LastEdit + 1, Wall: max(r.now.UnixMilli(), s.Wall), FlushedLSN: r.log.flushed, LastLSN: s.LastLSN,
		Catalog: s.Catalog, Remove: s.Owed(), Horizon: s.Horizon,
	}
	if r.log.cut || r.first.LastLSN <= r.first.FlushedLSN {
		r.first.LastLSN = 0
	}
	changed := !c.whole || r.log.cut || r.log.flushed != s.FlushedLSN
	steps := len(r.steps)
	if err := r.findJob(); err != nil {
		return err
	}
	if err := r.planFiles(); err != nil {
		return err
	}
	if err := r.planDeletes(); err != nil {
		return err
	}
	if err := r.planUnnamed(); err != nil {
		return err
	}
	changed = changed || len(r.damaged) > 0 || len(r.salvages) > 0 ||
		len(r.first.Add) != len(s.Live) || len(r.first.AddDeletes) != len(s.Deletes)
	if err := r.planCatalog(); err != nil {
		return err
	}
	changed = changed || r.catalog.generation > 0
	if !changed {
		return nil
	}
	r.rewrite = true
	r.first.NextMS = max(r.jobMS, s.NextMS)
	r.steps = slices.Insert(r.steps, steps, r.manifestStep())
	return nil
}

// manifestStep says why there is a new MANIFEST, and what it says.
func (r *Repair) manifestStep() RepairStep {
	l := &r.lines
	why, damaged := r.reasons[base.ManifestFile]
	step := RepairStep{Action: RepairRewrite, File: base.ManifestFile, Message: "it names what there is afterwards"}
	nothing := len(r.first.Add)+len(r.salvages) == 0
	switch {
	case damaged && why == "missing":
		step.Action, step.Message = RepairCreate, "missing; only what is in the log is left in the database"
	case damaged && nothing && l.mended < max(l.damaged, 1):
		step.Message = why + "; only what is in the log is left in the database"
	case damaged && l.damaged == 0:
		step.Message = why + "; what the lines say that are sound goes on"
	case damaged && l.mended == l.damaged:
		step.Message = why + "; the checksums tell what was there"
	case damaged:
		step.Message = fmt.Sprintf("%s; what the sound lines say goes on, and %d files that damaged ones name", why, l.files)
	}
	return step
}

// findJob finds a number for the next job that no file has.
func (r *Repair) findJob() error {
	const tooHigh = 1 << 52 // for milliseconds since 1970
	r.jobMS = max(r.now.UnixMilli(), r.check.state.NextMS)
	for _, file := range r.check.segmentFiles() {
		if job, ok := base.SegmentJob(path.Base(file)); ok && job < tooHigh {
			r.jobMS = max(r.jobMS, job+1)
		}
	}
	return r.check.ctx.Err()
}

// planFiles decides about the segment files and packs that MANIFEST names.
func (r *Repair) planFiles() error {
	s := &r.check.state
	twins := r.planTwins()
	for _, e := range s.Live {
		// Deletions that are lost are not to be taken for those of later records.
		e.Applied = min(e.Applied, max(r.log.last, r.log.flushed))
		found, err := fsys.Exists(r.fs, e.Path)
		if err != nil {
			return err
		}
		bad := r.check.damage.files[e.Path]
		switch {
		case !found && r.check.whole:
			r.step(RepairForget, e.Path, "missing; its %d points are lost", e.Count)
		case !found:
			r.step(RepairForget, e.Path, "missing; perhaps a line of MANIFEST that is lost has removed it")
		case bad && !e.IsPack():
			r.damaged = append(r.damaged, e.Path)
			r.step(RepairSetAside, e.Path, "%s; its %d points are lost", r.reason(e.Path), e.Count)
		case bad || len(twins[e.Path]) > 0:
			if err := r.planPart(e, twins[e.Path]); err != nil {
				return err
			}
		default:
			r.first.Add = append(r.first.Add, e)
		}
	}
	return nil
}

// planPart plans to save a part of a file.
func (r *Repair) planPart(e manifest.Entry, except []manifest.Entry) error {
	saved, err := r.planSalvage(salvage{entry: e, except: except})
	if err != nil {
		return err
	}
	r.damaged = append(r.damaged, e.Path)
	lost := int64(e.Count) - saved.points
	switch {
	case saved.points == 0:
		r.step(RepairSetAside, e.Path, "%s; its %d points are lost", r.reason(e.Path), e.Count)
		return nil
	case len(except) > 0:
		r.step(RepairRewrite, e.Path, "without %d points that a file added later has too", lost)
	default:
		r.step(RepairRewrite, e.Path, "%s; %d points are saved, %d are lost", r.reason(e.Path), saved.points, lost)
	}
	r.salvages = append(r.salvages, saved)
	return nil
}

// planTwins returns, for files that have points of others with the same seq, these
// others. Of two, the one that was added later keeps them.
func (r *Repair) planTwins() map[string][]manifest.Entry {
	twins := make(map[string][]manifest.Entry)
	for _, pair := range r.check.damage.twins {
		a, b := pair[0], pair[1]
		if a.Edit > b.Edit {
			a, b = b, a
		}
		twins[a.Path] = append(twins[a.Path], b)
	}
	return twins
}

// planDeletes decides about the delete files that MANIFEST names.
func (r *Repair) planDeletes() error {
	for _, d := range r.check.state.Deletes {
		found, err := fsys.Exists(r.fs, d.Path)
		switch {
		case err != nil:
			return err
		case !found:
			r.step(RepairForget, d.Path, "missing; points that it hid may come back")
		case r.check.damage.files[d.Path]:
			r.damaged = append(r.damaged, d.Path)
			r.step(RepairSetAside, d.Path, "%s; points that it hid may come back", r.reason(d.Path))
		default:
			r.first.AddDeletes = append(r.first.AddDeletes, d)
		}
	}
	return nil
}

// planUnnamed plans for the files that only lines could name that are lost. Delete files
// stay, the others are set aside.
func (r *Repair) planUnnamed() error {
	if r.check.whole {
		return nil // the next opening knows what to do
	}
	s := &r.check.state
	for _, file := range r.check.segmentFiles() {
		_, live := s.Entry(file)
		if fate := s.Fate(file); !live && !s.Owes(file) && fate != manifest.FateForeign {
			lost, err := r.leaves(file)
			if err != nil {
				return err
			}
			r.setAside(file, "no line of MANIFEST that is left names it; %s", lost)
		}
	}
	for _, e := range r.check.listOptional(base.DeletesDir) {
		file := path.Join(base.DeletesDir, e.Name)
		if _, live := s.Delete(file); live || s.Owes(file) || !e.Regular || !base.IsDeleteFile(file) {
			continue
		}
		d, ok, err := r.adoptDelete(file)
		switch {
		case err != nil:
			return err
		case ok:
			r.first.AddDeletes = append(r.first.AddDeletes, d)
		default:
			r.setAside(file, "no line of MANIFEST that is left names it; points that it hid may come back")
		}
	}
	return r.check.ctx.Err()
}

// writeManifest replaces MANIFEST in one step.
func (r *Repair) writeManifest() error {
	mem := fsys.NewMem()
	log, err := manifest.Create(mem, r.first)
	if err != nil {
		return err
	}
	if err := log.Close(); err != nil {
		return err
	}
	data, err := fsys.ReadFile(mem, base.ManifestFile)
	if err != nil {
		return err
	}
	return fsys.WriteFileAtomic(r.fs, base.ManifestFile, data)
}
