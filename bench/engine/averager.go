package engine

// Averager averages points by windows for engines that only hand them out, in ascending
// order of time.
type Averager struct {
	Window
	sum   Averages
	limit int64 // end of the current window, not included
	count int64
	value float64
}

// Add takes the next point of a series, which lies within Start and End.
func (a *Averager) Add(ts int64, value float64) {
	if ts >= a.limit {
		a.Finish()
		a.limit = a.Start + ((ts-a.Start)/a.Width+1)*a.Width
	}
	a.count++
	a.value += value
}

// Finish ends a series and returns the averages of all series so far.
func (a *Averager) Finish() Averages {
	if a.count > 0 {
		a.sum.Count++
		a.sum.Total += a.value / float64(a.count)
	}
	a.limit, a.count, a.value = a.Start, 0, 0
	return a.sum
}
