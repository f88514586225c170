package aggregate

import (
	"fmt"
	"strconv"
)

// Function is what is computed of the points of a window.
type Function uint8

// The functions. docs/aggregation.md defines them.
const (
	Count    Function = iota // number of points
	Sum                      // of the values
	Avg                      // arithmetic mean
	Min                      // least value
	Max                      // greatest value
	First                    // value of the earliest point
	Last                     // value of the latest point
	Stddev                   // population standard deviation
	Increase                 // of a counter that may start again
	Rate                     // increase per second
	functionCount
)

var functionNames = [functionCount]string{"count", "sum", "avg", "min", "max", "first", "last", "stddev", "increase", "rate"}

// String returns the name of the function, as ParseFunction reads it.
func (f Function) String() string {
	if f.Valid() {
		return functionNames[f]
	}
	return "Function(" + strconv.Itoa(int(f)) + ")"
}

// Valid reports whether f is one of the functions above. Series and groups give NaN for
// any other.
func (f Function) Valid() bool { return f < functionCount }

// ParseFunction returns the function of that name. Names are in lower case.
func ParseFunction(name string) (Function, error) {
	for f, n := range functionNames {
		if n == name {
			return Function(f), nil
		}
	}
	return 0, fmt.Errorf("unknown aggregate function %q", name)
}

// parts is a set of the parts of a partial.
type parts uint8

const (
	partCount parts = 1 << iota
	partSum
	partMin
	partMax
	partEnds
	partResets // what an increase is computed from, while points are still to come
	partGain   // the increase, once a window is complete
	partSpread
)

// functionParts lists what each function needs of a complete window.
var functionParts = [functionCount]parts{
	Count: partCount, Sum: partSum, Avg: partCount | partSum, Min: partMin, Max: partMax,
	First: partEnds, Last: partEnds, Stddev: partSpread, Increase: partGain, Rate: partGain,
}

// partsOf returns what the functions need of a complete window.
func partsOf(functions []Function) parts {
	var p parts
	for _, f := range functions {
		if f.Valid() {
			p |= functionParts[f]
		}
	}
	return p
}

// growing returns p as it is while points are still to come.
func (p parts) growing() parts {
	if p.has(partGain) {
		p = p&^partGain | partResets
	}
	return p
}

func (p parts) has(part parts) bool { return p&part == part }
