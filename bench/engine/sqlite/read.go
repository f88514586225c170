//go:build peers

package sqlite

import (
	"fmt"
	"strings"

	"github.com/sydradb/sydradb/bench/engine"
)

// one returns what a query has to say in one row: a count and a sum.
func (db *db) one(query string, arguments ...any) (n int64, sum float64, err error) {
	err = db.QueryRow(query, arguments...).Scan(&n, &sum)
	return n, sum, err
}

// Scan implements engine.Engine.
func (db *db) Scan() (engine.Sum, error) {
	n, sum, err := db.one("SELECT count(*), total(value) FROM points")
	return engine.Sum{Points: n, Value: sum}, err
}

// Sum implements engine.Engine.
func (db *db) Sum(series int, start, end int64) (engine.Sum, error) {
	n, sum, err := db.one("SELECT count(*), total(value) FROM points WHERE series = ? AND ts BETWEEN ? AND ?", series+1, start, end)
	return engine.Sum{Points: n, Value: sum}, err
}

// Read implements engine.Engine.
func (db *db) Read(visit func(series int, times []int64, values []float64)) error {
	found, err := db.Query("SELECT series, ts, value FROM points ORDER BY series, ts")
	if err != nil {
		return err
	}
	defer found.Close()
	var times []int64
	var values []float64
	var current int64
	finish := func() {
		if len(times) == 0 {
			return
		}
		visit(int(current)-1, times, values)
		times, values = times[:0], values[:0]
	}
	for found.Next() {
		var series, ts int64
		var value float64
		if err := found.Scan(&series, &ts, &value); err != nil {
			return err
		}
		if series != current {
			finish()
			current = series
		}
		times, values = append(times, ts), append(values, value)
	}
	finish()
	return found.Err()
}

// grouped is the query for averages of the points that a condition selects.
func (db *db) grouped(w engine.Window, condition string, arguments ...any) (engine.Averages, error) {
	arguments = append(arguments, w.Start, w.End-1, w.Start, w.Width)
	n, total, err := db.one("SELECT count(*), total(average) FROM (SELECT avg(value) AS average FROM points WHERE "+
		condition+" AND ts BETWEEN ? AND ? GROUP BY series, (ts - ?) / ?)", arguments...)
	return engine.Averages{Count: n, Total: total}, err
}

// Windows implements engine.Engine.
func (db *db) Windows(series int, w engine.Window) (engine.Averages, error) {
	return db.grouped(w, "series = ?", series+1)
}

// Group implements engine.Engine.
func (db *db) Group(name string, tags []engine.Tag, w engine.Window) (engine.Averages, error) {
	query, arguments := tagged(tags)
	return db.grouped(w, fmt.Sprintf("series IN (SELECT id FROM series WHERE name = ? AND id IN (%s))", query),
		append([]any{name}, arguments...)...)
}

// Find implements engine.Engine.
func (db *db) Find(tags []engine.Tag) (int, error) {
	query, arguments := tagged(tags)
	n := 0
	err := db.QueryRow("SELECT count(*) FROM ("+query+")", arguments...).Scan(&n)
	return n, err
}

// tagged is the query for the series that have all the tags.
func tagged(tags []engine.Tag) (query string, arguments []any) {
	parts := make([]string, len(tags))
	for i, t := range tags {
		parts[i] = "SELECT series FROM tags WHERE key = ? AND value = ?"
		arguments = append(arguments, t.Key, t.Value)
	}
	return strings.Join(parts, " INTERSECT "), arguments
}
