package engine

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

const (
	// flipsInCI is how many bits are flipped where nobody says otherwise.
	flipsInCI = 20000
	// allFlips is where it is worth while to flip every bit of a database, and to repair it
	// each time.
	allFlips = 100000
	// flipsOfOne bounds the flips in one database, so that a large one does not take all.
	flipsOfOne = 80000
)

// TestSweep damages every kind of file of random databases in every way that is known:
// SYDRADB_FLIPS bits are flipped at random, or, from allFlips on, each bit of databases that
// have no more than flipsOfOne and about as many of larger ones; files are cut, prolonged,
// lost, exchanged, replaced by older versions and by those of another database; lengths are
// wrong, with checksums that fit and with others. What comes of it is the right answer or an
// error that says what is wrong, see judge. A failure names the seed of the database:
// SYDRADB_SEED is where to begin.
func TestSweep(t *testing.T) {
	collectSeldom(t) // not beside other tests: what they allocate would be counted here
	w := sweep{t: t, total: howMany(t, "SYDRADB_FLIPS", flipsInCI), counts: make(map[string]*tally)}
	for seed := firstSeed(t); w.flips < w.total && w.failures < maxFailures; seed++ {
		w.database(newSpecimen(t, seed))
	}
	w.log()
}

// maxFailures is how many failures are shown.
const maxFailures = 20

// sweep is one run of TestSweep.
type sweep struct {
	t        *testing.T
	total    int // flips
	flips    int
	failures int
	counts   map[string]*tally // by kinds of file and damage
}

// tally counts what became of the damages of one kind.
type tally struct{ tried, refused, found, repaired int }

// database damages one database.
func (w *sweep) database(s *specimen) {
	rng := rand.New(rand.NewPCG(s.seed, 5))
	bits := 0
	for _, data := range s.data {
		bits += 8 * len(data)
	}
	flips, others := float64(w.total)/4, 0.04*float64(w.total)/flipsInCI // four kinds of databases
	if w.total >= allFlips {
		flips, others = flipsOfOne, 0.5
	}
	for _, file := range s.files {
		for bit := range 8 * len(s.data[file]) {
			if rng.Float64() < flips/float64(bits) {
				w.flips++
				w.try(s, s.flipOf(file, bit), rng)
			}
		}
		s.others(file, rng, others, func(d *damage) { w.try(s, d, rng) })
	}
}

// try judges one damage and counts it.
func (w *sweep) try(s *specimen, d *damage, rng *rand.Rand) {
	deep := depth{repair: w.total >= allFlips || rng.IntN(24) == 0, copies: rng.IntN(48) == 0}
	v, err := s.judge(d, deep)
	if err != nil {
		if w.failures++; w.failures <= maxFailures {
			w.t.Errorf("seed %d: %v: %v", s.seed, d, strings.ReplaceAll(err.Error(), "\n", "\n\t"))
		}
		return
	}
	key := fileKind(d.file) + ", " + d.what
	n := w.counts[key]
	if n == nil {
		n = &tally{}
		w.counts[key] = n
	}
	n.tried++
	if v.refused {
		n.refused++
	}
	if v.found {
		n.found++
	}
	if v.repaired {
		n.repaired++
	}
}

// log logs what was tried.
func (w *sweep) log() {
	var keys []string
	tried := 0
	for key, n := range w.counts {
		keys = append(keys, key)
		tried += n.tried
	}
	slices.Sort(keys)
	for _, key := range keys {
		n := w.counts[key]
		w.t.Logf("%-32s %6d tried, %6d refused, %6d found by check, %6d repaired", key, n.tried, n.refused, n.found, n.repaired)
	}
	w.t.Logf("%d flips, %d other kinds of damage", w.flips, tried-w.flips)
}
