package aggregate

import (
	"math"
	"slices"
	"testing"
)

var (
	nan    = math.NaN()
	stale  = math.Float64frombits(staleMarker)
	inf    = math.Inf(1)
	minus0 = math.Copysign(0, -1)
)

// at returns points a second apart, from second 0 on.
func at(values ...float64) []point {
	var out []point
	for i, v := range values {
		out = append(out, point{int64(i) * 1e9, v})
	}
	return out
}

// same is equality of all bits.
func same(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })
}

// One window over all points: what each function makes of them. In columns, in columns of
// one point, and in a group with a series that has none.
func TestDefinitions(t *testing.T) {
	for name, c := range map[string]struct {
		points []point
		want   map[Function]float64
	}{
		"plain": {at(4, 1, 3, 2), map[Function]float64{
			Count: 4, Sum: 10, Avg: 2.5, Min: 1, Max: 4, First: 4, Last: 2, Stddev: math.Sqrt(1.25), Increase: 5, Rate: 5. / 3,
		}},
		"one point": {at(7), map[Function]float64{
			Count: 1, Sum: 7, Avg: 7, Min: 7, Max: 7, First: 7, Last: 7, Stddev: 0, Increase: nan, Rate: nan,
		}},
		"counter":              {at(10, 15, 15, 20), map[Function]float64{Increase: 10, Rate: 10. / 3}},
		"a reset":              {at(10, 15, 2, 4), map[Function]float64{Increase: 9, Rate: 3}},
		"a reset to 0":         {at(10, 0), map[Function]float64{Increase: 0, Rate: 0}},
		"two resets":           {at(5, 3, 4, 1, 2), map[Function]float64{Increase: 6, Rate: 1.5}},
		"stale":                {at(stale, 1, stale, 3, stale), map[Function]float64{Count: 2, Sum: 4, Min: 1, Max: 3, First: 1, Last: 3, Stddev: 1, Increase: 2, Rate: 1}},
		"other NaN":            {at(1, nan, 3), map[Function]float64{Count: 3, Sum: nan, Avg: nan, Min: 1, Max: 3, First: 1, Last: 3, Stddev: nan, Increase: 2, Rate: 1}},
		"NaN first":            {at(nan, 1, 3), map[Function]float64{Count: 3, Min: 1, Max: 3, First: nan, Last: 3, Increase: 2, Rate: 2}},
		"NaN last":             {at(1, 3, nan), map[Function]float64{Count: 3, Min: 1, Max: 3, First: 1, Last: nan, Increase: 2, Rate: 2}},
		"a reset over NaN":     {at(5, nan, 1), map[Function]float64{Increase: 1, Rate: 0.5}},
		"NaN alone":            {at(nan, nan), map[Function]float64{Count: 2, Sum: nan, Avg: nan, Min: nan, Max: nan, First: nan, Last: nan, Stddev: nan, Increase: nan, Rate: nan}},
		"payload":              {at(math.Float64frombits(0xfff8000000000abc)), map[Function]float64{First: math.Float64frombits(0xfff8000000000abc), Last: math.Float64frombits(0xfff8000000000abc), Min: nan, Max: nan, Sum: nan}},
		"infinity":             {at(1, inf, 2), map[Function]float64{Count: 3, Sum: inf, Avg: inf, Min: 1, Max: inf, Stddev: nan, Increase: inf}},
		"both infinities":      {at(-inf, inf), map[Function]float64{Sum: nan, Avg: nan, Min: -inf, Max: inf, Stddev: nan, Increase: inf}},
		"from infinity":        {at(inf, 1), map[Function]float64{Increase: nan, Rate: nan}},
		"zeros":                {at(minus0, 0, minus0), map[Function]float64{Min: minus0, Max: minus0, First: minus0, Last: minus0, Sum: 0, Stddev: 0}},
		"zeros behind":         {at(-1, 0, minus0, -1), map[Function]float64{Min: -1, Max: 0}},
		"many zeros":           {at(1, 1, 1, 1, 1, 1, minus0, 0, 0, 0), map[Function]float64{Min: minus0}},
		"overflow":             {at(math.MaxFloat64, math.MaxFloat64), map[Function]float64{Sum: inf, Avg: math.MaxFloat64, Stddev: 0, Increase: 0}},
		"only on the way":      {at(math.MaxFloat64, math.MaxFloat64, -math.MaxFloat64), map[Function]float64{Sum: math.MaxFloat64, Max: math.MaxFloat64}},
		"far apart":            {at(math.MaxFloat64, -math.MaxFloat64), map[Function]float64{Sum: 0, Avg: 0, Stddev: math.MaxFloat64}},
		"denormal":             {at(1e-310, 3e-310), map[Function]float64{Sum: 4e-310, Avg: 2e-310, Stddev: 1e-310}},
		"cancelled":            {at(1, 1e100, 1, -1e100), map[Function]float64{Sum: 2, Avg: 0.5}},
		"large mean":           {at(1e9+4, 1e9+7, 1e9+13, 1e9+16), map[Function]float64{Stddev: math.Sqrt(22.5)}},
		"one ulp":              {at(1, 1+0x1p-52), map[Function]float64{Stddev: 0x1p-53}},
		"negative counter":     {at(-5, -3), map[Function]float64{Increase: 2, Rate: 2}},
		"as far as times go":   {[]point{{-1 << 62, 1}, {1 << 62, 0x1p63 + 1}}, map[Function]float64{Count: 2, Increase: 0x1p63, Rate: 0x1p63 / float64(0x1p63/1e9)}},
		"counter about to end": {at(1e300, 1), map[Function]float64{Increase: 1, Rate: 1}},
	} {
		w := Windows{Start: -1 << 62, End: 1 << 62}
		ts, values := columns(c.points)
		for f, want := range c.want {
			functions := []Function{f, Count}
			var s, single, none Series
			s.Reset(&w, functions)
			s.AddColumns(ts, values)
			single.Reset(&w, functions)
			for i := range ts {
				single.AddColumns(ts[i:i+1], values[i:i+1])
			}
			none.Reset(&w, functions)
			var g Group
			g.Reset(&w, functions)
			g.Add(&none)
			g.Add(&s)
			g.Add(&none)
			for from, r := range map[string]results{"series": &s, "single points": &single, "group": &g} {
				got := r.AppendValues([]float64{42}, f)
				if len(got) != 2 || got[0] != 42 {
					t.Errorf("%s, %v, %s: %v", name, f, from, got)
				} else if !same(got[1:], []float64{want}) {
					t.Errorf("%s, %v, %s: %v, want %v", name, f, from, got[1], want)
				}
			}
		}
	}
}

// Which windows have a row, and which times.
func TestRowsOfWindows(t *testing.T) {
	points := []point{{0, 1}, {9, 2}, {10, 3}, {11, stale}, {30, 4}, {31, nan}, {50, stale}, {60, 5}}
	for name, c := range map[string]struct {
		w         Windows
		functions []Function
		times     []int64
		values    [][]float64
	}{
		"fixed": {Windows{Start: 0, End: 100, Step: 10}, []Function{Count, Last},
			[]int64{0, 10, 30, 60}, [][]float64{{2, 1, 2, 1}, {2, 3, nan, 5}}},
		"end cuts": {Windows{Start: 5, End: 30, Step: 10}, []Function{Count},
			[]int64{5, 25}, [][]float64{{2, 1}}},
		"start cuts": {Windows{Start: 10, End: 60, Step: 50}, []Function{Count},
			[]int64{10, 60}, [][]float64{{3, 1}}},
		"one": {Windows{Start: 9, End: 30}, []Function{Count, Sum},
			[]int64{9}, [][]float64{{3}, {9}}},
		"sliding": {Windows{Start: 0, End: 70, Step: 10, Range: 10}, []Function{Count, First},
			[]int64{0, 10, 30, 40, 60}, [][]float64{{1, 2, 1, 1, 1}, {1, 2, 4, nan, 5}}},
		"overlapping": {Windows{Start: 5, End: 65, Step: 10, Range: 30}, []Function{Count, Sum},
			[]int64{5, 15, 25, 35, 45, 55, 65}, [][]float64{{1, 3, 3, 4, 2, 2, 1}, {1, 6, 6, nan, nan, nan, 5}}},
		"with gaps": {Windows{Start: 10, End: 70, Step: 20, Range: 5}, []Function{Count},
			[]int64{10, 30}, [][]float64{{2, 1}}},
		"one sliding": {Windows{Start: 30, End: 30, Range: 21}, []Function{Count},
			[]int64{30}, [][]float64{{2}}},
		"increase alone": {Windows{Start: 0, End: 100, Step: 10}, []Function{Increase, Rate},
			[]int64{0}, [][]float64{{1}, {1 / float64(9e-9)}}},
		"increase and count": {Windows{Start: 0, End: 100, Step: 10}, []Function{Increase, Count},
			[]int64{0, 10, 30, 60}, [][]float64{{1, nan, nan, nan}, {2, 1, 2, 1}}},
		"stale alone": {Windows{Start: 45, End: 55}, []Function{Count}, nil, [][]float64{nil}},
		"no windows":  {Windows{Start: 1, End: 0, Step: 1}, []Function{Count}, nil, [][]float64{nil}},
	} {
		if err := c.w.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var s Series
		s.Reset(&c.w, c.functions)
		s.AddColumns(columns(points))
		if got := s.AppendTimes(nil); !slices.Equal(got, c.times) {
			t.Errorf("%s: rows at %v, want %v", name, got, c.times)
			continue
		}
		for i, f := range c.functions {
			if got := s.AppendValues(nil, f); !same(got, c.values[i]) {
				t.Errorf("%s: %v is %v, want %v", name, f, got, c.values[i])
			}
		}
	}
}

func TestGroups(t *testing.T) {
	for name, c := range map[string]struct {
		series [][]point
		f      Function
		want   float64
	}{
		"first, by time":       {[][]point{{{5, 1}, {9, 2}}, {{4, 3}, {8, 4}}}, First, 3},
		"last, by time":        {[][]point{{{5, 1}, {9, 2}}, {{4, 3}, {8, 4}}}, Last, 2},
		"first of equal times": {[][]point{{{5, 1}, {9, 2}}, {{5, 3}, {9, 4}}}, First, 1},
		"last of equal times":  {[][]point{{{5, 1}, {9, 2}}, {{5, 3}, {9, 4}}}, Last, 4},
		"increases":            {[][]point{{{0, 1}, {1e9, 5}}, {{0, 9}, {1e9, 2}}, {{0, 1000}}}, Increase, 6},
		"rates":                {[][]point{{{0, 1}, {1e9, 5}}, {{0, 9}, {4e9, 11}}, {{0, 1000}}}, Rate, 4.5},
		"no increases":         {[][]point{{{0, 1}}, {{0, 1000}}}, Increase, nan},
		"deviation of all":     {[][]point{{{0, 1}}, {{0, 3}, {1, 5}}, {{0, 7}}}, Stddev, math.Sqrt(5)},
		"mean of all":          {[][]point{{{0, 1}}, {{0, 4}, {1, 4}}}, Avg, 3},
		"first least":          {[][]point{{{5, minus0}}, {{0, 0}}}, Min, minus0},
		"first greatest":       {[][]point{{{5, 0}}, {{0, minus0}}}, Max, 0},
		"NaN and numbers":      {[][]point{{{5, nan}}, {{0, 2}}, {{9, nan}}}, Min, 2},
	} {
		w := Windows{End: 1e10}
		functions := []Function{c.f, Count}
		var g Group
		var s Series
		for range 2 { // the second time in used memory
			g.Reset(&w, functions)
			for _, points := range c.series {
				s.Reset(&w, functions)
				s.AddColumns(columns(points))
				g.Add(&s)
			}
			if got := g.AppendValues(nil, c.f); !same(got, []float64{c.want}) {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
	}
}

func TestFits(t *testing.T) {
	fixed := Windows{Start: 0, End: 95, Step: 10}
	sliding := Windows{Start: 0, End: 100, Step: 10, Range: 25} // edges at 0, 5, 10, 15, ...
	gaps := Windows{Start: 0, End: 100, Step: 10, Range: 5}     // (-5, 0], (5, 10], ...
	for name, c := range map[string]struct {
		w           Windows
		f           Function
		first, last int64
		want        bool
	}{
		"a window":        {fixed, Sum, 10, 19, true},
		"one more":        {fixed, Sum, 10, 20, false},
		"one less":        {fixed, Sum, 9, 19, false},
		"before":          {fixed, Sum, -100, -1, true},
		"into the first":  {fixed, Sum, -100, 0, false},
		"the last":        {fixed, Sum, 90, 95, true},
		"beyond the end":  {fixed, Sum, 90, 96, false},
		"behind":          {fixed, Sum, 96, 1000, true},
		"no deviations":   {fixed, Stddev, 10, 19, false},
		"increases":       {fixed, Rate, 10, 19, true},
		"a pane":          {sliding, Sum, 11, 15, true},
		"a pane and more": {sliding, Sum, 11, 16, false},
		"in the gap":      {gaps, Sum, 11, 15, true},
		"over the gap":    {gaps, Sum, 9, 16, false},
	} {
		var s Series
		s.Reset(&c.w, []Function{Count, c.f})
		if got := s.Fits(c.first, c.last); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		// Where the pane is known the answer is the same.
		s.AddColumns([]int64{c.first}, []float64{1})
		if got := s.Fits(c.first, c.last); got != c.want {
			t.Errorf("%s, in the pane: %v", name, got)
		}
	}
}

// A summary says what its points do, and one without points says nothing.
func TestSummaries(t *testing.T) {
	w := Windows{End: 100, Step: 50}
	functions := []Function{Count, Sum, Avg, Min, Max, First, Last, Increase, Rate}
	var s Series
	s.Reset(&w, functions)
	s.AddColumns([]int64{1}, []float64{9})
	m, _ := summarized([]point{{2, 4}, {3, 8}, {4, 1}})
	s.AddSummary(&m)
	s.AddSummary(&Summary{})
	s.AddColumns([]int64{5, 60}, []float64{3, 7})
	points := []point{{1, 9}, {2, 4}, {3, 8}, {4, 1}, {5, 3}, {60, 7}}
	checkResults(t, "with a summary", &s, w, functions, [][]point{points}, 0)
}

// Functions that were not asked for, or do not exist, have no values; rows stay.
func TestOtherFunctions(t *testing.T) {
	w := Windows{End: 10}
	var s Series
	s.Reset(&w, []Function{Sum, 77})
	s.AddColumns([]int64{1}, []float64{9})
	for f, want := range map[Function]float64{Sum: 9, Max: nan, Avg: nan, 77: nan} {
		if got := s.AppendValues(nil, f); !same(got, []float64{want}) {
			t.Errorf("%v: %v, want %v", f, got, want)
		}
	}
}

func TestFunctionNames(t *testing.T) {
	for f := range functionCount {
		got, err := ParseFunction(f.String())
		if got != f || err != nil || !f.Valid() {
			t.Errorf("%v: %v, %v", f, got, err)
		}
	}
	for _, name := range []string{"", "Sum", "median", "Function(10)"} {
		if _, err := ParseFunction(name); err == nil {
			t.Errorf("%q is a function", name)
		}
	}
	if s := Function(10).String(); s != "Function(10)" || Function(10).Valid() {
		t.Error(s)
	}
}
