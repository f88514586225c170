package codec

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// mostSlopes bounds how many slopes are tried.
const mostSlopes = 8

// lineWriter is the memory for writing lines.
type lineWriter struct {
	residuals []int64
	moves     []byte
	bytes     []byte
}

// append appends ts, which have the common factor, beside the best line that is found.
func (l *lineWriter) append(dst []byte, ts []int64, factor int64, s *streamWriter, c *coder) []byte {
	l.residuals = resized(l.residuals, len(ts))
	var some [mostSlopes]int64
	slopes := l.slopes(some[:0], ts, factor)
	best, least, count := 0, 0, 0
	for i, slope := range slopes {
		var size int
		if count, size = l.fit(ts, slope); i == 0 || size < least {
			best, least = i, size
		}
	}
	if best < len(slopes)-1 {
		count, _ = l.fit(ts, slopes[best])
	}
	dst = appendVarint(append(dst, lineByte), ts[0])
	dst = appendVarint(dst, slopes[best])
	dst = binary.AppendUvarint(dst, uint64(count))
	dst = append(dst, l.moves...)
	return s.append(dst, l.residuals, c)
}

// slopes appends those that the line may have: the median of the steps, what that is in
// round numbers, as people choose intervals, and the mean. Steps between scrapes that are
// each late by themselves vary so much that no median is exact. All are multiples of
// factor, or dividing by it would gain nothing.
func (l *lineWriter) slopes(dst []int64, ts []int64, factor int64) []int64 {
	steps := l.residuals[:len(ts)-1]
	for i := range steps {
		steps[i] = ts[i+1] - ts[i]
	}
	median := sampledMedian(steps)
	dst = append(dst, median)
	add := func(slope int64) {
		if slope > 0 && slope%factor == 0 && len(dst) < cap(dst) && !slices.Contains(dst, slope) {
			dst = append(dst, slope)
		}
	}
	if median <= 0 || median > 1<<60 {
		return dst
	}
	mean := (ts[len(ts)-1] - ts[0]) / int64(len(ts)-1)
	add(mean / factor * factor)
	unit := int64(1)
	for unit <= median/20 {
		unit *= 10
	}
	for range 3 {
		add((median + unit/2) / unit * unit)
		unit = max(1, unit/10)
	}
	return dst
}

// fit sets residuals and moves to what they are beside the line with that slope, and
// returns how many moves there are, and the size of all that, roughly.
func (l *lineWriter) fit(ts []int64, slope int64) (count, size int) {
	before := 0
	l.moves = l.moves[:0]
	at, half := ts[0], slope/2
	least, most := int64(0), int64(0)
	for i, t := range ts {
		r := t - at
		if slope > 0 && (r > half || r < -half) {
			// To the nearest multiple; what wraps around here does so in decoding.
			if r < 0 {
				half = -half
			}
			move := (r + half) / slope
			half = slope / 2
			l.moves = binary.AppendUvarint(l.moves, uint64(i-before))
			l.moves = appendVarint(l.moves, move)
			count, before = count+1, i
			at += move * slope
			r -= move * slope
		}
		least, most = min(least, r), max(most, r)
		l.residuals[i] = r
		at += slope
	}
	return count, len(l.moves) + bits.Len64(uint64(most)-uint64(least))*len(ts)/8
}
