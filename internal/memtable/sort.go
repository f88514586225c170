package memtable

import "slices"

// minRun is the length below which a stretch is made longer by insertion.
const minRun = 12

// sort orders l.rest by timestamp; cells with the same one keep their order. It
// is a merge sort of the stretches that are in order already: late points mostly
// come as such, from a source that was cut off and sends what it kept, and then
// this is linear. The sort of package slices is stable too, but moves cells
// log n times more often, as it works in place.
func (l *lateSorter) sort() {
	l.findRuns()
	if len(l.runs) == 1 {
		return
	}
	l.tmp = slices.Grow(l.tmp[:0], len(l.rest))[:len(l.rest)]
	for len(l.runs) > 1 {
		l.mergePairs()
		l.rest, l.tmp = l.tmp, l.rest
	}
}

// findRuns cuts rest into ascending stretches and notes their ends in runs. A
// stretch that descends is turned round, a short one is sorted with what follows.
func (l *lateSorter) findRuns() {
	l.runs = l.runs[:0]
	for start, a := 0, l.rest; start < len(a); {
		end := start + 1
		if end < len(a) && a[end].ts < a[start].ts {
			// Strictly: turning equals round would change their order.
			for end < len(a) && a[end].ts < a[end-1].ts {
				end++
			}
			slices.Reverse(a[start:end])
		}
		for end < len(a) && a[end].ts >= a[end-1].ts {
			end++
		}
		if limit := min(start+minRun, len(a)); end < limit {
			insertionSort(a[start:limit], end-start)
			end = limit
		}
		l.runs = append(l.runs, end)
		start = end
	}
}

// insertionSort orders a, of which the first sorted cells are in order.
func insertionSort(a []cell, sorted int) {
	for i := sorted; i < len(a); i++ {
		c := a[i]
		j := i
		for j > 0 && a[j-1].ts > c.ts {
			a[j] = a[j-1]
			j--
		}
		a[j] = c
	}
}

// mergePairs merges each two neighbouring runs of rest into one of tmp.
func (l *lateSorter) mergePairs() {
	start, merged := 0, l.runs[:0]
	for i := 0; i < len(l.runs); i += 2 {
		middle := l.runs[i]
		end := middle
		if i+1 < len(l.runs) {
			end = l.runs[i+1]
		}
		mergeRuns(l.tmp[start:end], l.rest[start:middle], l.rest[middle:end])
		merged = append(merged, end)
		start = end
	}
	l.runs = merged
}

// mergeRuns fills dst with the cells of a and b; of equals those of a come first.
func mergeRuns(dst, a, b []cell) {
	if len(a) > 0 && len(b) > 0 && a[len(a)-1].ts <= b[0].ts {
		copy(dst[copy(dst, a):], b)
		return
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		if b[j].ts < a[i].ts {
			dst[i+j] = b[j]
			j++
		} else {
			dst[i+j] = a[i]
			i++
		}
	}
	copy(dst[i+j:], a[i:])
	copy(dst[len(a)+j:], b[j:])
}
