package sydradb

import "context"

// Delete hides the points from start to end, both inclusive, in Unix nanoseconds, of
// the series that sel selects, and returns how many series those are. They are out of
// every answer when Delete returns, and as durably as [Options.Sync] promises for a
// batch. Points that are written later, with old times or new ones, are not concerned.
// The space is given back by merging, soonest by [DB.Compact].
//
// Errors are those of [DB.Write]; with [ErrTooLarge], four million series are too many
// for one Delete, and with [ErrOverloaded] deletions from 64 million wait for merging.
func (db *DB) Delete(ctx context.Context, sel Selector, start, end int64) (series int, err error) {
	return db.e.Delete(ctx, sel.engine(), start, end)
}

// Compact flushes and then merges files as far as possible: days become packs, deleted
// points leave the disk. No answer changes. It is never needed, merging in the
// background does the same in time, unless [Options.MergeOff] is set. It takes time in
// proportion to what is to be merged; when ctx ends, or with [ErrDiskFull], what has been
// merged stays.
func (db *DB) Compact(ctx context.Context) error { return noSpace(db.e.Compact(ctx)) }

// Retain lets points expire that are older than [Options.Retention] and
// [Options.NamespaceRetention] keep, which the background does by itself. Answers do not
// show them from then on; files go when all they hold has expired.
//
// What has expired once does not come back: a wrong clock must not decide alone. So
// after a step of the clock, or when it is far ahead of the last change, nothing
// expires for an hour, and then one day of hours, or a tenth of the data, every hour.
// With force Retain believes the clock and does everything now.
//
// [ErrDiskFull] means that there was no room for what has to be written about it; the points
// may have expired nevertheless.
func (db *DB) Retain(ctx context.Context, force bool) error { return noSpace(db.e.Retain(ctx, force)) }

// Horizon returns the least time, in Unix nanoseconds, that retention still keeps of
// series with this name, [MinTime] if it keeps all. Older points are not in answers, and
// Write refuses them with [ErrTooOld].
func (db *DB) Horizon(name string) int64 { return db.e.Horizon(name) }
