package upkeep

import (
	"context"

	"github.com/sydradb/sydradb"
)

// Flushed is what a flush has done.
type Flushed struct {
	Points int64 `json:"points"` // more in segment files than before
	Files  int   `json:"files"`  // new segment files
}

// Flush writes what is in memory to segment files. Its errors are those of
// [sydradb.DB.Flush].
func Flush(ctx context.Context, db *sydradb.DB) (Flushed, error) {
	before := db.Stats()
	if err := db.Flush(ctx); err != nil {
		return Flushed{}, err
	}
	after := db.Stats()
	return Flushed{
		Points: after.SegmentPoints - before.SegmentPoints,
		Files:  after.SegmentFiles - before.SegmentFiles,
	}, nil
}

// Files are the files that hold points.
type Files struct {
	Count int   `json:"count"`
	Bytes int64 `json:"bytes"`
}

func filesOf(s *sydradb.Stats) Files { return Files{s.SegmentFiles, s.SegmentBytes} }

// Compacted is what merging has done.
type Compacted struct {
	Before    Files `json:"before"`
	After     Files `json:"after"`
	Merged    bool  `json:"merged"`    // there was something to merge
	Deletions int   `json:"deletions"` // that were applied
}

// Compact writes what is in memory to segment files and merges all files as far as
// possible. Its errors are those of [sydradb.DB.Compact].
func Compact(ctx context.Context, db *sydradb.DB) (Compacted, error) {
	if err := db.Flush(ctx); err != nil {
		return Compacted{}, err
	}
	before := db.Stats()
	if err := db.Compact(ctx); err != nil {
		return Compacted{}, err
	}
	after := db.Stats()
	return Compacted{
		Before:    filesOf(&before),
		After:     filesOf(&after),
		Merged:    after.Merges != before.Merges,
		Deletions: max(before.Deletions-after.Deletions, 0),
	}, nil
}

// Top says what there is much of: a tag key or a name.
type Top struct {
	Name   string `json:"name"`
	Values int    `json:"values,omitempty"` // different values of a tag key
	Series int    `json:"series"`
}

// TopTags returns the n tag keys with the most values, the most first; 0 is for all.
func TopTags(db *sydradb.DB, n int) []Top {
	top := []Top{} // not nil: JSON shows it as []
	for _, c := range db.TagCardinality(n) {
		top = append(top, Top{Name: c.Key, Values: c.Values, Series: c.Series})
	}
	return top
}

// TopNames returns the n names with the most series, the most first; 0 is for all.
func TopNames(db *sydradb.DB, n int) []Top {
	top := []Top{}
	for _, c := range db.ValueCardinality("__name__", n) {
		top = append(top, Top{Name: c.Value, Series: c.Series})
	}
	return top
}
