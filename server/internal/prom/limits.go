package prom

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/promql"

	"github.com/sydradb/sydradb"
)

// Limits bound what one query may take. The zero value of each field means its default.
type Limits struct {
	Timeout     time.Duration // of a query, default 30s
	Lookback    time.Duration // how old a point may be to count as the current one, default 5m
	Samples     int64         // that a query reads in all, default 50 million
	Series      int           // that a query selects in all, default 100,000
	MemoryBytes int64         // for the samples that a query holds at a time, default 256 MiB
	TextBytes   int           // of a query or a selector, default 16 KiB
}

// sampleBytes is what the engine needs for a sample that it holds: time and value.
const sampleBytes = 16

func (l Limits) withDefaults() Limits {
	return Limits{
		Timeout:     cmp.Or(l.Timeout, 30*time.Second),
		Lookback:    cmp.Or(l.Lookback, 5*time.Minute),
		Samples:     cmp.Or(l.Samples, 50_000_000),
		Series:      cmp.Or(l.Series, 100_000),
		MemoryBytes: cmp.Or(l.MemoryBytes, 256<<20),
		TextBytes:   cmp.Or(l.TextBytes, 16<<10),
	}
}

// limitError says that a query went over a limit, and which.
type limitError struct{ text string }

func (e *limitError) Error() string { return e.text }

// budget is what is left of the limits of a query. All queriers of a request share one,
// by way of its context.
type budget struct {
	limits  Limits
	onError func(error)  // told when the storage fails
	samples atomic.Int64 // read so far
	series  atomic.Int64 // selected so far
}

type budgetKey struct{}

func newBudget(l Limits, onError func(error)) *budget {
	return &budget{limits: l, onError: onError}
}

// withBudget returns a context in which queries share b.
func withBudget(ctx context.Context, b *budget) context.Context {
	return context.WithValue(ctx, budgetKey{}, b)
}

// budgetOf returns the budget that queries in ctx share, nil if they share none.
func budgetOf(ctx context.Context) *budget {
	b, _ := ctx.Value(budgetKey{}).(*budget)
	return b
}

// takeSamples counts n samples that were read.
func (b *budget) takeSamples(n int) error {
	if b.samples.Add(int64(n)) > b.limits.Samples {
		return &limitError{fmt.Sprintf("the query reads more than %d samples; ask for fewer series or a shorter time, or raise the limit of samples", b.limits.Samples)}
	}
	return nil
}

// takeSeries counts n series that were selected.
func (b *budget) takeSeries(n int) error {
	if b.series.Add(int64(n)) > int64(b.limits.Series) {
		return b.tooManySeries()
	}
	return nil
}

// seriesLeft returns how many series may still be selected, at least 1 since 0 would
// stand for any number.
func (b *budget) seriesLeft() int {
	return int(max(1, int64(b.limits.Series)-b.series.Load()))
}

// exceeded reports whether the query went over a limit.
func (b *budget) exceeded() bool {
	return b.samples.Load() > b.limits.Samples || b.series.Load() > int64(b.limits.Series)
}

func (b *budget) tooManySeries() error {
	return &limitError{fmt.Sprintf("the query selects more than %d series; use narrower selectors, or raise the limit of series", b.limits.Series)}
}

// storageError returns err in the form in which Prometheus' API tells apart what a query
// asked too much for, what took too long, and what is the storage's fault.
func (b *budget) storageError(err error) error {
	var limit *limitError
	switch {
	case err == nil || errors.As(err, &limit) || errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, sydradb.ErrLimit):
		b.series.Store(int64(b.limits.Series) + 1)
		return b.tooManySeries()
	case errors.Is(err, context.DeadlineExceeded):
		return promql.ErrQueryTimeout("reading from storage")
	default:
		b.onError(err)
		return promql.ErrStorage{Err: err}
	}
}
