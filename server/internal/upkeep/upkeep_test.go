package upkeep_test

import (
	"context"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"
	"time"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/upkeep"
)

const day = 24 * time.Hour

// newDB returns a database with two series of two points each, one of them a year old.
func newDB(t *testing.T, dir string, rules upkeep.Rules, now time.Time) *sydradb.DB {
	t.Helper()
	db, err := sydradb.Open(dir, &sydradb.Options{Retention: rules.All, NamespaceRetention: rules.Namespaces, MergeOff: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	batch := db.NewBatch()
	for _, name := range []string{"room.temp", "weather.wind"} {
		s, err := db.Series(name, sydradb.Tag{Key: "room", Value: "hall"})
		if err != nil {
			t.Fatal(err)
		}
		batch.Add(s, now.UnixNano(), 1)
		batch.Add(s, now.Add(-365*day).UnixNano(), 2)
	}
	if err := db.Write(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestFlushAndCompact(t *testing.T) {
	now := time.Now()
	db := newDB(t, t.TempDir(), upkeep.Rules{}, now)
	flushed, err := upkeep.Flush(context.Background(), db)
	if want := (upkeep.Flushed{Points: 4, Files: 4}); err != nil || flushed != want {
		t.Errorf("flushed %+v, want %+v; error %v", flushed, want, err)
	}
	merged, err := upkeep.Compact(context.Background(), db)
	if err != nil || !merged.Merged || merged.Before.Count != 4 || merged.After.Count == 0 || merged.After.Bytes == 0 {
		t.Errorf("merged %+v, error %v", merged, err)
	}
	again, err := upkeep.Compact(context.Background(), db)
	if err != nil || again.Merged || again.Before != merged.After || again.After != merged.After {
		t.Errorf("merged again %+v, error %v", again, err)
	}
	stats := db.Stats()
	if stats.SegmentPoints != 4 {
		t.Errorf("%d points", stats.SegmentPoints)
	}
}

func TestTop(t *testing.T) {
	db := newDB(t, t.TempDir(), upkeep.Rules{}, time.Now())
	if got, want := upkeep.TopTags(db, 5), []upkeep.Top{{Name: "room", Values: 1, Series: 2}}; !reflect.DeepEqual(got, want) {
		t.Errorf("tags %+v, want %+v", got, want)
	}
	if got := upkeep.TopNames(db, 1); len(got) != 1 || got[0].Series != 1 {
		t.Errorf("names %+v", got)
	}
}

func TestRetain(t *testing.T) {
	now := time.Now()
	rules := upkeep.Rules{All: 30 * day, Namespaces: map[string]time.Duration{"weather": 1000 * day}}
	// The rules come into force with the second opening, so that it cannot expire by itself.
	dir := t.TempDir()
	db := newDB(t, dir, upkeep.Rules{}, now)
	before := upkeep.Horizons(db, rules)
	if want := []int64{sydradb.MinTime, sydradb.MinTime}; !reflect.DeepEqual(before, want) {
		t.Fatalf("horizons %d, want %d", before, want)
	}
	got, err := upkeep.Retain(context.Background(), db, rules, before, now, true)
	if err != nil || got.Moved || got.SeriesLeft != 1 {
		t.Errorf("a database without rules of its own: %+v, error %v", got, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db, err = sydradb.Open(dir, &sydradb.Options{Retention: rules.All, NamespaceRetention: rules.Namespaces})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	got, err = upkeep.Retain(context.Background(), db, rules, before, now, true)
	if err != nil || !got.Moved || got.SeriesLeft != 0 || len(got.Kept) != 2 {
		t.Fatalf("%+v, error %v", got, err)
	}
	if k := got.Kept[0]; k.Namespace != "weather" || k.From > now.Add(-999*day).UnixNano() {
		t.Errorf("%+v", k)
	}
	if k := got.Kept[1]; k.Namespace != "" || k.From < now.Add(-31*day).UnixNano() {
		t.Errorf("%+v", k)
	}
}

func TestSnapshot(t *testing.T) {
	now := time.Date(2023, 9, 9, 22, 53, 20, 0, time.UTC)
	dir := t.TempDir()
	db := newDB(t, dir, upkeep.Rules{}, now)
	form := regexp.MustCompile(`^20230909T225320Z-[0-9a-f]{8}$`)
	var names []string
	for range 2 {
		name, err := upkeep.Snapshot(context.Background(), db, dir, now.In(time.FixedZone("", 3600)))
		if err != nil || !form.MatchString(name) {
			t.Fatalf("%q, error %v", name, err)
		}
		names = append(names, name)
	}
	if names[0] == names[1] {
		t.Error("two snapshots of one name")
	}
	report, err := sydradb.Check(context.Background(), filepath.Join(dir, "snapshots", names[1]))
	if err != nil || report.Points != 4 || len(report.Findings) > 0 {
		t.Errorf("%+v, error %v", report, err)
	}
}
