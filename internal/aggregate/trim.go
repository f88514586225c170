package aggregate

// Trim returns w without the windows that lie wholly before first or wholly after last, if
// no point does. So Start and End may be the ends of time where it is known which points
// there are. w need not be valid.
func (w Windows) Trim(first, last int64) Windows {
	if w.Start > w.End || w.Step <= 0 || w.Range < 0 {
		return w
	}
	if first > last || last < w.Start && w.Range == 0 || first > w.End {
		w.Start, w.End = 0, -1
		return w
	}
	step := uint64(w.Step)
	if first > w.Start {
		skipped := uint64(first-w.Start) / step
		if w.Range > 0 && skipped*step < uint64(first-w.Start) {
			skipped++ // that window ends before first
		}
		if skipped*step > uint64(w.End-w.Start) {
			w.Start, w.End = 0, -1
			return w
		}
		w.Start += int64(skipped * step)
	}
	// As a uint64, what End lies behind last is right even where the difference is more
	// than an int64.
	if last < w.End && uint64(w.End-last) >= uint64(max(w.Range, 1)) {
		w.End = last + max(w.Range, 1) - 1
	}
	if w.Start > w.End {
		w.Start, w.End = 0, -1
	}
	return w
}
