package engine

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"math"
	"path"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/frame"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/wal"
)

// logRepair is what is kept of the log: its records up to the first that is damaged, or
// that is missing, but for points of series that nobody knows any more.
type logRepair struct {
	flushed base.LSN         // records up to here are in files, or lost
	last    base.LSN         // of the records that are kept
	gap     bool             // it begins later than MANIFEST says: this has lost its last lines
	cut     bool             // records were lost: no later one may be demanded
	create  bool             // a new current.wal, which begins with record last+1
	files   []string         // that are kept, in order
	aside   []string         // that are not
	limits  map[string]int64 // where files that are kept in part end

	// Records with points of unknown series, and such points, by file. A point of series o
	// is one of them up to record unknown[o].
	strange map[string][]int64 // offsets
	points  map[string]int64
	unknown map[base.Ordinal]base.LSN
	highest base.Ordinal // that any record names, + 1
}

// planLog finds out what can be kept of the log, and loads the catalog with what that
// says of series.
func (r *Repair) planLog() error {
	l := &r.log
	l.flushed, l.limits = r.check.state.FlushedLSN, make(map[string]int64)
	for i := range r.check.state.Live {
		// The place of a file in write order says that all before it is in files.
		l.flushed = max(l.flushed, r.check.state.Live[i].Seq)
	}
	files, err := r.check.logFiles()
	if err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return err
	}
	l.files = files
	if first := r.firstRecord(files); first > l.flushed+1 {
		r.step(RepairForget, base.WALDir, "the records from %d to %d are in no file that is left", l.flushed+1, first-1)
		l.flushed, l.cut, l.gap = first-1, true, true
	}
	if err := r.readLog(); err != nil {
		return err
	}
	if len(l.files) == 0 {
		l.cut = true
		if len(files) == 0 {
			r.step(RepairCreate, base.CurrentWAL, "missing; the records from %d on are lost", l.flushed+1)
		}
	}
	l.create = l.cut && !slices.Contains(l.files, base.CurrentWAL)
	for _, f := range l.files {
		if n := l.points[f]; n > 0 {
			r.step(RepairRewrite, f, "without %d points of series that neither the catalog nor the log describes any more", n)
		}
	}
	return nil
}

// readLog reads the log and cuts it where it is damaged. Each round finds the first
// damage of what the rounds before have left.
func (r *Repair) readLog() error {
	l := &r.log
	demand := r.check.state.LastLSN
	for rounds := 2*len(l.files) + 1; ; rounds-- {
		if err := r.loadCatalog(); err != nil {
			return err
		}
		l.strange, l.points = make(map[string][]int64), make(map[string]int64)
		l.unknown, l.last = make(map[base.Ordinal]base.LSN), l.flushed
		if len(l.files) == 0 {
			return nil
		}
		_, err := wal.Check(logView{r.fs, l}, wal.OpenOptions{UUID: r.uuid, Flushed: l.flushed, Demand: demand}, r.record)
		var damage *base.CorruptionError
		if err == nil || !errors.As(err, &damage) || rounds < 0 {
			return err
		}
		l.cut, demand = true, 0
		if !r.cutLog(damage) {
			return nil
		}
	}
}

// logView is the log as it will be: without files that are not kept, and with others cut.
type logView struct {
	fsys.FS
	log *logRepair
}

// List implements fsys.FS.
func (v logView) List(dir string) ([]fsys.Entry, error) {
	entries, err := v.FS.List(dir)
	return slices.DeleteFunc(entries, func(e fsys.Entry) bool {
		return slices.Contains(v.log.aside, path.Join(dir, e.Name))
	}), err
}

// Open implements fsys.FS.
func (v logView) Open(file string) (fsys.File, error) {
	f, err := v.FS.Open(file)
	if limit, cut := v.log.limits[file]; cut && err == nil {
		return cutFile{f, limit}, nil
	}
	return f, err
}

// cutFile is a file that is read up to a limit.
type cutFile struct {
	fsys.File
	limit int64
}

// Size implements fsys.File. Its readers go by the size.
func (f cutFile) Size() (int64, error) { return f.limit, nil }

// firstRecord returns the first record that the log may hold, by the headers and names of
// its files; 0 if nothing says.
func (r *Repair) firstRecord(files []string) (first base.LSN) {
	for i, f := range files {
		lsn, _ := base.ParseWALFile(f)
		// What cannot be read goes by its name.
		_ = wal.Scan(r.fs, f, func(rec wal.Record) error {
			if rec.Type == wal.TypeHeader {
				lsn = rec.LSN
			}
			return errStopScan
		})
		if lsn == 0 && i == 0 {
			return 0 // it may begin anywhere
		}
		if lsn != 0 && (first == 0 || lsn < first) {
			first = lsn
		}
	}
	return first
}

// record takes in one record that is to be kept. Its error, if it is damage, is where the
// log is cut.
func (r *Repair) record(rec wal.Record) error {
	l := &r.log
	switch rec.Type {
	case wal.TypeBatch:
		n, err := r.batch(rec)
		if err != nil {
			return rec.Corrupt(err)
		}
		if n > 0 {
			l.strange[rec.File] = append(l.strange[rec.File], rec.Offset)
			l.points[rec.File] += n
		}
	case wal.TypeDelete:
		if _, _, _, err := wal.DecodeDelete(rec.Body); err != nil {
			return rec.Corrupt(err)
		}
	}
	l.last = rec.LSN
	return r.check.ctx.Err()
}

// batch takes in the registrations of a Batch, and counts the points of unknown series.
func (r *Repair) batch(rec wal.Record) (unknown int64, err error) {
	l := &r.log
	var decoder wal.BatchDecoder
	err = decoder.Decode(rec.Body, func(reg base.Registration) error {
		l.highest = max(l.highest, reg.Ordinal+1)
		return r.catalog.series.Register(reg)
	}, func(rows []base.Row) error {
		for i := range rows {
			o := rows[i].Ordinal
			if rows[i].TS < base.MinTime || rows[i].TS > base.MaxTime {
				return errTimeRange
			}
			l.highest = max(l.highest, o+1)
			if !r.catalog.series.Known(o) {
				l.unknown[o] = rec.LSN
				unknown++
			}
		}
		return nil
	})
	return unknown, err
}

// cutLog plans to keep the log up to where it is damaged. It reports whether there is
// less to be kept than before.
func (r *Repair) cutLog(damage *base.CorruptionError) bool {
	l := &r.log
	if at := slices.Index(l.files, damage.File); at >= 0 {
		lost := r.lost(damage, l.files[at:])
		switch size := r.logSize(damage.File); {
		case damage.Offset <= 0:
			r.step(RepairSetAside, damage.File, "%s; %s", explain(damage), lost)
			r.dropLog(at, damage.File)
			return true
		case damage.Offset < size && at+1 < len(l.files) && r.firstRecord(l.files[at+1:at+2]) == l.last+1:
			r.step(RepairRewrite, damage.File, "%s; it is kept up to there; the next file goes on with the next record, so none is lost", explain(damage))
			l.limits[damage.File] = damage.Offset
			return true
		case damage.Offset < size:
			r.step(RepairRewrite, damage.File, "%s; it is kept up to there; %s", explain(damage), lost)
			l.limits[damage.File] = damage.Offset
			r.dropLog(at+1, damage.File)
			return true
		case !errors.Is(damage, wal.ErrGap):
			r.step(RepairForget, damage.File, "%s; %s", explain(damage), lost)
			return true // it is whole, but a close has seen more
		}
		// All its records are in files: the next one begins a new file.
		r.step(RepairForget, damage.File, "%s", explain(damage))
		return false
	}
	r.step(RepairForget, base.WALDir, "%s; %s", explain(damage), r.lost(damage, nil))
	r.dropLog(0, "")
	return true
}

// logSize returns how much of a file of the log is to be kept so far.
func (r *Repair) logSize(file string) int64 {
	if limit, cut := r.log.limits[file]; cut {
		return limit
	}
	e, err := r.fs.Stat(file)
	if err != nil {
		return math.MaxInt64 // there is something to be cut off, then
	}
	return e.Size
}

// dropLog plans to set aside the files from number at on, of which only that of damaged
// is damaged itself.
func (r *Repair) dropLog(at int, damaged string) {
	l := &r.log
	for _, f := range l.files[at:] {
		if f != damaged {
			r.step(RepairSetAside, f, "behind what is damaged of the log")
		}
		delete(l.limits, f)
	}
	l.aside = append(l.aside, l.files[at:]...)
	l.files = l.files[:at:at]
}

// lost says which records are lost with damage, of which files begins with the file.
func (r *Repair) lost(damage *base.CorruptionError, files []string) string {
	if end := r.lastRecord(files, damage); end > r.log.last {
		return fmt.Sprintf("the records from %d to %d are lost, and those after them, if there were any", r.log.last+1, end)
	}
	return fmt.Sprintf("the records from %d on are lost, if there were any", r.log.last+1)
}

// lastRecord returns the highest record that can be seen in what is not kept.
func (r *Repair) lastRecord(files []string, damage *base.CorruptionError) (last base.LSN) {
	see := func(rec wal.Record) error {
		last = max(last, rec.LSN)
		return nil
	}
	// This only serves to say what is lost: what cannot be read is not seen.
	for _, f := range files {
		if f == damage.File && damage.Offset > 0 {
			if data, err := fsys.ReadFile(r.fs, f); err == nil && damage.Offset < int64(len(data)) {
				data = data[damage.Offset:]
				if next := nextFrame(data); next < len(data) {
					_ = scanBytes(data[next:], see)
				}
			}
			continue
		}
		_ = wal.Scan(r.fs, f, see)
	}
	return max(last, r.check.state.LastLSN)
}

// scanBytes is wal.Scan over a part of a file.
func scanBytes(data []byte, fn func(wal.Record) error) error {
	fs := fsys.NewMem()
	if err := fs.MkdirAll(base.WALDir); err != nil {
		return err
	}
	if err := fsys.WriteFileUnlisted(fs, base.CurrentWAL, data); err != nil {
		return err
	}
	return wal.Scan(fs, base.CurrentWAL, fn)
}

// applyLog makes the log what was planned. Between any two steps it is one that is kept
// up to the same record. Requires: the new MANIFEST.
func (r *Repair) applyLog(context.Context) error {
	l := &r.log
	for _, f := range slices.Backward(l.aside) {
		if err := r.move(f); err != nil {
			return err
		}
	}
	for _, f := range l.files {
		if _, cut := l.limits[f]; cut || len(l.strange[f]) > 0 {
			if err := r.rewriteLog(f); err != nil {
				return err
			}
		}
	}
	if !l.create {
		return nil
	}
	log, err := wal.Create(r.fs, r.uuid, l.last+1)
	if err != nil {
		return err
	}
	return log.Close()
}

// rewriteLog writes a file of the log anew, as far as it is kept.
func (r *Repair) rewriteLog(file string) error {
	data, err := fsys.ReadFile(r.fs, file)
	if err != nil {
		return err
	}
	if limit, cut := r.log.limits[file]; cut {
		data = data[:limit]
	}
	var out []byte
	kept := 0
	for _, offset := range r.log.strange[file] {
		at := int(offset)
		n, err := frame.PayloadLen(data[at:])
		if err != nil {
			return fmt.Errorf("%s at %d: %w", file, offset, err)
		}
		limit := at + n + frame.Overhead
		out = append(out, data[kept:at]...)
		if out, err = r.appendKnown(out, data[at:limit]); err != nil {
			return fmt.Errorf("%s at %d: %w", file, offset, err)
		}
		kept = limit
	}
	if err := r.keep(file); err != nil {
		return err
	}
	return fsys.WriteFileAtomic(r.fs, file, append(out, data[kept:]...))
}

// appendKnown appends the record in a frame without its points of unknown series.
func (r *Repair) appendKnown(dst, data []byte) ([]byte, error) {
	err := scanBytes(data, func(rec wal.Record) error {
		var decoder wal.BatchDecoder
		var regs []base.Registration
		var rows []base.Row
		err := decoder.Decode(rec.Body, func(reg base.Registration) error {
			reg.Tags = slices.Clone(reg.Tags)
			regs = append(regs, reg)
			return nil
		}, func(some []base.Row) error {
			for _, row := range some {
				if until, unknown := r.log.unknown[row.Ordinal]; !unknown || rec.LSN > until {
					rows = append(rows, row)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		at := len(dst)
		dst = wal.AppendBatch(dst, regs, rows)
		wal.Seal(dst[at:], rec.LSN, rec.Durable)
		return nil
	})
	return dst, err
}
