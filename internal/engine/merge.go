package engine

import (
	"github.com/sydradb/sydradb/internal/memtable"
	"github.com/sydradb/sydradb/internal/plant"
)

// columns are points in ascending order of time, each time once.
type columns struct {
	times  []int64
	values []float64
}

func columnsOf(c *memtable.Columns) columns { return columns{c.TS, c.Values} }

func (c columns) len() int { return len(c.times) }

// slice returns the points from i up to j, sharing their memory.
func (c columns) slice(i, j int) columns { return columns{c.times[i:j], c.values[i:j]} }

func (c *columns) reset() { c.times, c.values = c.times[:0], c.values[:0] }

func (c *columns) append(o columns) {
	c.times = append(c.times, o.times...)
	c.values = append(c.values, o.values...)
}

// mergeInto appends to dst the points of older and newer; where both have a time, the
// value of newer. dst must not share memory with them.
func mergeInto(dst *columns, older, newer columns) {
	i, j := 0, 0
	for i < older.len() && j < newer.len() {
		switch a, b := older.times[i], newer.times[j]; {
		case a < b:
			dst.times = append(dst.times, a)
			dst.values = append(dst.values, older.values[i])
			i++
		default:
			dst.times = append(dst.times, b)
			dst.values = append(dst.values, newer.values[j])
			j++
			if a == b && plant.Bug(plant.OlderWins) {
				dst.values[len(dst.values)-1] = older.values[i]
			}
			if a == b {
				i++
			}
		}
	}
	dst.append(older.slice(i, older.len()))
	dst.append(newer.slice(j, newer.len()))
}
