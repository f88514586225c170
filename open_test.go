package sydradb

import (
	"slices"
	"testing"
)

// OnRecovery hears of the replay of the log, from nothing to all of it.
func TestOnRecovery(t *testing.T) {
	dir := t.TempDir()
	for round := range 2 {
		var steps []int64
		var size int64
		db, err := Open(dir, &Options{OnRecovery: func(done, total int64) {
			steps, size = append(steps, done), total
		}})
		if err != nil {
			t.Fatal(err)
		}
		if round == 1 && (len(steps) < 2 || steps[0] != 0 || size == 0 || steps[len(steps)-1] != size || !slices.IsSorted(steps)) {
			t.Errorf("steps %v of %d bytes", steps, size)
		}
		batch := db.NewBatch()
		batch.Add(mustSeries(t, db, "a"), 1, 2)
		if err := db.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
