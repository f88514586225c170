package compact

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/manifest"
)

// nowMS is the time of the tests; minutes before it is the Wall of a file that is
// written as "-minutes".
const nowMS = int64(1_000_000_000_000)

// entry returns the live file "h2 s7 b100 -40": hour 2, or "d1" for the pack of day 1,
// seq 7, 100 bytes, last written to 40 minutes ago. What is left out is 0, or 1 byte.
// Its path is the text, so two files of one run need a letter: "h2 s7 xa" and "h2 s7 xb".
func entry(text string) manifest.Entry {
	e := manifest.Entry{Path: text, Bytes: 1, Wall: nowMS, Count: 2}
	for _, field := range strings.Fields(text) {
		var n int64
		fmt.Sscanf(field[1:], "%d", &n)
		switch field[0] {
		case 'h':
			e.HourBucket = n * base.Hour
		case 'd':
			e.HourBucket, e.Width, e.Segments = n*base.Day, base.Day, 1
		case 's':
			e.Seq = base.LSN(n)
		case 'b':
			e.Bytes = n
		case 'a':
			e.Applied = base.LSN(n)
		case '-':
			e.Wall = nowMS - n*60_000
		case '+':
			e.Wall = nowMS + n*60_000
		}
	}
	e.StartTS = e.HourBucket
	e.EndTS = e.HourBucket + e.BucketWidth() - 1
	return e
}

// entries splits "h0 s1, h0 s2" into files.
func entries(text string) []manifest.Entry {
	var out []manifest.Entry
	for field := range strings.SplitSeq(text, ",") {
		if field = strings.TrimSpace(field); field != "" {
			out = append(out, entry(field))
		}
	}
	return out
}

// show writes jobs the other way round: "hour h0: h0 s1, h0 s2".
func show(jobs []Job) string {
	var lines []string
	for _, j := range jobs {
		var inputs []string
		for i := range j.Inputs {
			inputs = append(inputs, j.Inputs[i].Path)
		}
		bucket := fmt.Sprintf("h%d", j.Bucket/base.Hour)
		if j.Width == base.Day {
			bucket = fmt.Sprintf("d%d", j.Bucket/base.Day)
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s", j.Kind, bucket, strings.Join(inputs, ", ")))
	}
	return strings.Join(lines, "\n")
}

func TestPlan(t *testing.T) {
	tests := []struct {
		name   string
		live   string
		policy Policy
		want   string // jobs, one a line
	}{
		{name: "nothing"},
		{name: "one new file", live: "h0 s1"},
		{name: "one quiet file of an hour", live: "h0 s1 -100"},
		{name: "three alike are too few", live: "h0 s1, h0 s2, h0 s3"},
		{
			name: "four alike",
			live: "h0 s4, h0 s2, h0 s3, h0 s1",
			want: "tier h0: h0 s1, h0 s2, h0 s3, h0 s4",
		},
		{
			name: "four files of one run are one run",
			live: "h0 s1 xa, h0 s1 xb, h0 s1 xc, h0 s1 xd",
		},
		{
			name: "runs are whole",
			live: "h0 s1 b2, h0 s2 b2, h0 s3 b2, h0 s4 xa, h0 s4 xb",
			want: "tier h0: h0 s1 b2, h0 s2 b2, h0 s3 b2, h0 s4 xa, h0 s4 xb",
		},
		{
			name: "other hours are no neighbours",
			live: "h0 s1, h1 s2, h0 s3, h1 s4, h0 s5, h1 s6, h0 s7",
			want: "tier h0: h0 s1, h0 s3, h0 s5, h0 s7",
		},
		{
			name: "a large one stays out",
			live: "h0 s1 b100, h0 s2, h0 s3, h0 s4, h0 s5",
			want: "tier h0: h0 s2, h0 s3, h0 s4, h0 s5",
		},
		{
			name: "a large one in between",
			live: "h0 s1, h0 s2, h0 s3 b100, h0 s4, h0 s5",
		},
		{
			name: "just similar enough",
			live: "h0 s1 b3, h0 s2 b2, h0 s3 b2, h0 s4 b2",
			want: "tier h0: h0 s1 b3, h0 s2 b2, h0 s3 b2, h0 s4 b2",
		},
		{
			name: "just not",
			live: "h0 s1 b4, h0 s2 b3, h0 s3 b2, h0 s4 b2",
		},
		{
			name: "quiet hour",
			live: "h0 s1 -31, h0 s2 -30, h1 s3 -29, h1 s4 -31",
			want: "hour h0: h0 s1 -31, h0 s2 -30",
		},
		{
			name: "a clock that ran ahead",
			live: "h0 s1 +31, h0 s2 +30, h1 s3 +29, h1 s4",
			want: "hour h0: h0 s1 +31, h0 s2 +30",
		},
		{
			name: "quiet day, one file",
			live: "h25 s1 -1440",
			want: "day d1: h25 s1 -1440",
		},
		{
			name: "quiet hours of a day that is not",
			live: "h0 s1 -2000, h0 s2 -2000, h1 s3 -100, h1 s4 -100",
			want: "hour h0: h0 s1 -2000, h0 s2 -2000\nhour h1: h1 s3 -100, h1 s4 -100",
		},
		{
			name: "quiet day beside its pack",
			live: "h24 s9 -1440, d1 s5 -9999, h47 s7 -1500",
			want: "day d1: d1 s5 -9999, h24 s9 -1440, h47 s7 -1500",
		},
		{name: "a merged day", live: "d1 s5 -9999"},
		{name: "a merged day of several packs", live: "d1 s5 xa -9999, d1 s5 xb -9999", policy: Policy{All: true}},
		{
			name:   "days are not merged",
			live:   "h0 s1 -9999, h0 s2 -9999, h1 s2 -9999, d1 s7 -9999, d1 s8 -9999",
			policy: Policy{MaxSegmentFiles: -1},
			want:   "hour h0: h0 s1 -9999, h0 s2 -9999",
		},
		{
			name:   "all, days",
			live:   "h0 s1, h23 s2, h24 s3, h-1 s4",
			policy: Policy{All: true},
			want:   "day d0: h0 s1, h23 s2\nday d-1: h-1 s4\nday d1: h24 s3",
		},
		{
			name:   "all, hours",
			live:   "h0 s1, h23 s2, h0 s3, h24 s3",
			policy: Policy{All: true, MaxSegmentFiles: -1},
			want:   "hour h0: h0 s1, h0 s3",
		},
		{
			name:   "the pack of a day between its hours",
			live:   "d0 s3, h0 s1, h0 s2, h0 s4, h0 s5, h1 s2, h1 s3",
			policy: Policy{All: true, MaxSegmentFiles: -1},
			want:   "hour h0: h0 s1, h0 s2\nhour h0: h0 s4, h0 s5",
		},
		{
			name: "most urgent first",
			live: "h24 s1 -9999, h48 s1, h48 s2, h48 s3, h48 s4, h49 s1 -40, h49 s2 -40, h50 s1 -40, h50 s2 -40, h50 s3 -40",
			want: "tier h48: h48 s1, h48 s2, h48 s3, h48 s4\n" +
				"hour h50: h50 s1 -40, h50 s2 -40, h50 s3 -40\n" +
				"hour h49: h49 s1 -40, h49 s2 -40\n" +
				"day d1: h24 s1 -9999",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.policy.NowMS = nowMS
			got := show(Plan(entries(test.live), test.policy))
			if got != test.want {
				t.Errorf("live %s\ngot\n%s\nwant\n%s", test.live, got, test.want)
			}
		})
	}
}

func TestPlanClaimed(t *testing.T) {
	tests := []struct {
		name, live, claimed string
		all                 bool
		want                string
	}{
		{
			name:    "newer runs of an hour",
			live:    "h0 s1, h0 s2, h0 s3, h0 s4, h0 s5, h0 s6, h0 s7, h0 s8",
			claimed: "h0 s1, h0 s2, h0 s3, h0 s4",
			want:    "tier h0: h0 s5, h0 s6, h0 s7, h0 s8",
		},
		{
			name:    "both sides of a claim are no neighbours",
			live:    "h0 s1, h0 s2, h0 s3, h0 s4, h0 s5",
			claimed: "h0 s3",
		},
		{
			name:    "one file of a run",
			live:    "h0 s1 b2, h0 s2 b2, h0 s3 b2, h0 s4 xa, h0 s4 xb",
			claimed: "h0 s4 xb",
		},
		{
			name:    "the rest of a quiet hour",
			live:    "h0 s1 -40, h0 s2 -40, h0 s3 -40, h1 s4 -40, h1 s5 -40",
			claimed: "h0 s1 -40",
			want:    "hour h0: h0 s2 -40, h0 s3 -40\nhour h1: h1 s4 -40, h1 s5 -40",
		},
		{
			name:    "the other hours of a day",
			live:    "h0 s1 -40, h0 s2 -40, h1 s3 -40, h24 s4",
			claimed: "h1 s3 -40",
			all:     true,
			want:    "hour h0: h0 s1 -40, h0 s2 -40\nday d1: h24 s4",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			claimed := strings.Split(test.claimed, ", ")
			jobs := Plan(entries(test.live), Policy{
				NowMS:   nowMS,
				All:     test.all,
				Claimed: func(path string) bool { return slices.Contains(claimed, path) },
			})
			if got := show(jobs); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestPlanRewrite(t *testing.T) {
	tests := []struct {
		name, live, rewrite, claimed string
		policy                       Policy
		want                         string
	}{
		{
			name:    "one file of a run",
			live:    "h0 s1 xa -30, h0 s1 xb -30",
			rewrite: "h0 s1 xb -30",
			want:    "rewrite h0: h0 s1 xb -30",
		},
		{
			name:    "not yet quiet",
			live:    "h0 s1 -29, h1 s2 -40",
			rewrite: "h0 s1 -29",
		},
		{
			name:    "quiet is the hour",
			live:    "h0 s1 -40, h0 s2 -10",
			rewrite: "h0 s1 -40",
		},
		{
			name:    "a merge takes it",
			live:    "h0 s1 -40, h0 s2 -40, d1 s1 xa -9999, d1 s1 xb -9999",
			rewrite: "h0 s1 -40, d1 s1 xb -9999",
			want:    "rewrite d1: d1 s1 xb -9999\nhour h0: h0 s1 -40, h0 s2 -40",
		},
		{
			name:    "pack of a day whose hours are written to",
			live:    "d0 s1 -9999, h0 s2",
			rewrite: "d0 s1 -9999",
			want:    "rewrite d0: d0 s1 -9999",
		},
		{
			name:    "claimed",
			live:    "h0 s1 xa -30, h0 s1 xb -30",
			rewrite: "h0 s1 xa -30, h0 s1 xb -30",
			claimed: "h0 s1 xb -30",
			want:    "rewrite h0: h0 s1 xa -30",
		},
		{
			name:    "all of hours",
			live:    "h0 s1, h1 s1, h1 s2",
			rewrite: "h0 s1, h1 s1",
			policy:  Policy{All: true, MaxSegmentFiles: -1},
			want:    "rewrite h0: h0 s1\nhour h1: h1 s1, h1 s2",
		},
		{
			name:    "all of days",
			live:    "d0 s1, d1 s1, h24 s2",
			rewrite: "d0 s1, d1 s1",
			policy:  Policy{All: true},
			want:    "rewrite d0: d0 s1\nday d1: d1 s1, h24 s2",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := test.policy
			p.NowMS = nowMS
			p.Rewrite = func(e *manifest.Entry) bool { return slices.Contains(strings.Split(test.rewrite, ", "), e.Path) }
			p.Claimed = func(path string) bool { return path == test.claimed }
			if got := show(Plan(entries(test.live), p)); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// What no sizes make similar is merged when it comes to a crowd.
func TestPlanCrowd(t *testing.T) {
	var live []manifest.Entry
	for i := range crowdedRuns {
		if jobs := Plan(live, Policy{NowMS: nowMS}); len(jobs) > 0 {
			t.Fatalf("%d runs: %s", len(live), show(jobs))
		}
		live = append(live, entry(fmt.Sprintf("h0 s%d b%d", i+1, int64(1)<<(2*i))))
	}
	jobs := Plan(live, Policy{NowMS: nowMS})
	if len(jobs) != 1 || jobs[0].Kind != KindTier || len(jobs[0].Inputs) < minTier {
		t.Fatalf("%d runs: %s", len(live), show(jobs))
	}
}

func TestPlanTakesNoMoreThanMaxTier(t *testing.T) {
	var live []manifest.Entry
	for i := range 3 * maxTier {
		live = append(live, entry(fmt.Sprintf("h0 s%d", i+1)))
	}
	jobs := Plan(live, Policy{NowMS: nowMS})
	if len(jobs) != 1 || len(jobs[0].Inputs) != maxTier {
		t.Fatalf("got %s", show(jobs))
	}
}

func TestJobTakesTheHighest(t *testing.T) {
	live := entries("h0 s3 a90 -40, h0 s7 -60, h0 s5 a20 -50")
	jobs := Plan(live, Policy{NowMS: nowMS, All: true, MaxSegmentFiles: -1})
	if len(jobs) != 1 {
		t.Fatalf("got %s", show(jobs))
	}
	if j := jobs[0]; j.Seq != 7 || j.Wall != nowMS-40*60_000 || j.Applied != 7 {
		t.Errorf("seq %d, wall %d, applied %d", j.Seq, j.Wall, j.Applied)
	}
	live = entries("h0 s3 a90, h0 s7 a60, h0 s5 a70")
	if j := Plan(live, Policy{NowMS: nowMS, All: true, MaxSegmentFiles: -1})[0]; j.Applied != 60 {
		t.Errorf("applied %d, want the lowest of all", j.Applied)
	}
}

func TestAllowed(t *testing.T) {
	tests := []struct {
		name, inputs, outside string
		want                  bool
	}{
		{"nothing", "", "h0 s1", true},
		{"alone", "h0 s1, h0 s3", "", true},
		{"between", "h0 s1, h0 s3", "h0 s2", false},
		{"between, in another hour", "h0 s1, h0 s3", "h1 s2", true},
		{"between, in the pack of the day", "h0 s1, h0 s3", "d0 s2", false},
		{"equal to the lowest", "h0 s1, h0 s3", "h0 s1 x", true},
		{"equal to the highest", "h0 s1, h0 s3", "h0 s3 x", false},
		{"equal to the only one", "h0 s1", "h0 s1 x", true},
		{"below", "h0 s2, h0 s3", "h0 s1", true},
		{"above", "h0 s2, h0 s3", "h0 s4", true},
		{"in a gap between inputs", "h0 s1, h2 s3", "h1 s2", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inputs := entries(test.inputs)
			live := slices.Concat(inputs, entries(test.outside))
			if got := Allowed(inputs, live); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
	// What counts is the time of the points, both ends included, not the bucket.
	a, b, c := entry("h0 s1"), entry("h0 s3"), entry("h0 s2")
	a.EndTS, b.EndTS, c.StartTS = 10, 20, 21
	if !Allowed([]manifest.Entry{a, b}, []manifest.Entry{a, b, c}) {
		t.Error("a file that begins after the inputs refused")
	}
	c.StartTS = 20
	if Allowed([]manifest.Entry{a, b}, []manifest.Entry{a, b, c}) {
		t.Error("a file that begins with the last point allowed")
	}
}

func TestCrowding(t *testing.T) {
	tests := []struct {
		live string
		want int
	}{
		{"", 0},
		{"h0 s1", 1},
		{"h0 s1 xa, h0 s1 xb", 1},
		{"h0 s1, h0 s2, h1 s1, h1 s2, h1 s3", 3},
		{"h0 s1, h0 s2, d0 s0, h24 s1", 3},
		{"d0 s0, d1 s0, h1 s1", 2},
	}
	for _, test := range tests {
		if got := Crowding(entries(test.live)); got != test.want {
			t.Errorf("%s: got %d, want %d", test.live, got, test.want)
		}
	}
	// Runs of one hour that do not meet do not crowd it.
	a, b := entry("h0 s1"), entry("h0 s2")
	a.EndTS, b.StartTS = 10, 11
	if got := Crowding([]manifest.Entry{b, a}); got != 1 {
		t.Errorf("apart: got %d", got)
	}
	b.StartTS = 10
	if got := Crowding([]manifest.Entry{b, a}); got != 2 {
		t.Errorf("with a moment in common: got %d", got)
	}
}

func TestKindString(t *testing.T) {
	want := []string{"tier", "rewrite", "hour", "day", "kind 4"}
	for k, name := range want {
		if got := Kind(k).String(); got != name {
			t.Errorf("kind %d: %s", k, got)
		}
	}
}
