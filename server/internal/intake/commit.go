package intake

import (
	"context"
	"errors"
	"fmt"

	"github.com/sydradb/sydradb"
)

// tries is how often a batch is written that finds no room for a series where there then is
// some: series come and go under the eyes of a request.
const tries = 10

// Commit stores the points as one batch: all of them or, on an error, none. It returns
// when they are as durable as the database is set to. Points that are older than what
// retention keeps, and those of series for which there is no more room, are counted as
// refused, and the others are stored.
//
// Errors are those of sydradb.DB.Write, and what a call of Series ran into; more points
// than a request may have match sydradb.ErrTooLarge. The points stay, so that Commit may be
// called again; after nil it must not be.
//
// A ctx that has ended keeps Commit from beginning. Once begun it comes to its end, so that
// a client that has gone leaves no doubt about what is stored; the database waits for a
// slow disk for ten seconds at most before it takes a batch.
func (r *Request) Commit(ctx context.Context) error {
	if r.fault != nil {
		return r.fault
	}
	if r.tooLarge != nil {
		return r.tooLarge
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// A writer whose context cannot end commits in its own goroutine where it can, which
	// spares two switches between goroutines a request.
	whole := context.WithoutCancel(ctx)
	for try := 1; ; try++ {
		err := r.in.db.Write(whole, r.batch)
		dropped := 0
		switch {
		case err == nil:
			r.accepted = r.batch.Len()
			return nil
		case errors.Is(err, sydradb.ErrTooOld):
			dropped = r.dropOld()
		case errors.Is(err, sydradb.ErrSeriesLimit):
			dropped = r.dropHomeless()
			if dropped == 0 && try < tries {
				continue // room was made meanwhile
			}
		}
		if dropped == 0 {
			return err
		}
	}
}

// dropOld takes out and counts the points below the horizon of their series, and returns
// how many those are.
func (r *Request) dropOld() int {
	horizons := make(map[*sydradb.Series]int64)
	return r.drop(func(s *sydradb.Series, ts int64) *Refusal {
		horizon, known := horizons[s]
		if !known {
			horizon = r.in.db.Horizon(s.Name())
			horizons[s] = horizon
		}
		switch {
		case ts >= horizon:
			return nil
		case !r.Explains():
			return refuseOld
		}
		return r.tooOld(s.String(), ts, horizon)
	})
}

// dropHomeless takes out and counts the points of series that have lost all their points
// since they were resolved, and whose room others took. It returns how many those are.
func (r *Request) dropHomeless() int {
	refusals := make(map[*sydradb.Series]*Refusal)
	return r.drop(func(s *sydradb.Series, _ int64) *Refusal {
		why, known := refusals[s]
		if !known {
			if _, err := r.in.db.Series(s.Name(), s.Tags()...); errors.Is(err, sydradb.ErrSeriesLimit) {
				why = &Refusal{SeriesLimit, fmt.Errorf("%v: %w", s, err)}
			}
			refusals[s] = why
		}
		return why
	})
}

// drop takes out and counts the points that judge refuses, and returns how many those are.
func (r *Request) drop(judge func(s *sydradb.Series, ts int64) *Refusal) int {
	r.peak = max(r.peak, r.batch.Len())
	return r.batch.DeleteFunc(func(s *sydradb.Series, ts int64, _ float64) bool {
		why := judge(s, ts)
		if why != nil {
			r.Refuse(why, 1, 0, nil)
		}
		return why != nil
	})
}
