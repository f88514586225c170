package sydradb

import (
	"context"
	"fmt"
	"time"

	"github.com/sydradb/sydradb/internal/aggregate"
	"github.com/sydradb/sydradb/internal/engine"
)

// Function is what an aggregation makes of the points in a window, see docs/aggregation.md
// for the exact definitions.
type Function uint8

// The functions. Points that mark a series as stale are no points for any of them.
const (
	Count    Function = Function(aggregate.Count)    // number of points
	Sum      Function = Function(aggregate.Sum)      // of the values
	Avg      Function = Function(aggregate.Avg)      // arithmetic mean
	Min      Function = Function(aggregate.Min)      // least value
	Max      Function = Function(aggregate.Max)      // greatest value
	First    Function = Function(aggregate.First)    // value of the first point
	Last     Function = Function(aggregate.Last)     // value of the last point
	Stddev   Function = Function(aggregate.Stddev)   // standard deviation of the population
	Increase Function = Function(aggregate.Increase) // of a counter that may be reset
	Rate     Function = Function(aggregate.Rate)     // increase for each second between first and last point
)

// ParseFunction returns the function with a name such as "avg".
func ParseFunction(name string) (Function, error) {
	f, err := aggregate.ParseFunction(name)
	return Function(f), err
}

// String returns the name in lower case.
func (f Function) String() string { return aggregate.Function(f).String() }

// Aggregation says what to compute, of which points.
type Aggregation struct {
	Selector Selector
	// Functions are computed in one pass; at least one.
	Functions []Function
	// Start and End bound the times, both inclusive, in Unix nanoseconds, as in [Query].
	// With [MinTime] windows begin at multiples of Step since 1970; without a Step, the
	// window of each result has the time of the first point in it.
	Start, End int64
	// Step is the distance of one window from the next; 0 makes one window of all points
	// from Start to End.
	Step time.Duration
	// Range, if not 0, makes windows slide: at each t = Start, Start+Step, ... up to End
	// there is one that holds the points after t-Range up to t. With 0, windows follow one
	// another: that of t holds the points from t to before t+Step.
	Range time.Duration
	// GroupBy are the keys of tags by which series are put together: those with equal
	// values make one group. The key "__name__" stands for the name. An empty list makes
	// one group of all series, nil leaves each series by itself. Keys that come twice
	// count once.
	GroupBy []string
	// MaxSeries and MaxPoints, if not 0, end the aggregation with [ErrLimit] when more
	// series are selected, or there are more windows with a result.
	MaxSeries, MaxPoints int
	// MaxWindows, if not 0, ends the aggregation with [ErrLimit] when there are more windows
	// of time between the first and the last point, those without a result included: each
	// series takes memory for them while it is read.
	MaxWindows int
	// Parallel is the number of series read at the same time, each of which takes memory
	// for the results of its windows. 0 and 1 mean one.
	Parallel int
}

// Result is what an aggregation makes of one series or group. Times are those of the
// windows that have a result, ascending; Values has one column for each function, as long
// as Times. All belong to the iterator and are valid until its next call.
type Result struct {
	Series *Series // nil for a group
	Tags   []Tag   // of a group: those it was put together by, less those that its series lack
	Times  []int64
	Values [][]float64
}

// Aggregate computes values for windows of time in the engine. The points are those of one
// moment, as in [DB.Query]. Results come in order of name and tags, or by the values of
// GroupBy; series and groups without points in any window are left out.
//
// Where a block of a pack lies in a window as a whole, its statistics stand for its
// points, which need not be read then. [Stddev] needs all points.
//
// The iterator must be closed. It stops with an error when ctx ends. An aggregation that
// makes no sense is refused with [ErrInvalidQuery].
func (db *DB) Aggregate(ctx context.Context, a Aggregation) (*Results, error) {
	if len(a.Functions) == 0 {
		return nil, fmt.Errorf("%w: no function", ErrInvalidQuery)
	}
	functions := make([]aggregate.Function, len(a.Functions))
	for i, f := range a.Functions {
		functions[i] = aggregate.Function(f)
	}
	it, err := db.e.Aggregate(ctx, engine.Aggregation{
		Selector:  a.Selector.engine(),
		Windows:   aggregate.Windows{Start: a.Start, End: a.End, Step: int64(a.Step), Range: int64(a.Range)},
		Functions: functions,
		Grouped:   a.GroupBy != nil, By: a.GroupBy,
		MaxSeries: a.MaxSeries, MaxPoints: a.MaxPoints, MaxWindows: a.MaxWindows,
		Parallel: a.Parallel,
	})
	if err != nil {
		return nil, err
	}
	return &Results{it}, nil
}

// Results walks what an aggregation makes, in the way of [Iterator].
type Results struct {
	it *engine.Aggregates
}

// Next moves to the next result. It returns false at the end and on an error.
func (it *Results) Next() bool { return it.it.Next() }

// Result returns the current result. It is valid until the next call of Next or Close.
func (it *Results) Result() Result {
	a := it.it.Aggregate()
	r := Result{Tags: a.Tags, Times: a.Times, Values: a.Values}
	if a.Series != nil {
		r.Series = (*Series)(a.Series)
	}
	return r
}

// Err returns the error that ended the iteration, or nil at its normal end.
func (it *Results) Err() error { return it.it.Err() }

// Close releases what the iterator holds. It may be called more than once.
func (it *Results) Close() { it.it.Close() }
