package codec

import "slices"

// samples are numbers from evenly spaced places, sorted: what is true of them is likely
// to be true of all.
type samples struct {
	numbers [33]int64
	n       int
}

func sampled(numbers []int64) (s samples) {
	s.n = min(len(numbers), len(s.numbers))
	for i := range s.numbers[:s.n] {
		s.numbers[i] = numbers[i*len(numbers)/s.n]
	}
	slices.Sort(s.numbers[:s.n])
	return s
}

// sampledMedian returns a number with about as many of the others below as above.
func sampledMedian(numbers []int64) int64 {
	s := sampled(numbers)
	return s.numbers[s.n/2]
}

// sampledMode returns the number that is likely the most frequent one. For runs that is
// what counts: where a counter idles less than half of the time, the median is another.
func sampledMode(numbers []int64) int64 {
	s := sampled(numbers)
	mode, most, count := s.numbers[0], 0, 0
	for i, v := range s.numbers[:s.n] {
		if i > 0 && v != s.numbers[i-1] {
			count = 0
		}
		if count++; count > most {
			mode, most = v, count
		}
	}
	return mode
}
