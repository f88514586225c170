package engine

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/golden"
	"github.com/sydradb/sydradb/internal/retention"
)

// TestUpkeepTrace is TestTrace for what is done to files that are there: merging them,
// deleting, applying deletions, and letting data and series go.
func TestUpkeepTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		fs := fsys.Trace(fsys.NewMem(), func(op fsys.Op) {
			if op.Kind.Mutates() {
				fmt.Fprintln(&lines, op)
			}
		})
		e, err := Open(fs, Options{MergeOff: true, Retention: retention.Rules{Default: 24 * time.Hour}})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		for ts := range int64(2) {
			put(t, e, resolve(t, e, "a"), ts, 1)
			flush(t, e)
		}
		stage := func(name string, run func() error) {
			t.Helper()
			synctest.Wait()
			lines.Reset()
			if err := run(); err != nil {
				t.Fatal(name, err)
			}
			synctest.Wait()
			golden.Check(t, "testdata/trace/"+name+".golden", lines.Bytes())
		}
		stage("merge", func() error { return e.Compact(t.Context()) })
		stage("delete", func() error {
			if _, err := e.Delete(t.Context(), Selector{}, 0, 0); err != nil {
				return err
			}
			return e.Flush(t.Context())
		})
		stage("apply", func() error { return e.Compact(t.Context()) })
		put(t, e, resolve(t, e, "b"), time.Now().UnixNano(), 1) // one series of two lives on
		flush(t, e)
		stage("retain", func() error { return e.Retain(t.Context(), true) })
		if s := e.Stats(); s.SegmentFiles != 1 || s.Series != 1 || s.Deletions != 0 {
			t.Errorf("%d files, %d series, %d deletions are left", s.SegmentFiles, s.Series, s.Deletions)
		}
	})
}
