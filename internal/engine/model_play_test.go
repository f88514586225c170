package engine

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
)

// reuseMemory is for tests that open a thousand databases. It runs them beside each other,
// and collects garbage only when there is a lot of it.
func reuseMemory(t *testing.T) {
	t.Parallel()
	collectSeldom(t)
}

// collectSeldom has garbage collected only when there is a lot of it, until the test ends:
// it would otherwise spend its time on memory that goes to the system and comes back.
func collectSeldom(t *testing.T) {
	reusers.Lock()
	defer reusers.Unlock()
	if reusers.count++; reusers.count == 1 {
		reusers.percent, reusers.limit = debug.SetGCPercent(-1), debug.SetMemoryLimit(512<<20)
	}
	t.Cleanup(func() {
		reusers.Lock()
		defer reusers.Unlock()
		if reusers.count--; reusers.count == 0 {
			debug.SetGCPercent(reusers.percent)
			debug.SetMemoryLimit(reusers.limit)
		}
	})
}

// reusers counts the tests that run with the settings of collectSeldom, and keeps those of
// before.
var reusers struct {
	sync.Mutex
	count   int
	percent int
	limit   int64
}

// howMany is how much a test does: what the environment says under the name given, or as
// much as CI is meant to; a tenth of that with the race detector. What is no number fails the
// test: one that did less than it was told to would pass for the whole.
func howMany(t testing.TB, name string, inCI int) int {
	t.Helper()
	if n, found := fromEnvironment(t, name); found {
		return int(n)
	}
	if raceEnabled {
		return inCI / 10
	}
	return inCI
}

// firstSeed is where random tests begin: SYDRADB_SEED or 0.
func firstSeed(t testing.TB) uint64 {
	t.Helper()
	n, _ := fromEnvironment(t, "SYDRADB_SEED")
	return n
}

// fromEnvironment returns the number that a variable is set to, if it is.
func fromEnvironment(t testing.TB, name string) (n uint64, found bool) {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		t.Fatalf("%s=%q: want a number", name, text)
	}
	return n, true
}

// modelSeeds is the number of scripts that TestModel plays.
func modelSeeds(t testing.TB) int {
	t.Helper()
	return howMany(t, "SYDRADB_SEEDS", 1000)
}

// modelOperations are what scripts do beside writing.
var modelOperations = []string{
	"flush", "flush", "idle", "idle", "query", "query", "query", "hold", "readonly", "snapshot",
	"delete", "delete", "compact", "merge", "retain", "sweep", "clock", "reopen", "reopen", "crash",
}

// modelScript returns a script, and the options that it begins with.
func modelScript(rng *rand.Rand) ([]step, setting) {
	var s setting
	s.Options = randomOptions(rng)
	s.Retention = randomRules(rng)
	s.eager = rng.IntN(4) == 0
	script := randomScript(rng, 10+rng.IntN(80), modelOperations...)
	if rng.IntN(5) == 0 {
		thicken(rng, script, 8)
	}
	return script, s
}

// TestModel plays random operations, restarts and crashes among them, and compares
// all answers with the naive reference.
func TestModel(t *testing.T) {
	reuseMemory(t)
	var reached reach
	first, seeds := firstSeed(t), modelSeeds(t)
	for seed := first; seed < first+uint64(seeds); seed++ {
		script, s := modelScript(rand.New(rand.NewPCG(seed, 7)))
		fails := func(script []step) error {
			_, err := play(script, s, &reach{})
			return err
		}
		var err error
		synctest.Test(t, func(*testing.T) { _, err = play(script, s, &reached) })
		if err != nil {
			t.Errorf("seed %d, %+v: %v", seed, s, err)
			logShortened(t, script, fails)
			return
		}
	}
	t.Logf("reached:%v", &reached)
	if missing := reached.missing(); len(missing) > 0 && seeds >= 100 {
		t.Errorf("the scripts never came to %v", missing)
	}
}

// logShortened logs the shortest script found that still fails.
func logShortened(t *testing.T, script []step, play func([]step) error) {
	t.Run("shortened", func(t *testing.T) { // for in a test that has failed no bubble returns
		var short []step
		var err error
		synctest.Test(t, func(*testing.T) {
			short = shorten(script, func(script []step) bool { return play(script) != nil })
			err = play(short)
		})
		t.Logf("%v", err)
		for i, s := range short {
			t.Logf("%3d %v", i, s)
		}
	})
}

// TestModelSettings plays each script in several settings, from one that never merges to
// one that always does, and compares their answers byte by byte.
func TestModelSettings(t *testing.T) {
	reuseMemory(t)
	from, seeds := firstSeed(t), modelSeeds(t)/10
	for seed := from; seed < from+uint64(seeds); seed++ {
		rng := rand.New(rand.NewPCG(seed, 23))
		script, first := modelScript(rng)
		settings := differentSettings(rng, first)
		differ := func(script []step) error {
			var answers uint64
			for i, s := range settings {
				got, err := play(script, s, &reach{})
				if err != nil {
					return fmt.Errorf("setting %+v: %w", s, err)
				}
				if i > 0 && got != answers {
					return fmt.Errorf("setting %+v answers otherwise than %+v", s, settings[0])
				}
				answers = got
			}
			return nil
		}
		var err error
		synctest.Test(t, func(*testing.T) { err = differ(script) })
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			logShortened(t, script, differ)
			return
		}
	}
}

// differentSettings returns settings of which each says something else about what is
// written when, and how, to which files.
func differentSettings(rng *rand.Rand, first setting) []setting {
	settings := make([]setting, 4)
	files := rng.Perm(5)
	memory := rng.Perm(4)
	for i := range settings {
		s := &settings[i]
		s.Options = randomOptions(rng)
		s.Retention, s.exact = first.Retention, true
		s.MaxSegmentFiles = []int{NeverPack, 0, AlwaysPack, 3, 64}[files[i]]
		s.MemtableBytes = []int64{MinMemtableBytes, 16 << 10, 1 << 20, 64 << 20}[memory[i]]
		s.MergeOff, s.eager = i%2 == 0, i >= 2
	}
	return settings
}
