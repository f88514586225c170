package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/fuzzing"
)

// contents is what a state says that a repair goes on with.
func contents(s *State) string {
	return fmt.Sprintf("%+v\n%+v\n%v\n%v\n%d %d %+v %d", s.Live, s.Deletes, s.Horizon, s.Owed(), s.FlushedLSN, s.NextMS, s.Catalog, s.LastLSN)
}

func mustSalvage(t *testing.T, data []byte) *Salvage {
	t.Helper()
	s, err := readSalvage(base.ManifestFile, data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustSum(t *testing.T, s *Salvage) State {
	t.Helper()
	sum, err := s.State()
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestSalvageOfWhatIsSound(t *testing.T) {
	for name, text := range histories() {
		s := mustSalvage(t, text)
		want, _, err := read(base.ManifestFile, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := mustSum(t, s); s.Damaged != 0 || s.Mended != 0 || len(s.Parts) != 0 || contents(&got) != contents(&want) {
			t.Errorf("%s: %d damaged, got\n%s\nwant\n%s", name, s.Damaged, contents(&got), contents(&want))
		}
	}
	if _, err := ReadSalvage(fsys.NewMem(), base.ManifestFile); err == nil {
		t.Error("no file, no error")
	}
	if s := mustSalvage(t, nil); len(mustSum(t, s).Live) != 0 {
		t.Error("nothing became something")
	}
}

// One byte of a line, whichever it is and whatever becomes of it, is put right.
func TestSalvageMendsOneByte(t *testing.T) {
	for name, text := range histories() {
		want, _, err := read(base.ManifestFile, text)
		if err != nil {
			t.Fatal(err)
		}
		for i := range text {
			for _, change := range []byte{1 << (i % 8), 0x15, text[i] ^ '\n', 0xff} {
				data := bytes.Clone(text)
				data[i] ^= change
				if change == 0 {
					continue
				}
				s, err := readSalvage(base.ManifestFile, data)
				if err != nil {
					t.Fatalf("%s, byte %d: %v", name, i, err)
				}
				if got := mustSum(t, s); len(s.Parts) != 0 || s.Mended != s.Damaged || contents(&got) != contents(&want) {
					t.Fatalf("%s, byte %d ^ %#x of %q: %d damaged, %d mended, got\n%s\nwant\n%s",
						name, i, change, text[max(0, i-20):i+1], s.Damaged, s.Mended, contents(&got), contents(&want))
				}
			}
		}
	}
}

func TestMendLongLines(t *testing.T) {
	line := seal(3, []Edit{editN(3, entries(0, mostMended/200), nil)}, nil)
	line = bytes.TrimSuffix(line, []byte{'\n'})
	if len(line) < mostMended+crcTail {
		t.Fatalf("only %d bytes", len(line))
	}
	for _, at := range []int{0, 1, len(line) / 2, len(line) - crcTail - 1, len(line) - 1, len(line) - 5} {
		bad := bytes.Clone(line)
		bad[at] ^= 0x40
		if !bytes.Equal(mend(bad), line) {
			t.Errorf("byte %d was not mended", at)
		}
		bad[at] ^= 0x03
		if got := mend(bad); got != nil && at < len(line)-crcTail {
			t.Errorf("byte %d, of which two bits are wrong, was mended", at)
		}
	}
}

// Of a line with more damage, all files are found whose objects were not hit.
func TestSalvageOfParts(t *testing.T) {
	first := editN(1, append(entries(0, 3), packN(50)), paths(60, 62))
	first.AddDeletes = []DeleteFile{deleteN(3)}
	first.Horizon = map[string]int64{"": 5, "weather": 70}
	first.FlushedLSN = 1000
	line := seal(1, []Edit{first}, nil)
	rest := seal(2, []Edit{editN(2, entries(100, 101), paths(0, 1))}, nil)
	for at := 0; at+3 < len(line)-1; at++ {
		data := append(bytes.Clone(line), rest...)
		for i := range 3 {
			data[at+i] ^= 0x85
		}
		s := mustSalvage(t, data)
		if s.Damaged != 1 || s.Mended != 0 || len(s.Parts) != 1 {
			t.Fatalf("byte %d: %d damaged, %d mended, %d parts", at, s.Damaged, s.Mended, len(s.Parts))
		}
		p := s.Parts[0]
		if !p.Shown || !p.Adds || p.Ended {
			t.Fatalf("byte %d: %+v", at, p)
		}
		hit := func(text string) bool {
			from := strings.Index(string(line), text)
			if from < 0 {
				t.Fatal(text)
			}
			return at+3 > from && at < from+len(text)
		}
		for _, e := range first.Add[1:] { // the first is removed by a sound line
			e.Edit = 1
			found := slices.Contains(p.Add, e)
			if found == hit(string(appendEntry(nil, &e))) {
				t.Fatalf("byte %d: %s found: %v", at, e.Path, found)
			}
		}
		d := first.AddDeletes[0]
		d.Edit = 1
		if found := slices.Contains(p.AddDeletes, d); found == hit(string(appendDelete(nil, &d))) {
			t.Fatalf("byte %d: delete file found: %v", at, found)
		}
		if len(p.Add) > 3 || len(p.AddDeletes) > 1 || len(p.Remove) > 2 || slices.ContainsFunc(p.Add, func(e Entry) bool { return e.Path == first.Add[0].Path }) {
			t.Fatalf("byte %d: %+v", at, p)
		}
		if p.Horizon != nil && !reflect.DeepEqual(p.Horizon, first.Horizon) && !hit(`"weather"`) {
			t.Fatalf("byte %d: horizon %v", at, p.Horizon)
		}
		sum := mustSum(t, s)
		if n := len(sum.Live); n != len(p.Add)+1 || !sum.Owes(paths(0, 1)[0]) || sum.Owes(paths(60, 61)[0]) {
			t.Fatalf("byte %d: %d files live of %d, owed %v", at, n, len(p.Add)+1, sum.Owed())
		}
		sound, err := s.Sound()
		if err != nil || len(sound.Live) != 1 {
			t.Fatalf("byte %d: sound %+v, %v", at, sound.Live, err)
		}
	}
}

// What a damaged line removes is not owed, only not live.
func TestSalvageOfRemovals(t *testing.T) {
	edits := []Edit{editN(1, entries(0, 4), nil), editN(2, entries(10, 11), paths(0, 2)), editN(3, nil, nil)}
	text := seal(1, edits, nil)
	at := bytes.Index(text, []byte(`"prev":"`+string(text[bytes.IndexByte(text, '\n')-crcDigits-2:][:crcDigits])))
	if at < 0 {
		t.Fatal("no second line")
	}
	copy(text[at:], "######")
	s := mustSalvage(t, text)
	if len(s.Parts) != 1 || !slices.Equal(s.Parts[0].Remove, paths(0, 2)) || len(s.Parts[0].Add) != 1 {
		t.Fatalf("parts %+v", s.Parts)
	}
	sum := mustSum(t, s)
	if len(sum.Live) != 3 || len(sum.Owed()) != 0 {
		t.Errorf("%d live, owed %v", len(sum.Live), sum.Owed())
	}
	s.Parts[0].Remove = nil
	if sum = mustSum(t, s); len(sum.Live) != 5 {
		t.Errorf("%d live", len(sum.Live))
	}
}

func TestSalvageOfANewerVersion(t *testing.T) {
	text := seal(1, threeEdits(), nil)
	line := strings.Replace(string(text[:bytes.IndexByte(text, '\n')-crcTail]), `"wall"`, `"well"`, 1)
	line += crcMember + checksum([]byte(line)) + "\"}\n"
	if _, err := readSalvage(base.ManifestFile, append([]byte("x\n"), line...)); !errors.Is(err, ErrNewer) {
		t.Errorf("error %v", err)
	}
	// The checksum of a line with more damage may tell by chance that one byte more is wrong.
	bad := []byte(line)
	bad[len(editStart)] ^= 1
	s := mustSalvage(t, append([]byte("x\n"), bad...))
	if s.Damaged != 2 || s.Mended != 0 {
		t.Errorf("%d lines damaged, %d mended", s.Damaged, s.Mended)
	}
}

// FuzzSalvage reads files with any damage. What is found is possible, and adds up to a
// state that a new MANIFEST can begin with.
func FuzzSalvage(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, text := range histories() {
		f.Add(text)
		for _, n := range []int{1, 3, 40} {
			bad := bytes.Clone(text)
			at := rng.IntN(len(bad) - n)
			for i := range n {
				bad[at+i] ^= byte(rng.IntN(256))
			}
			f.Add(bad)
		}
	}
	f.Add([]byte(strings.Repeat(`{"path":`, 100)))
	f.Add([]byte(strings.Repeat(`["segments/0/1-0-9-5.seg",`, 10)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s *Salvage
		var sum State
		var err, sumErr error
		fuzzing.Bounded(t, len(data), func() {
			if s, err = readSalvage(base.ManifestFile, data); err == nil {
				sum, sumErr = s.State()
			}
		})
		if err != nil {
			if !errors.Is(err, ErrNewer) {
				t.Fatal(err)
			}
			return
		}
		if sumErr != nil || s.Mended > s.Damaged {
			t.Fatalf("%v, %d of %d mended", sumErr, s.Mended, s.Damaged)
		}
		if _, err := s.Sound(); err != nil {
			t.Fatal(err)
		}
		first := Edit{
			Number: sum.LastEdit + 1, Add: sum.Live, AddDeletes: sum.Deletes, Remove: sum.Owed(),
			FlushedLSN: sum.FlushedLSN, LastLSN: sum.LastLSN, Horizon: sum.Horizon, Catalog: sum.Catalog,
		}
		l := mustCreate(t, fsys.NewMem(), first)
		mustClose(t, l)
	})
}
