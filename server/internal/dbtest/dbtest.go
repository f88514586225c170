// Package dbtest gives tests databases in memory, and handles of series, alive and dead.
package dbtest

import (
	"strconv"
	"sync"
	"testing"

	"github.com/sydradb/sydradb"
)

// shared is what Series takes its series from, for as long as the process runs.
var shared = sync.OnceValues(func() (*sydradb.DB, error) {
	return sydradb.Open("", &sydradb.Options{InMemory: true})
})

// Series returns the handle that stands for a number: always the same, and nobody writes to
// it.
func Series(tb testing.TB, i int) *sydradb.Series {
	tb.Helper()
	db, err := shared()
	if err != nil {
		tb.Fatal(err)
	}
	s, err := db.Series("numbered", sydradb.Tag{Key: "i", Value: strconv.Itoa(i)})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// Open opens a database in memory with these options until the test ends.
func Open(tb testing.TB, o sydradb.Options) *sydradb.DB {
	tb.Helper()
	o.InMemory = true
	db, err := sydradb.Open("", &o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

// Kill writes to each series, deletes its points, and sees to it that the database declares
// it dead.
func Kill(tb testing.TB, db *sydradb.DB, series ...*sydradb.Series) {
	tb.Helper()
	b := db.NewBatch()
	var sel sydradb.Selector
	for _, s := range series {
		b.Add(s, 0, 1)
		sel.IDs = append(sel.IDs, s.ID())
	}
	if err := db.Write(tb.Context(), b); err != nil {
		tb.Fatal(err)
	}
	if _, err := db.Delete(tb.Context(), sel, sydradb.MinTime, sydradb.MaxTime); err != nil {
		tb.Fatal(err)
	}
	if err := db.Compact(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	for _, s := range series {
		if s.Alive() {
			tb.Fatalf("%v is alive without points", s)
		}
	}
}
