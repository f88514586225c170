package compact

import (
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/manifest"
)

// place is where a point is, to the model: times are minutes.
type place struct {
	series int
	minute int
}

// store is a naive database: the points of each live file.
type store struct {
	live  []manifest.Entry
	data  map[string]map[place]int // path -> point -> value
	seq   base.LSN                 // of the newest flush
	value int                      // written last
	files int                      // made so far
	held  map[string]bool          // inputs of jobs under way
}

func newStore() *store {
	return &store{data: map[string]map[place]int{}, held: map[string]bool{}}
}

// add makes a file of points, not empty, live.
func (s *store) add(bucket, width int64, seq base.LSN, wall int64, points map[place]int) {
	s.files++
	e := manifest.Entry{
		HourBucket: bucket, Seq: seq, Wall: wall, Bytes: int64(len(points)), Count: len(points),
		Path: fmt.Sprintf("%d-%d-%d-%d", bucket/base.Hour, width/base.Hour, seq, s.files),
	}
	if width == base.Day {
		e.Width, e.Segments = width, 1
	}
	first := true
	for p := range points {
		ts := int64(p.minute) * base.Hour / 60
		if first || ts < e.StartTS {
			e.StartTS = ts
		}
		if first || ts > e.EndTS {
			e.EndTS = ts
		}
		first = false
	}
	s.live = append(s.live, e)
	s.data[e.Path] = points
}

// flush writes the same points as a flush does: one run in each hour that has any, of
// one file or one for each series.
func (s *store) flush(t *rapid.T, hours []int, wall int64) {
	s.seq += base.LSN(rapid.IntRange(1, 3).Draw(t, "records"))
	single := rapid.Bool().Draw(t, "one file")
	for _, hour := range rapid.SliceOfNDistinct(rapid.SampledFrom(hours), 1, 3, rapid.ID[int]).Draw(t, "hours") {
		files := map[int]map[place]int{}
		for range rapid.IntRange(1, 8).Draw(t, "points") {
			p := place{rapid.IntRange(0, 2).Draw(t, "series"), 60*hour + rapid.IntRange(0, 4).Draw(t, "minute")}
			file := p.series
			if single {
				file = 0
			}
			if files[file] == nil {
				files[file] = map[place]int{}
			}
			s.value++
			files[file][p] = s.value
		}
		for _, file := range slices.Sorted(maps.Keys(files)) {
			s.add(int64(hour)*base.Hour, base.Hour, s.seq, wall, files[file])
		}
	}
}

// merged returns the points of files: of equal ones that of the highest seq. Files of
// one seq must be disjoint.
func (s *store) merged(t *rapid.T, files []manifest.Entry) map[place]int {
	out, from := map[place]int{}, map[place]base.LSN{}
	for i := range files {
		e := &files[i]
		for p, v := range s.data[e.Path] {
			seq, found := from[p]
			if found && seq == e.Seq {
				t.Fatalf("%v twice in files of seq %d", p, seq)
			}
			if !found || seq < e.Seq {
				out[p], from[p] = v, e.Seq
			}
		}
	}
	return out
}

// apply publishes what the job makes of its inputs. Output of a few series is a file
// for each, as with segment files.
func (s *store) apply(t *rapid.T, j Job, rewritten base.LSN) {
	if !Allowed(j.Inputs, s.live) {
		t.Fatalf("not allowed: %s\nlive: %v", show([]Job{j}), s.live)
	}
	points := s.merged(t, j.Inputs)
	inputs := map[string]bool{}
	for i := range j.Inputs {
		inputs[j.Inputs[i].Path] = true
	}
	before := len(s.live)
	s.live = slices.DeleteFunc(slices.Clone(s.live), func(e manifest.Entry) bool { return inputs[e.Path] })
	if len(s.live) != before-len(inputs) {
		t.Fatalf("inputs that are not live: %s", show([]Job{j}))
	}
	bySeries := map[int]map[place]int{}
	for p, v := range points {
		if bySeries[p.series] == nil {
			bySeries[p.series] = map[place]int{}
		}
		bySeries[p.series][p] = v
	}
	for _, series := range slices.Sorted(maps.Keys(bySeries)) {
		s.add(j.Bucket, j.Width, j.Seq, j.Wall, bySeries[series])
		s.live[len(s.live)-1].Applied = max(j.Applied, rewritten)
	}
}

// policy draws one that claims what is held and rewrites a file in two, once.
func (s *store) policy(t *rapid.T, rewritten base.LSN) Policy {
	return Policy{
		MaxSegmentFiles: rapid.SampledFrom([]int{-1, 0, 64}).Draw(t, "max_segment_files"),
		NowMS:           nowMS,
		All:             rapid.Bool().Draw(t, "all"),
		Rewrite:         func(e *manifest.Entry) bool { return e.Count%2 == 0 && e.Applied < rewritten },
		Claimed:         func(path string) bool { return s.held[path] },
	}
}

// plan checks what must hold of any plan.
func (s *store) plan(t *rapid.T, p Policy) []Job {
	jobs := Plan(slices.Clone(s.live), p)
	taken := map[string]bool{}
	for _, j := range jobs {
		if len(j.Inputs) == 0 {
			t.Fatalf("a job without inputs: %+v", j)
		}
		var seq base.LSN
		var wall int64
		for i := range j.Inputs {
			e := &j.Inputs[i]
			seq, wall = max(seq, e.Seq), max(wall, e.Wall)
			if taken[e.Path] || s.held[e.Path] {
				t.Fatalf("%s is taken: %s", e.Path, show(jobs))
			}
			taken[e.Path] = true
			if e.StartTS < j.Bucket || e.EndTS >= j.Bucket+j.Width {
				t.Fatalf("%s does not fit: %s", e.Path, show(jobs))
			}
		}
		if j.Seq != seq || j.Wall != wall || j.Applied < seq {
			t.Fatalf("seq %d, wall %d, applied %d: %s", j.Seq, j.Wall, j.Applied, show([]Job{j}))
		}
		if !Allowed(j.Inputs, s.live) {
			t.Fatalf("not allowed: %s", show([]Job{j}))
		}
		if j.Kind == KindRewrite {
			continue
		}
		// Whole runs, and more than one of them, or an hour that goes into its day.
		runs := map[[3]int64]bool{}
		for i := range j.Inputs {
			runs[runOf(&j.Inputs[i])] = true
		}
		for i := range s.live {
			if e := &s.live[i]; runs[runOf(e)] && !taken[e.Path] {
				t.Fatalf("%s splits a run: %s", e.Path, show([]Job{j}))
			}
		}
		if len(runs) < 2 && (j.Width == base.Hour || j.Inputs[0].Width == base.Day) {
			t.Fatalf("nothing to merge: %s", show([]Job{j}))
		}
	}
	return jobs
}

func runOf(e *manifest.Entry) [3]int64 {
	return [3]int64{e.HourBucket, e.BucketWidth(), int64(e.Seq)}
}

// hours of two days that flushes of the tests write to.
var someHours = []int{-1, 0, 1, 2, 23, 24}

// fill makes a random set of files.
func (s *store) fill(t *rapid.T) {
	walls := rapid.SampledFrom([]int64{nowMS, nowMS - 45*60_000, nowMS - 2*quietDayMS, nowMS + quietDayMS})
	hours := someHours[:rapid.IntRange(3, len(someHours)).Draw(t, "hours")]
	for range rapid.IntRange(1, 20).Draw(t, "flushes") {
		s.flush(t, hours, walls.Draw(t, "wall"))
	}
	// A pack of a day whose seq lies anywhere, as no merge of ours leaves it behind.
	if rapid.Bool().Draw(t, "pack") {
		seq := base.LSN(rapid.IntRange(0, int(s.seq)).Draw(t, "seq of the pack"))
		if !slices.ContainsFunc(s.live, func(e manifest.Entry) bool { return e.Seq == seq }) {
			points := map[place]int{}
			for range rapid.IntRange(1, 8).Draw(t, "points") {
				s.value++
				points[place{rapid.IntRange(0, 2).Draw(t, "series"), rapid.IntRange(0, 130).Draw(t, "minute")}] = s.value
			}
			s.add(0, base.Day, seq, nowMS-2*quietDayMS, points)
		}
	}
}

// Jobs of one plan may be published in any order, and beside flushes: no answer changes.
func TestJobsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStore()
		s.fill(t)
		for i := range s.live {
			s.held[s.live[i].Path] = rapid.IntRange(0, 9).Draw(t, "held") == 0
		}
		jobs := s.plan(t, s.policy(t, s.seq+1))
		shuffle := rand.New(rand.NewSource(rapid.Int64().Draw(t, "order")))
		shuffle.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
		for _, j := range jobs {
			if rapid.Bool().Draw(t, "flush") {
				s.flush(t, someHours, nowMS)
			}
			want := s.merged(t, s.live)
			s.apply(t, j, s.seq+1)
			if got := s.merged(t, s.live); !maps.Equal(got, want) {
				t.Fatalf("%s\ngot  %v\nwant %v", show([]Job{j}), got, want)
			}
		}
	})
}

// Jobs that are under way at the same time, each planned while others hold theirs.
func TestJobsUnderWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStore()
		var begun []Job
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				s.flush(t, someHours[1:4], nowMS)
			case 2:
				if jobs := s.plan(t, s.policy(t, s.seq+1)); len(jobs) > 0 {
					j := jobs[rapid.IntRange(0, len(jobs)-1).Draw(t, "job")]
					for i := range j.Inputs {
						s.held[j.Inputs[i].Path] = true
					}
					begun = append(begun, j)
				}
			case 3:
				if len(begun) == 0 {
					continue
				}
				i := rapid.IntRange(0, len(begun)-1).Draw(t, "done")
				want := s.merged(t, s.live)
				s.apply(t, begun[i], begun[i].Seq)
				if got := s.merged(t, s.live); !maps.Equal(got, want) {
					t.Fatalf("%s\ngot  %v\nwant %v", show(begun[i:i+1]), got, want)
				}
				begun = slices.Delete(begun, i, i+1)
			}
		}
	})
}

// Planning and doing ends, and leaves what the policy asks for.
func TestPlanEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStore()
		s.fill(t)
		rewritten := s.seq + 1
		p := s.policy(t, rewritten)
		want := s.merged(t, s.live)
		for round := 0; ; round++ {
			jobs := s.plan(t, p)
			if len(jobs) == 0 {
				break
			}
			if round > 50 {
				t.Fatalf("no end: %s", show(jobs))
			}
			for _, j := range jobs {
				s.apply(t, j, rewritten)
			}
		}
		if got := s.merged(t, s.live); !maps.Equal(got, want) {
			t.Fatalf("got  %v\nwant %v", got, want)
		}
		if !p.All {
			return
		}
		runs := map[[2]int64]base.LSN{} // bucket, width
		for i := range s.live {
			e := &s.live[i]
			if p.Rewrite(e) {
				t.Fatalf("%s was not written again", e.Path)
			}
			if p.MaxSegmentFiles >= 0 && e.Width != base.Day {
				t.Fatalf("%s is not in the pack of its day", e.Path)
			}
			at := [2]int64{e.HourBucket, e.Width}
			seq, found := runs[at]
			if found && seq != e.Seq && !s.between(seq, e.Seq) {
				t.Fatalf("bucket %v has runs %d and %d", at, seq, e.Seq)
			}
			runs[at] = e.Seq
		}
	})
}

// between reports whether the pack of the one day that has one keeps runs with these
// seqs apart.
func (s *store) between(a, b base.LSN) bool {
	return slices.ContainsFunc(s.live, func(e manifest.Entry) bool {
		return e.Width == base.Day && min(a, b) < e.Seq && e.Seq <= max(a, b)
	})
}

// Crowding is what counting at each minute finds.
func TestCrowdingModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStore()
		s.fill(t)
		spans := map[[3]int64][2]int64{}
		for i := range s.live {
			e := &s.live[i]
			span, found := spans[runOf(e)]
			if !found {
				span = [2]int64{e.StartTS, e.EndTS}
			}
			spans[runOf(e)] = [2]int64{min(span[0], e.StartTS), max(span[1], e.EndTS)}
		}
		want := 0
		for _, at := range spans {
			n := 0
			for _, span := range spans {
				if span[0] <= at[0] && at[0] <= span[1] {
					n++
				}
			}
			want = max(want, n)
		}
		if got := Crowding(s.live); got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
	})
}
