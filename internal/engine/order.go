package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/dict"
)

// seriesOrder sorts series by name and tags, then by id for those that have neither. It
// compares lists of pair numbers, which are the same as far as the tags are, and looks at
// texts only where they begin to differ; or not even there, once the pairs are ranked.
type seriesOrder struct {
	dict   *dict.Dict
	series []orderedSeries
	pairs  []uint32 // of the tags of all series, or their ranks
	ranked bool
}

type orderedSeries struct {
	name       string
	from, upTo uint32 // of its part of pairs
	place      uint32 // given by the caller
	id         base.SeriesID
}

// add takes in a series of reg, and returns false if it is dead.
func (s *seriesOrder) add(reg *register, o base.Ordinal, id base.SeriesID) bool {
	from := uint32(len(s.pairs))
	name, pairs, alive := reg.catalog.AppendTags(s.pairs, o)
	if !alive {
		return false
	}
	if name == "" {
		name = namelessName(id)
	}
	s.pairs = pairs
	s.series = append(s.series, orderedSeries{name, from, uint32(len(pairs)), uint32(len(s.series)), id})
	return true
}

// namelessName is what is shown as the name of a series that is known by its id only.
func namelessName(id base.SeriesID) string { return fmt.Sprintf("%s%x", namelessPrefix, uint64(id)) }

// sort puts series into their order. Ranking takes a table of all pairs that there are: it
// pays where the series have more.
func (s *seriesOrder) sort() {
	if len(s.pairs) > int(s.dict.Len()) {
		s.rank()
	}
	slices.SortFunc(s.series, func(a, b orderedSeries) int {
		return cmp.Or(
			strings.Compare(a.name, b.name),
			s.compareTags(s.pairs[a.from:a.upTo], s.pairs[b.from:b.upTo]),
			cmp.Compare(a.id, b.id),
		)
	})
}

// compareTags orders like the texts of the tags.
func (s *seriesOrder) compareTags(a, b []uint32) int {
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == b[i]:
			continue
		case s.ranked:
			return cmp.Compare(a[i], b[i])
		}
		return s.comparePairs(a[i], b[i])
	}
	return cmp.Compare(len(a), len(b))
}

func (s *seriesOrder) comparePairs(a, b uint32) int {
	keyA, valueA := s.dict.Pair(a)
	keyB, valueB := s.dict.Pair(b)
	return cmp.Or(strings.Compare(keyA, keyB), strings.Compare(valueA, valueB))
}

// rank replaces the numbers of pairs by their places in the order of key and value.
func (s *seriesOrder) rank() {
	ranks := make([]uint32, s.dict.Len())
	var distinct []uint32
	for _, pair := range s.pairs {
		if ranks[pair] == 0 {
			ranks[pair] = 1
			distinct = append(distinct, pair)
		}
	}
	slices.SortFunc(distinct, s.comparePairs)
	for i, pair := range distinct {
		ranks[pair] = uint32(i)
	}
	for i, pair := range s.pairs {
		s.pairs[i] = ranks[pair]
	}
	s.ranked = true
}
