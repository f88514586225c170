package compact

import (
	"cmp"
	"fmt"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/plant"
)

// Kind says why a job is one. The order is that of urgency.
type Kind uint8

// The kinds of jobs.
const (
	KindTier    Kind = iota // several runs of an hour that still gets writes
	KindRewrite             // files of one run that hold what is to leave the disk
	KindHour                // all runs of an hour
	KindDay                 // all files of a day, into its pack
)

// String returns the name of the kind, for messages.
func (k Kind) String() string {
	switch k {
	case KindTier:
		return "tier"
	case KindRewrite:
		return "rewrite"
	case KindHour:
		return "hour"
	case KindDay:
		return "day"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Job is one merge: its inputs are to be replaced by files of the bucket with the same
// points, hidden ones apart.
type Job struct {
	Kind   Kind
	Bucket int64 // start of the output's hour or day, Unix ns
	Width  int64 // of that bucket: base.Hour or base.Day
	// Inputs are the files to read, a copy of their entries, in ascending order of
	// bucket and seq.
	Inputs []manifest.Entry
	Seq    base.LSN // of the output: the highest of the inputs
	Wall   int64    // of the output: the highest of the inputs, Unix ms
	// Applied is the LSN up to which no deletion will hide anything in the output. Plan
	// sets what holds of any Source that applies deletions up to Seq; whoever runs the
	// job raises it to the last deletion that its Source knows.
	Applied base.LSN
}

// newJob fills in what the inputs, at least one, say.
func newJob(kind Kind, bucket, width int64, inputs []manifest.Entry) Job {
	if plant.Bug(plant.MergeSplitsRun) && kind != KindRewrite {
		inputs = splitRun(inputs)
	}
	j := Job{Kind: kind, Bucket: bucket, Width: width, Inputs: inputs}
	applied := effectiveApplied(&inputs[0])
	for i := range inputs {
		e := &inputs[i]
		j.Seq = max(j.Seq, e.Seq)
		j.Wall = max(j.Wall, e.Wall)
		applied = min(applied, effectiveApplied(e))
	}
	// What hides points of an input and has an LSN below Seq must be applied: once they
	// have the higher seq, it would no longer hide them.
	j.Applied = max(j.Seq, applied)
	return j
}

// effectiveApplied returns the LSN up to which deletions have been applied to a file.
func effectiveApplied(e *manifest.Entry) base.LSN { return max(e.Applied, e.Seq) }

// Allowed reports whether a merge of inputs may be published beside the live files, the
// inputs among them: no live file outside that overlaps an input in time may have
// lowest < seq <= highest of the inputs. Each input must still be live, which the caller
// knows. It takes time proportional to the live files, and allocates little if hardly
// any of them lie where the inputs do.
func Allowed(inputs, live []manifest.Entry) bool {
	if len(inputs) == 0 {
		return true
	}
	low, high := inputs[0].Seq, inputs[0].Seq
	start, end := inputs[0].StartTS, inputs[0].EndTS
	for i := range inputs {
		e := &inputs[i]
		low, high = min(low, e.Seq), max(high, e.Seq)
		start, end = min(start, e.StartTS), max(end, e.EndTS)
	}
	limit := high + 1 // the first seq that does no harm
	if plant.Bug(plant.MergeSplitsRun) {
		limit = high
	}
	var taken map[string]bool
	for i := range live {
		e := &live[i]
		if e.Seq <= low || e.Seq >= limit || e.EndTS < start || e.StartTS > end {
			continue
		}
		if taken == nil {
			taken = make(map[string]bool, len(inputs))
			for j := range inputs {
				taken[inputs[j].Path] = true
			}
		}
		if !taken[e.Path] && overlapsAny(e, inputs) {
			return false
		}
	}
	return true
}

// overlapsAny reports whether e shares time with one of the files.
func overlapsAny(e *manifest.Entry, files []manifest.Entry) bool {
	for i := range files {
		if e.StartTS <= files[i].EndTS && files[i].StartTS <= e.EndTS {
			return true
		}
	}
	return false
}

// splitRun is a planted bug: it leaves out one of the files that share the highest seq,
// where that is one of several runs.
func splitRun(inputs []manifest.Entry) []manifest.Entry {
	high, last, count := base.LSN(0), 0, 0
	for i := range inputs {
		switch c := cmp.Compare(inputs[i].Seq, high); {
		case c > 0:
			high, last, count = inputs[i].Seq, i, 1
		case c == 0:
			last = i
			count++
		}
	}
	if count < 2 || count == len(inputs) {
		return inputs
	}
	return append(inputs[:last:last], inputs[last+1:]...)
}
