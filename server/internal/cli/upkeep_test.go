package cli

import (
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// days returns points of two namespaces, one a day, from now back.
func days(n int, now time.Time) string {
	var b strings.Builder
	for i := range n {
		for _, name := range []string{"cpu.load", "weather"} {
			fmt.Fprintf(&b, `{"series":%q,"ts":%d,"value":%d}`+"\n", name, now.Unix()-int64(i)*86400-60, i)
		}
	}
	return b.String()
}

// points returns how many points a query finds.
func (p *program) points(args ...string) int {
	p.t.Helper()
	r := p.run("", append([]string{"query", "--format", "ndjson"}, args...)...)
	if r.code != 0 {
		p.t.Errorf("query %v: %+v", args, r)
	}
	return strings.Count(r.stdout, "\n")
}

func TestRetain(t *testing.T) {
	p := newProgram(t)
	now := time.Now()
	input := days(6, now)
	p.want(0, "", input, "ingest")

	// A step at a time, unless told otherwise.
	r := p.run("", "retain", "--retention-days", "3")
	if r.code != 0 || !strings.HasPrefix(r.stdout, "SERIES  KEPT FROM\nall     20") {
		t.Errorf("retain: %+v", r)
	}
	r = p.run("", "retain", "--retention-days", "3", "--now")
	if r.code != 0 || r.stderr != "" || p.points("cpu.load") != 3 || p.points("weather") != 3 {
		t.Errorf("retain --now: %+v", r)
	}
	// What has expired does not come back, and is not taken again.
	r = p.run(input, "ingest", "--retention-days", "100")
	if r.code != ExitRefused || !strings.Contains(r.stderr, "stdin:7: older than what retention keeps: points before 20") ||
		!strings.HasSuffix(r.stderr, "ingested 6 points (6 rejected)\n") {
		t.Errorf("ingest of what has expired: %+v", r)
	}
	// A namespace has rules of its own.
	r = p.run("", "retain", "--retention", "cpu=2,disk=9", "--now")
	if lines := strings.Split(r.stdout, "\n"); r.code != 0 || len(lines) != 5 ||
		!strings.HasPrefix(lines[1], "cpu         20") || !strings.HasPrefix(lines[2], "disk        20") || !strings.HasPrefix(lines[3], "all others  20") {
		t.Errorf("retain of a namespace: %+v", r)
	}
	if n, m := p.points("cpu.load"), p.points("weather"); n != 2 || m != 3 {
		t.Errorf("%d and %d points left, want 2 and 3", n, m)
	}

	// It keeps its horizon without them, and is shown with it.
	r = p.run("", "retain", "--retention-days", "100", "--now")
	if lines := strings.Split(r.stdout, "\n"); r.code != 0 || len(lines) != 4 ||
		!strings.HasPrefix(lines[1], "cpu         20") || !strings.HasPrefix(lines[2], "all others  20") {
		t.Errorf("retain without the rule of a namespace: %+v", r)
	}

	p.env = append(p.env, "SYDRADB_RETENTION=weather=1, cpu=0.5", "SYDRADB_RETENTION_DAYS=1")
	r = p.run("", "retain", "--now")
	if n, m := p.points("cpu.load"), p.points("weather"); r.code != 0 || n != 1 || m != 1 {
		t.Errorf("retain by the environment: %d and %d points left; %+v", n, m, r)
	}
	p.env = append(p.env, "SYDRADB_RETENTION=weather")
	p.fails(ExitUsage, "", []string{"flush"}, "SYDRADB_RETENTION=weather: want NAMESPACE=DAYS")
	if r := p.run("", "flush", "--retention", "weather=100"); r.code != 0 {
		t.Errorf("a flag beside a variable that is wrong: %+v", r)
	}
}

// Retention that stops short says so, and why.
func TestRetainSaysWhatIsLeft(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", days(60, time.Now()), "ingest")
	p.run("", "flush")
	r := p.run("", "retain", "--retention-days", "3")
	if n := p.points("weather"); r.code != 0 || n <= 3 || n >= 60 {
		t.Errorf("%d points left: %+v", n, r)
	}
	if want := "2 series have older points left: they expire in steps; run it again, or with --now\n"; !strings.HasSuffix(r.stderr, want) {
		t.Errorf("stderr lacks %q:\n%s", want, r.stderr)
	}
	p.want(0, p.run("", "retain", "--retention-days", "3", "--now").stdout[:0], "", "find", "weather", "--end", "-4d")
}

// A clock that is far ahead of the last change is believed only when told so.
func TestRetainIsHeldBack(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", days(6, time.Now()), "ingest")
	p.run("", "flush")
	age(t, filepath.Join(p.dir, "data", "MANIFEST"), 3*24*time.Hour)
	r := p.run("", "retain", "--retention-days", "3")
	if r.code != 0 || r.stdout != "SERIES  KEPT FROM\nall     the beginning\n" || p.points("weather") != 6 {
		t.Errorf("retain: %+v", r)
	}
	for _, want := range []string{"warning: retention is held back (reason the clock is more than", "2 series have older points left; with --now the clock is believed and they expire\n"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("stderr lacks %q:\n%s", want, r.stderr)
		}
	}
	if r := p.run("", "retain", "--retention-days", "3", "--now"); r.code != 0 || r.stderr != "" || p.points("weather") != 3 {
		t.Errorf("retain --now: %+v", r)
	}
}

// age makes a MANIFEST look as if it had been written earlier.
func age(t *testing.T, path string, by time.Duration) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	prev := ""
	for line := range strings.Lines(string(data)) {
		line = regexp.MustCompile(`"wall":\d+`).ReplaceAllStringFunc(line, func(wall string) string {
			ms, err := strconv.ParseInt(wall[len(`"wall":`):], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprintf(`"wall":%d`, ms-by.Milliseconds())
		})
		line = regexp.MustCompile(`"prev":"[^"]*"`).ReplaceAllString(line, `"prev":"`+prev+`"`)
		body, _, found := strings.Cut(line, `,"crc32"`)
		if !found {
			t.Fatalf("no checksum in %s", line)
		}
		prev = fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body)))
		fmt.Fprintf(&out, "%s,\"crc32\":%q}\n", body, prev)
	}
	if err := os.WriteFile(path, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDelete(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", "t,room=a v=1 1\nt,room=a v=2 2\nt,room=b v=1 1\nt,room=c v=9 9\n", "ingest", "--format", "influx", "--precision", "s")
	p.want(0, "flushed 4 points into 3 segment files\n", "", "flush")

	p.fails(ExitUsage, "y\n", []string{"delete", "t_v", "--start", "1", "--end", "2"},
		"to be deleted: points from 1970-01-01T00:00:01Z to 1970-01-01T00:00:02Z of 2 series\n  t_v{room=\"a\"}\n  t_v{room=\"b\"}\n",
		"nothing was done; --yes does it without asking")
	if n := p.points("t_v"); n != 4 {
		t.Errorf("%d points are left without --yes", n)
	}
	p.want(0, "no series has such points\n", "", "delete", "t_v", "--start", "3", "--end", "8", "--yes")
	p.want(0, "no series has such points\n", "", "delete", "nothing", "--all")
	p.want(0, "deleted points of 1 series\n", "", "delete", `t_v{room="a"}`, "--start", "2", "--end", "2", "-y")
	p.want(0, "deleted points of 1 series\n", "", "delete", `{room="c"}`, "--all", "--yes")
	p.want(0, "series,tags,ts,value\nt_v,\"{\"\"room\"\":\"\"a\"\"}\",1,1\nt_v,\"{\"\"room\"\":\"\"b\"\"}\",1,1\n", "", "query", "t_v", "--format", "csv")
	p.want(0, "flushed 0 points into 0 segment files\n", "", "flush")
	if r := p.run("", "check"); r.code != 0 || !strings.HasSuffix(r.stdout, "\n2 delete files\nnothing found\n") {
		t.Errorf("check: %+v", r)
	}
	// What is written afterwards is seen.
	p.want(0, "", "t,room=c v=10 9\n", "ingest", "--format", "influx", "--precision", "s")
	p.want(0, "9,10\n", "", "query", seriesID(t, p, `{room="c"}`), "0", "10")
	r := p.run("", "compact")
	if r.code != 0 || !strings.HasSuffix(r.stdout, ", applied 2 deletions\n") {
		t.Errorf("compact: %+v", r)
	}
	if n := p.points("t_v"); n != 3 {
		t.Errorf("%d points are left", n)
	}
	if r := p.run("", "compact"); r.code != 0 || !strings.HasPrefix(r.stdout, "nothing to merge: 1 file (") {
		t.Errorf("compact again: %+v", r)
	}
	if r := p.run("", "check"); r.code != 0 || !strings.HasSuffix(r.stdout, "nothing found\n") {
		t.Errorf("check: %+v", r)
	}
}

// seriesID returns the id of the one series that a selector names.
func seriesID(t *testing.T, p *program, selector string) string {
	t.Helper()
	r := p.run("", "find", selector)
	id, _, _ := strings.Cut(strings.TrimPrefix(r.stdout, `{"series_id":`), ",")
	if strings.Count(r.stdout, "\n") != 1 {
		t.Fatalf("find %s: %+v", selector, r)
	}
	return id
}

// The limits that an operator sets hold, and say what they are.
func TestLimits(t *testing.T) {
	p := newProgram(t)
	r := p.run("a v=1 1\nb v=1 1\na v=2 2\n", "ingest", "--format", "influx", "--max-series", "1")
	if r.code != ExitRefused || !strings.Contains(r.stderr, `stdin:2: field "v": too many series`) || !strings.HasSuffix(r.stderr, "ingested 2 points (1 rejected)\n") {
		t.Errorf("--max-series: %+v", r)
	}
	p.env = append(p.env, "SYDRADB_MAX_DISK_BYTES=1")
	r = p.run("a v=3 3\n", "ingest", "--format", "influx")
	if r.code != ExitIO || !strings.Contains(r.stderr, "disk") || !strings.HasSuffix(r.stderr, "ingested 0 points (0 rejected)\n") {
		t.Errorf("SYDRADB_MAX_DISK_BYTES: %+v", r)
	}
	p.want(0, "", "a v=3 3\n", "ingest", "--format", "influx", "--max-disk-bytes", "1GiB")
	if n := p.points("a_v"); n != 3 {
		t.Errorf("%d points", n)
	}
	for _, files := range []string{"-1", "0"} {
		dir := filepath.Join(p.dir, "d"+files)
		p.want(0, "", hall, "ingest", "--data-dir", dir, "--max-disk-bytes", "10 MB")
		p.run("", "flush", "--data-dir", dir, "--max-segment-files", files, "--max-disk-bytes", "1g")
		packs, err := filepath.Glob(filepath.Join(dir, "segments", "*", "*.pack"))
		if want := map[string]int{"-1": 0, "0": 1}[files]; err != nil || len(packs) != want {
			t.Errorf("--max-segment-files %s: %d packs, %v", files, len(packs), err)
		}
	}
}

// Files of single series are in codec 2 unless the settings say 1.
func TestSegmentCodec(t *testing.T) {
	p := newProgram(t)
	for name, args := range map[string][]string{"2": nil, "1": {"--segment-codec", "1"}} {
		dir := filepath.Join(p.dir, "codec"+name)
		p.want(0, "", hall, "ingest", "--data-dir", dir)
		p.run("", append([]string{"flush", "--data-dir", dir}, args...)...)
		files, err := filepath.Glob(filepath.Join(dir, "segments", "*", "*.seg"))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		if r := p.run("", "inspect", "segment", files[0]); !strings.Contains(r.stdout, "ts_codec="+name+" val_codec="+name) {
			t.Errorf("%v: %+v", args, r)
		}
	}
	if r := p.run("", "flush", "--segment-codec", "3"); r.code != ExitUsage || !strings.Contains(r.stderr, "want 1 or 2") {
		t.Errorf("--segment-codec 3: %+v", r)
	}
}
