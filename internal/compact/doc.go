// Package compact merges files: Plan decides which, Run writes what becomes of them.
//
// A run is all live files of one bucket, an hour or a day, with one seq. Flushes add
// runs; merging makes one of several, so that a read opens few files, and applies what
// deletions and retention hide, so that it leaves the disk. Plan is a pure function of
// the live entries, the time and a policy. Run streams: its memory does not grow with
// what it merges.
//
// The package knows neither which files are open nor what hides points: the engine
// hands Run a Source that reads the inputs of a job, merged and with all hidden points
// left out. It does not publish either: the engine claims the inputs of a job, runs it,
// asks Allowed once more, and writes the edit.
//
// Invariants, each checked by a test over random sets of files:
//
//	C1  A merge takes whole runs, the neighbours in seq: no live file outside it that
//	    overlaps an input in time has lowest < seq <= highest of its inputs. So taking
//	    the highest seq for its output changes no answer. (Equal to the lowest may only
//	    be a file of the run itself, disjoint in series and time.)
//	C2  Jobs of one plan are disjoint and hold whatever the order in which they are
//	    published, and beside flushes that are published meanwhile.
//	C3  Each job leaves less to do: a plan repeated after its jobs ends in no job.
//
// All functions are safe for concurrent use. Called by the engine's background work and
// by its Compact.
package compact
