package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb"
)

// largeFile describes the input of the kill test: line i, from 0, has the point
// (i, i/8) of series s0 to s6 in turn. An hour has 3,600 lines, so a flush makes many
// files of it.
const (
	largeFileLines  = 200_000
	largeFileSeries = 7
)

func writeLargeFile(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range largeFileLines {
		fmt.Fprintf(w, `{"series":"s%d","ts":%d,"value":%v,"tags":{"host":"a"}}`+"\n", i%largeFileSeries, i, float64(i)/8)
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// What an ingest reported as committed is there after kill -9, whatever the policy,
// and what is there beyond it is a further part of the file without a gap. The next
// run goes on behind the last reported line.
func TestKilledIngestKeepsWhatItCommitted(t *testing.T) {
	const kills, killsPerDatabase, attempts = 20, 4, 40
	p := newProgram(t)
	file := filepath.Join(p.dir, "large.ndjson")
	writeLargeFile(t, file)
	rng := rand.New(rand.NewPCG(20, 9))
	var dir string
	committed := 0
	done := 0
	for attempt := 0; done < kills; attempt++ {
		if attempt == attempts {
			t.Fatalf("only %d of %d runs could be killed before their end", done, attempts)
		}
		if done%killsPerDatabase == 0 || committed == largeFileLines {
			dir = fmt.Sprintf("data%d", attempt)
			committed = 0
		}
		kill := done
		policy := []string{"always", "interval", "none"}[kill%3]
		reported, killed := p.killIngest(file, dir, policy, committed, 1+rng.IntN(8), rng.IntN(2_000_000))
		committed += reported
		if killed {
			done++
		}
		stored := checkPrefix(t, filepath.Join(p.dir, dir), committed, kill%2 == 1)
		t.Logf("kill %d, fsync=%s: %d points reported, %d stored", kill, policy, committed, stored)
	}
	// The rest of the file, over what the last killed run left.
	rest := p.resume(file, committed, "--data-dir", dir)
	if out, err := rest.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), fmt.Sprintf("ingested %d points (0 rejected)\n", largeFileLines-committed)) {
		t.Fatalf("%v\n%s", err, out)
	}
	if stored := checkPrefix(t, filepath.Join(p.dir, dir), largeFileLines, false); stored != largeFileLines {
		t.Errorf("%d points stored in the end, want %d", stored, largeFileLines)
	}
}

// killIngest ingests the file from line from on, counted from 0, and kills the process
// after some reports and a short while more, so that the kill hits it at any place. It
// returns the number of points that the last report named, and whether the kill came
// before the end.
func (p *program) killIngest(file, dir, policy string, from, reports, spins int) (reported int, killed bool) {
	p.t.Helper()
	c := p.resume(file, from, "--data-dir", dir, "--fsync", policy)
	stderr, err := c.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		p.t.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	for n := 0; ; {
		// All that was said before the end counts, but not the half of a line.
		text, err := lines.ReadString('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			p.t.Fatal(err)
		}
		var points, rejected, line int
		if _, err := fmt.Sscanf(text, "committed %d points (%d rejected), line %d\n", &points, &rejected, &line); err != nil {
			continue
		}
		if points != line || rejected != 0 {
			p.t.Fatalf("%q: want as many lines as points", text)
		}
		reported = points
		if n++; n == reports {
			for range spins {
				runtime.KeepAlive(spins)
			}
			if err := c.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				p.t.Fatal(err)
			}
		}
	}
	err = c.Wait()
	if err != nil && c.ProcessState.Exited() {
		p.t.Fatalf("the ingest failed by itself: %v", err)
	}
	return reported, err != nil
}

// checkPrefix verifies that nothing is damaged, that the database opens, that check
// finds nothing at all afterwards, and that it holds the points of the first lines of the file, at least want of
// them. It returns how many.
func checkPrefix(t *testing.T, dir string, want int, flush bool) int {
	t.Helper()
	checkFindsOnly(t, dir, "leftover") // what the killed process was just writing
	db, err := sydradb.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := make([]bool, largeFileLines)
	it, err := db.Query(t.Context(), sydradb.Query{Start: sydradb.MinTime, End: sydradb.MaxTime})
	if err != nil {
		t.Fatal(err)
	}
	stored := 0
	for it.Next() {
		b := it.Block()
		for k, ts := range b.Times {
			i := int(ts / 1e9)
			if i < 0 || i >= largeFileLines || seen[i] || b.Values[k] != float64(i)/8 || b.Series.Name() != fmt.Sprintf("s%d", i%largeFileSeries) {
				t.Fatalf("point %d of %s has the value %v, or is there twice", i, b.Series, b.Values[k])
			}
			seen[i] = true
			stored++
		}
	}
	it.Close()
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
	for i, s := range seen[:stored] {
		if !s {
			t.Fatalf("line %d is missing, but there are %d points", i+1, stored)
		}
	}
	if stored < want {
		t.Fatalf("%d points were reported as committed, %d are there", want, stored)
	}
	if flush {
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	checkFindsOnly(t, dir)
	return stored
}

// checkFindsOnly fails for findings of a check that are not of the allowed severities.
func checkFindsOnly(t *testing.T, dir string, allowed ...string) {
	t.Helper()
	report, err := sydradb.Check(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		if !slices.Contains(allowed, string(f.Severity)) {
			t.Fatalf("check: %+v, one of %d findings", f, len(report.Findings))
		}
	}
}
