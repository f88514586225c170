package engine

import (
	"cmp"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/manifest"
)

// moment is when the newest data of a file was flushed, by the clock and in write order.
// One flush has one moment, and a merge takes over the latest of its inputs: so of two
// different ones the one with the higher wall has the higher seq.
type moment struct {
	wall int64
	seq  base.LSN
}

func momentOf(e *manifest.Entry) moment { return moment{e.Wall, e.Seq} }

// before reports whether a may stand before b.
func (a moment) before(b moment) bool { return a.wall < b.wall && a.seq < b.seq }

// inOrder returns those of the moments that damaged lines tell which go with all that
// sound lines tell, and which every longest sequence in right order needs: if one of two
// must be wrong, and nothing says which one, neither is in order.
func inOrder(told, sound []moment) map[moment]bool {
	sound, told = distinct(sound), distinct(told)
	told = slices.DeleteFunc(told, func(m moment) bool {
		i, found := slices.BinarySearchFunc(sound, m, compareMoments)
		return !found && (i > 0 && !sound[i-1].before(m) || i < len(sound) && !m.before(sound[i]))
	})
	// How many of them can stand up to each, and from each on.
	upTo := chains(told, func(m moment) int64 { return int64(m.seq) })
	slices.Reverse(told)
	from := chains(told, func(m moment) int64 { return -int64(m.seq) })
	slices.Reverse(told)
	slices.Reverse(from)
	longest := 0
	for _, n := range upTo {
		longest = max(longest, n)
	}
	places := make([]int, longest+1) // how many may have each place in a longest sequence
	for i := range told {
		if upTo[i]+from[i]-1 == longest {
			places[upTo[i]]++
		}
	}
	ordered := make(map[moment]bool)
	for i, m := range told {
		ordered[m] = upTo[i]+from[i]-1 == longest && places[upTo[i]] == 1
	}
	return ordered
}

func compareMoments(a, b moment) int {
	return cmp.Or(cmp.Compare(a.wall, b.wall), cmp.Compare(a.seq, b.seq))
}

func distinct(moments []moment) []moment {
	slices.SortFunc(moments, compareMoments)
	return slices.Compact(moments)
}

// chains returns how long a sequence with rising keys can be that ends with each of the
// moments. Of those with the same wall, which stand side by side, a sequence has one.
func chains(moments []moment, key func(moment) int64) []int {
	lengths := make([]int, len(moments))
	var ends []int64 // the least key that a sequence of each length can end with
	for from := 0; from < len(moments); {
		to := from
		for ; to < len(moments) && moments[to].wall == moments[from].wall; to++ {
			n, _ := slices.BinarySearch(ends, key(moments[to]))
			lengths[to] = n + 1
		}
		for i := from; i < to; i++ {
			switch n, k := lengths[i], key(moments[i]); {
			case n > len(ends):
				ends = append(ends, k)
			default:
				ends[n-1] = min(ends[n-1], k)
			}
		}
		from = to
	}
	return lengths
}

// order finds out which places in write order contradict each other.
func (j *lineJudge) order(parts []manifest.Part) {
	var told, sound []moment
	for i := range j.sound.Live {
		sound = append(sound, momentOf(&j.sound.Live[i]))
	}
	j.deletes = append(j.deletes, j.sound.Deletes...)
	for i := range parts {
		for k := range parts[i].Add {
			told = append(told, momentOf(&parts[i].Add[k]))
		}
		j.deletes = append(j.deletes, parts[i].AddDeletes...)
	}
	j.ordered = inOrder(told, sound)
}

// precedes reports whether an entry agrees with the deletions: one that came to a file in
// a later edit is of a later record.
func (j *lineJudge) precedes(e *manifest.Entry) bool {
	return !slices.ContainsFunc(j.deletes, func(d manifest.DeleteFile) bool {
		return e.Edit < d.Edit && e.Seq >= d.LSN
	})
}
