package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/plant"
	"github.com/sydradb/sydradb/internal/retention"
	"github.com/sydradb/sydradb/internal/segment"
)

// expiry is what maintenance remembers about retention.
type expiry struct {
	guard   *retention.Guard
	opened  time.Time       // for the time since, by a clock that nobody sets
	next    time.Time       // no sweep before
	rewrite map[string]bool // packs that hold a class of which everything is hidden
	unread  map[string]bool // packs that the last sweep could not look into
	held    string          // why the last sweep was held back, "" if it was not
}

// The background looks for expired data every sweepInterval, and as long as there is no
// room every pressedInterval, if anyone wants to write.
const (
	sweepInterval   = 5 * time.Minute
	pressedInterval = 10 * time.Second
)

func newExpiry(opts *Options, lastWall int64) expiry {
	now := retention.Reading{WallMS: opts.Now().UnixMilli(), ManifestMS: lastWall}
	opened := time.Now()
	// Not at once: openings that last for one command only would make a step each.
	return expiry{guard: retention.NewGuard(now), opened: opened, next: opened.Add(sweepInterval)}
}

// reading returns what the clocks say now.
func (m *maintenance) reading() retention.Reading {
	now := retention.Reading{WallMS: m.opts.Now().UnixMilli(), Uptime: time.Since(m.expiry.opened)}
	m.ledger.read(func(s *manifest.State) { now.ManifestMS = s.Wall })
	return now
}

// Retain lets data expire as the rules say, if the clock can be believed; with force it
// is believed, and everything goes at once.
func (e *Engine) Retain(ctx context.Context, force bool) error {
	if err := e.writable(); err != nil {
		return err
	}
	m := e.maintenance
	return m.do(ctx, func(context.Context) error {
		m.removed = true
		err := m.sweep(force)
		if err == nil {
			err = m.settle(true)
		}
		return err
	})
}

// sweepIfDue sweeps when it is time to, or when there is no room.
func (m *maintenance) sweepIfDue() error {
	now, due := time.Now(), m.expiry.next
	if m.disk.exceeded(m.writer.log.Bytes()) != nil {
		due = due.Add(pressedInterval - sweepInterval)
	}
	if now.Before(due) {
		return nil
	}
	m.expiry.next = now.Add(sweepInterval)
	return m.sweep(false)
}

// sweep moves the horizons that the rules ask for and removes the files that lie wholly
// below. force overrules the guard, and that a sweep goes a step at a time.
func (m *maintenance) sweep(force bool) error {
	now := m.reading()
	if verdict := m.expiry.guard.Judge(now); !force && !verdict.Allowed && !plant.Bug(plant.ClockBelieved) {
		if verdict.Reason != m.expiry.held {
			m.logger.Warn("retention is held back", "reason", verdict.Reason, "again in", verdict.RetryAfter)
		}
		m.expiry.held = verdict.Reason
		return nil
	}
	m.expiry.held = ""
	files, _, present := m.state.moment()
	targets := retention.Targets(m.opts.Retention, now.WallMS, present)
	if len(targets) == 0 && len(present) == 0 {
		return nil
	}
	described := m.describe(files)
	step := retention.Limit(targets, present, described)
	if force {
		step.Horizon = targets
	}
	if len(step.Horizon) > 0 {
		if plant.Bug(plant.HorizonAfterFiles) {
			m.state.publishHorizons(step.Horizon)
			return errors.Join(m.expire(described), m.ledger.commit(0, manifest.Edit{Horizon: step.Horizon}, nil))
		}
		if err := m.ledger.commit(0, manifest.Edit{Horizon: step.Horizon}, func() { m.state.publishHorizons(step.Horizon) }); err != nil {
			return err
		}
		m.removed = true
	}
	m.expiry.guard.Swept(now, step)
	m.sweeps.Add(1)
	return m.expire(described)
}

// expireNow is expire for the horizons in force, whoever moved them: which packs are to be
// rewritten is not in MANIFEST, and the process that moved a horizon may have ended since.
func (m *maintenance) expireNow() error {
	files, _, present := m.state.moment()
	if len(present) == 0 {
		return nil
	}
	return m.expire(m.describe(files))
}

// expire removes the files of which everything is hidden, and has packs of which one
// class is rewritten by the next merges.
func (m *maintenance) expire(files []retention.File) error {
	files = slices.DeleteFunc(files, func(f retention.File) bool { return m.expiry.unread[f.Path] })
	horizons := m.state.horizonsNow()
	work := retention.Plan(files, func(namespace string) (int64, bool) {
		h := horizons.of(namespace)
		return h, h > base.MinTime
	})
	m.expiry.rewrite = make(map[string]bool)
	for _, path := range work.Rewrite {
		m.expiry.rewrite[path] = true
	}
	if len(work.Drop) == 0 {
		return nil
	}
	err := m.ledger.commit(0, manifest.Edit{Remove: work.Drop}, func() { m.state.publishFiles(nil, work.Drop) })
	if err != nil {
		return err
	}
	m.removed = true
	m.logger.Info("retention removed files", "count", len(work.Drop))
	return nil
}

// describe says of all live files which classes of series have points in them, and until
// when. A pack that cannot be read is said to have points of the class of all others, so
// that they count for how far a sweep goes, and is noted as unread: it stays.
func (m *maintenance) describe(files *fileSet) []retention.File {
	list := make([]retention.File, 0, 64)
	unread := make(map[string]bool)
	cat := m.reg.now().catalog
	classOf := func(id base.SeriesID) (class string, known, named bool) {
		o, known := cat.ByID(id)
		if !known {
			return "", false, false
		}
		name := cat.Name(o)
		return m.class(name), true, name != ""
	}
	for _, r := range files.runs {
		for i := range r.segments {
			e := &r.segments[i]
			f := retention.File{Path: e.Path, StartTS: e.StartTS, Bytes: e.Bytes}
			if class, known, _ := classOf(e.SeriesID); known {
				f.Classes = []retention.ClassEnd{{Class: class, End: e.EndTS}}
			}
			list = append(list, f)
		}
		for _, p := range r.packs {
			classes, err := m.classesOf(p, classOf)
			if err != nil {
				if unread[p.Path] = true; !m.expiry.unread[p.Path] {
					m.logger.Error("a pack stays, whatever has expired in it", "error", err)
				}
				classes = []retention.ClassEnd{{Class: "", End: p.EndTS}}
			}
			list = append(list, retention.File{Path: p.Path, StartTS: p.StartTS, Bytes: p.Bytes, Classes: classes})
		}
	}
	m.expiry.unread = unread
	return list
}

// class returns the class of a series: its namespace, if that has a rule or a horizon of
// its own, else that of all others.
func (m *maintenance) class(name string) string {
	namespace := base.Namespace(name)
	if _, own := m.opts.Retention.Classes[namespace]; own {
		return namespace
	}
	if _, own := m.state.horizonsNow()[namespace]; own {
		return namespace
	}
	return ""
}

// classesOf returns the classes in a pack, which are found out once, unless it has series
// that may get a name yet, and with it another class. A pack with a series that nobody
// knows has none: it is left alone.
func (m *maintenance) classesOf(
	p *packFile, classOf func(base.SeriesID) (class string, known, named bool),
) ([]retention.ClassEnd, error) {
	if p.classes != nil {
		return p.classes, nil
	}
	if len(m.opts.Retention.Classes) == 0 && !m.hasClasses() {
		return []retention.ClassEnd{{Class: "", End: p.EndTS}}, nil
	}
	var packs packReaders
	defer packs.close()
	pack, err := packs.open(m.fs, newCache(0), p)
	if err != nil {
		return nil, err
	}
	ends := make(map[string]int64)
	complete, final := true, true
	if err := pack.reader.All(func(s *segment.PackSeries) error {
		class, known, named := classOf(s.ID)
		complete, final = complete && known, final && named
		if end, seen := ends[class]; !seen || s.End > end {
			ends[class] = s.End
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if !complete {
		return nil, nil
	}
	classes := make([]retention.ClassEnd, 0, len(ends))
	for class, end := range ends {
		classes = append(classes, retention.ClassEnd{Class: class, End: end})
	}
	if final {
		p.classes = classes
	}
	return classes, nil
}

// hasClasses reports whether a namespace has a horizon of its own.
func (m *maintenance) hasClasses() bool {
	for namespace := range m.state.horizonsNow() {
		if namespace != "" {
			return true
		}
	}
	return false
}
