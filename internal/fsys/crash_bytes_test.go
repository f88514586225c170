package fsys_test

import (
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

func TestWritesTearAtEveryByte(t *testing.T) {
	m := fsys.NewMem()
	f := createSynced(t, m, "a", "0123456789")
	const tail = "abcdefghijklmnopqrst"
	write(t, f, tail)
	cut := map[int]int{} // length of the surviving prefix -> times that the file ended there
	holes, zeros := 0, 0 // times that bytes followed zeros, that only zeros followed
	rng := newRand(1)
	for range 20 * clones {
		data, err := fsys.ReadFile(m.CrashClone(rng, 50), "a")
		check(t, err)
		rest, ok := strings.CutPrefix(string(data), "0123456789")
		if !ok || len(rest) > len(tail) {
			t.Fatalf("damaged what was synced: %q", data)
		}
		for i := range rest {
			if rest[i] != 0 && rest[i] != tail[i] {
				t.Fatalf("byte %d is neither written nor zero: %q", i, rest)
			}
		}
		switch i := strings.IndexByte(rest, 0); {
		case i < 0:
			cut[len(rest)]++
		case strings.Trim(rest, "\x00") == "":
			zeros++
		default:
			holes++
		}
	}
	for n := range len(tail) + 1 {
		if cut[n] == 0 {
			t.Errorf("the write was never torn at byte %d", n)
		}
	}
	if holes == 0 || zeros == 0 || cut[len(tail)] < 5*clones || cut[0] < 2*clones {
		t.Errorf("holes %d, zeros %d, whole %d, lost %d", holes, zeros, cut[len(tail)], cut[0])
	}
}

func TestLaterWriteMaySurviveEarlier(t *testing.T) {
	m := fsys.NewMem()
	f := createSynced(t, m, "a", "")
	write(t, f, "1")
	write(t, f, "2")
	wantOutcomes(t, outcomes(m, 50, tree), "a=", "a=1", "a=12", "a=\x002", "a=\x00", "a=1\x00", "a=\x00\x00")
}

func TestTruncateSurvivesOrNot(t *testing.T) {
	m := fsys.NewMem()
	f := createSynced(t, m, "a", "abcd")
	check(t, f.Truncate(2))
	wantOutcomes(t, outcomes(m, 50, tree), "a=ab", "a=abcd")
	check(t, f.Sync())
	wantOutcomes(t, outcomes(m, 50, tree), "a=ab")
	check(t, f.Truncate(3))
	check(t, f.Sync())
	wantOutcomes(t, outcomes(m, 50, tree), "a=ab\x00")
	check(t, f.Truncate(1))
	write(t, f, "Z")
	wantOutcomes(t, outcomes(m, 50, tree), "a=a", "a=aZ", "a=ab\x00", "a=aZ\x00", "a=a\x00")
}
