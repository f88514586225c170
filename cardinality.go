package sydradb

// TagCardinality says how many values a tag takes, and how many series have it: where
// the number of series comes from.
type TagCardinality struct {
	Key    string `json:"key"`
	Values int    `json:"values"`
	Series int    `json:"series"`
}

// TagCardinality returns the n tags with the most values, the most first, and of equals
// that of more series. 0 is for all tags. It takes time in proportion to the number of
// different tags, not of series.
func (db *DB) TagCardinality(n int) []TagCardinality {
	found := db.e.TagCardinality(n)
	out := make([]TagCardinality, len(found))
	for i, c := range found {
		out[i] = TagCardinality(c)
	}
	return out
}

// ValueCardinality says how many series have a value of some tag.
type ValueCardinality struct {
	Value  string `json:"value"`
	Series int    `json:"series"`
}

// ValueCardinality returns the n values of a tag that the most series have, the most
// first. 0 is for all values. The key "__name__" stands for the names of series; series
// without a name are not counted then.
func (db *DB) ValueCardinality(key string, n int) []ValueCardinality {
	found := db.e.ValueCardinality(key, n)
	out := make([]ValueCardinality, len(found))
	for i, c := range found {
		out[i] = ValueCardinality(c)
	}
	return out
}
