package sydradb

import (
	"github.com/sydradb/sydradb/internal/engine"
	"github.com/sydradb/sydradb/internal/tags"
)

// Series is a handle of one series: resolve it once, then use it for any number of
// points. It stays valid until the DB is closed, may be shared between goroutines,
// and never changes. It is small: name and tags are looked up when they are asked for.
type Series engine.Series

// Series returns the handle of the series with this name and these tags. Tags may
// come in any order; those with an empty value are dropped. The slice is not kept.
//
// The series comes into being with the first point written to it; until then no
// query finds it. The error matches [ErrInvalidSeries], [ErrSeriesLimit], [ErrClosed], or,
// for a series that is not known to a database open for reading only, [ErrReadOnly].
func (db *DB) Series(name string, tags ...Tag) (*Series, error) {
	s, err := db.e.Resolve(name, tags)
	if err != nil {
		return nil, err
	}
	return (*Series)(s), nil
}

// SeriesByID returns the handle of the series with this id. If no such series is
// known, the handle is that of a series with these tags and without a name, as
// databases of version 0 hold them; it takes the name of the first series that hashes
// to its id and has these tags.
func (db *DB) SeriesByID(id SeriesID, tags ...Tag) (*Series, error) {
	s, err := db.e.ResolveID(id, tags)
	if err != nil {
		return nil, err
	}
	return (*Series)(s), nil
}

// ID returns the number under which the series is stored.
func (s *Series) ID() SeriesID { return (*engine.Series)(s).ID() }

// Alive reports whether s stands for a series that the database knows. One whose last point has
// expired or was deleted leaves memory, index and catalog some time later, and its handles are
// not alive any more. They stay valid: s is alive again when something was written through it.
// Who keeps handles in a map of their own, in a process that runs for long, can let go of those
// that are not alive.
func (s *Series) Alive() bool { return (*engine.Series)(s).Alive() }

// Name returns the name, or "series:" and the id in hexadecimal where only the id is
// known.
func (s *Series) Name() string { return (*engine.Series)(s).Name() }

// Tags returns the tags, sorted by key, in a new slice.
func (s *Series) Tags() []Tag { return (*engine.Series)(s).Tags() }

// String returns the series as [ParseSelector] reads it: name{key="value",...}.
func (s *Series) String() string { return tags.FormatSelector(s.Name(), s.Tags()) }
