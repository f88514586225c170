package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/objectstore"
)

// pointsByID is what a database answers: values by series and time.
type pointsByID map[base.SeriesID]map[int64]float64

func (p pointsByID) set(id base.SeriesID, ts int64, value float64) {
	if p[id] == nil {
		p[id] = make(map[int64]float64)
	}
	p[id][ts] = value
}

func (p pointsByID) clone() pointsByID {
	c := make(pointsByID)
	for id, points := range p {
		c[id] = maps.Clone(points)
	}
	return c
}

// lacks returns a point that p has and got has not, or has with another value; "" if
// there is none.
func (p pointsByID) lacks(got pointsByID) string {
	for id, points := range p {
		for ts, value := range points {
			if v, ok := got[id][ts]; !ok || v != value {
				return fmt.Sprintf("series %x at %d: %v, %v, not %v", uint64(id), ts, v, ok, value)
			}
		}
	}
	return ""
}

func (p pointsByID) count() (n int) {
	for _, points := range p {
		n += len(points)
	}
	return n
}

// mixed is a closed database with something of everything, and what is in it.
type mixed struct {
	fs      *fsys.Mem
	want    pointsByID // the answers
	flushed pointsByID // the answers without the log
	logged  pointsByID // what the log alone holds
	hidden  pointsByID // what the deletion hides
	written map[base.SeriesID]map[int64][]float64
	uuid    [16]byte
}

// mixedDatabase returns a database with segment files in one hour, two packs in the next,
// a deletion, a log in several files, one of which introduces a series, objects and refs.
func mixedDatabase(t *testing.T) *mixed {
	t.Helper()
	m := &mixed{
		fs: fsys.NewMem(), want: make(pointsByID), logged: make(pointsByID), hidden: make(pointsByID),
		written: make(map[base.SeriesID]map[int64][]float64),
	}
	e, err := Open(m.fs, Options{Sync: SyncAlways, MaxSegmentFiles: 3, MergeOff: true, RotateBytes: 150})
	if err != nil {
		t.Fatal(err)
	}
	m.write(t, e, 2, 0, 3)
	m.flush(t, e)
	m.write(t, e, 8, base.Hour, 5)
	m.flush(t, e)
	m.write(t, e, 8, base.Hour+2, 4)
	m.flush(t, e)
	first := m.series(t, e, 0)
	if _, err := e.Delete(t.Context(), Selector{IDs: []base.SeriesID{first.ID()}}, base.Hour, base.Hour+2); err != nil {
		t.Fatal(err)
	}
	for ts := base.Hour; ts <= base.Hour+2; ts++ {
		m.hidden.set(first.ID(), ts, m.want[first.ID()][ts])
		delete(m.want[first.ID()], ts)
	}
	m.flush(t, e)
	m.flushed = m.want.clone()
	for i := range int64(6) {
		m.write(t, e, 4, 2*base.Hour+10*i, 2)
	}
	m.write(t, e, 9, 3*base.Hour, 2) // one of them is new
	for id, points := range m.want {
		for ts, value := range points {
			if ts >= 2*base.Hour {
				m.logged.set(id, ts, value)
			}
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	store := objectstore.Open(m.fs)
	for i := range 2 {
		id, err := store.Put(t.Context(), objectstore.TypeBlob, fmt.Appendf(nil, "object %d", i))
		if err == nil {
			err = store.SetRef(t.Context(), fmt.Sprintf("heads/branch%d", i), objectstore.ID{}, id)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if m.uuid, err = readFormat(m.fs); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *mixed) series(t *testing.T, e *Engine, n int) *Series {
	t.Helper()
	s, err := e.Resolve("r", []base.Tag{{Key: "n", Value: fmt.Sprint(n)}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// write writes one batch: some points of some series.
func (m *mixed) write(t *testing.T, e *Engine, series int, start int64, points int) {
	t.Helper()
	var rows []base.Row
	for n := range series {
		s := m.series(t, e, n)
		for i := range int64(points) {
			value := float64(len(m.written[s.ID()])*100 + n)
			rows = append(rows, base.Row{TS: start + i, Value: value, Ordinal: s.Ordinal()})
			m.want.set(s.ID(), start+i, value)
			if m.written[s.ID()] == nil {
				m.written[s.ID()] = make(map[int64][]float64)
			}
			m.written[s.ID()][start+i] = append(m.written[s.ID()][start+i], value)
		}
	}
	if _, err := e.Write(t.Context(), rows, nil); err != nil {
		t.Fatal(err)
	}
}

func (m *mixed) flush(t *testing.T, e *Engine) {
	t.Helper()
	if err := e.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// copy returns a copy of the database to be damaged.
func (m *mixed) copy() *fsys.Mem { return m.fs.CrashClone(rand.New(rand.NewPCG(1, 1)), 100) }

// readByID opens a database and reads all of it.
func readByID(fs fsys.FS) (got pointsByID, names int, err error) {
	e, err := Open(fs, Options{MergeOff: true})
	if err != nil {
		return nil, 0, fmt.Errorf("open: %w", err)
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	got = make(pointsByID)
	it, err := e.Query(context.Background(), everything)
	if err != nil {
		return nil, 0, err
	}
	defer it.Close()
	for it.Next() {
		b := it.Block()
		if _, seen := got[b.Series.ID()]; !seen && !strings.HasPrefix(b.Series.Name(), namelessPrefix) {
			names++
		}
		for i, ts := range b.Times {
			got.set(b.Series.ID(), ts, b.Values[i])
		}
	}
	return got, names, it.Err()
}

// invented returns a point of got that was never written, "" if there is none.
func (m *mixed) invented(got pointsByID) string {
	for id, points := range got {
		for ts, value := range points {
			if !slices.Contains(m.written[id][ts], value) {
				return fmt.Sprintf("series %x at %d: %v was never written", uint64(id), ts, value)
			}
		}
	}
	return ""
}
