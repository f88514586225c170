//go:build linux

package torture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fastjson"
)

// box is a database, its clients, and what has to hold whatever happens to it.
type box struct {
	t        testing.TB
	root     string // logs, ledgers, temporary files
	dir      string // the data directory, alone in a directory
	settings []string
	rng      *rand.Rand
	ledgers  []*ledger
	clients  []*client
	remote   *feeder           // of "ingest --url", if there is one
	ids      map[string]string // by series, for ever
	flushed  int64             // up to which record of the log points are in files
}

// newBox makes an empty database in a new directory of the scene, and a process starts with
// these settings there.
func newBox(t testing.TB, scene string, seed uint64, settings ...string) *box {
	t.Helper()
	root, err := os.MkdirTemp(scene, "box-")
	if err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, root: root, dir: filepath.Join(root, "alone", "data"), rng: rand.New(rand.NewPCG(seed, 1)), ids: map[string]string{}}
	for _, d := range []string{"alone", "tmp"} {
		if err := os.Mkdir(filepath.Join(root, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	b.settings = append([]string{"TMPDIR=" + filepath.Join(root, "tmp"), "--log-level=warn"}, settings...)
	return b
}

// client adds a client of a protocol.
func (b *box) client(name string, p protocol) *client {
	c := newClient(b.t, b.root, name, p, b.rng.Uint64())
	b.clients = append(b.clients, c)
	b.ledgers = append(b.ledgers, c.ledger)
	return c
}

// launch starts a server and does not wait for it.
func (b *box) launch(settings ...string) *program {
	b.t.Helper()
	return launch(b.t, b.dir, slices.Concat(b.settings, settings)...)
}

// serve starts a server.
func (b *box) serve(settings ...string) *program {
	b.t.Helper()
	p := b.launch(settings...)
	p.ready()
	return p
}

// everything selects all that the clients write.
const everything = `{c!=""}`

// verify compares what was read with all ledgers, which take over what is there of requests
// without an answer.
func (b *box) verify(how string, found contents) {
	b.t.Helper()
	b.compare(how, found, (*ledger).verify)
}

// agree compares what was read with all ledgers. What has no answer may still be there or not
// the next time.
func (b *box) agree(how string, found contents) {
	b.t.Helper()
	b.compare(how, found, func(l *ledger, found contents) error {
		_, err := l.compare(found)
		return err
	})
}

func (b *box) compare(how string, found contents, with func(*ledger, contents) error) {
	b.t.Helper()
	var faults []error
	unknown := maps.Clone(found)
	for _, l := range b.ledgers {
		faults = append(faults, with(l, found))
		for series := range l.cells {
			delete(unknown, series)
		}
	}
	for series := range unknown {
		faults = append(faults, fmt.Errorf("nobody sent points of %s", series))
	}
	if err := errors.Join(faults...); err != nil {
		b.t.Fatalf("%s:\n%v", how, err)
	}
}

// lines calls do with every line of JSON.
func lines[T any](text []byte, do func(T) error) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	for {
		var v T
		if err := d.Decode(&v); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := do(v); err != nil {
			return err
		}
	}
}

// key is the text of a series.
func key(name string, tags map[string]string) string {
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		pairs = append(pairs, fmt.Sprintf("%s=%q", k, tags[k]))
	}
	return name + "{" + strings.Join(pairs, ",") + "}"
}

// reader takes in lines of JSON about points. There are many.
type reader struct {
	contents
	parser fastjson.Parser
	keys   map[string]string // by name and tags as they stand in the line
}

func newReader() *reader { return &reader{contents: contents{}, keys: map[string]string{}} }

// line calls do with the series that a line is about, and with the line.
func (r *reader) line(text []byte, do func(series string, v *fastjson.Value) error) error {
	v, err := r.parser.ParseBytes(text)
	if err != nil {
		return err
	}
	if v.Exists("error") {
		return fmt.Errorf("%s", text)
	}
	tags := v.GetObject("tags")
	raw := string(tags.MarshalTo(append(v.GetStringBytes("series"), ' ')))
	if _, known := r.keys[raw]; !known {
		m := map[string]string{}
		tags.Visit(func(k []byte, v *fastjson.Value) { m[string(k)] = literal(v) })
		r.keys[raw] = key(string(v.GetStringBytes("series")), m)
	}
	return do(r.keys[raw], v)
}

// literal is the text of a number, or of a string.
func literal(v *fastjson.Value) string {
	if v.Type() == fastjson.TypeString {
		return string(v.GetStringBytes())
	}
	return string(v.MarshalTo(nil))
}

// add takes one point in, as it was decoded with UseNumber.
func (c contents) add(series string, ts, value any) error {
	return c.put(series, fmt.Sprint(ts), fmt.Sprint(value))
}

// put takes one point in. A time that is there already is an error.
func (c contents) put(series, ts, value string) error {
	whole, fraction, _ := strings.Cut(ts, ".")
	ns, err := strconv.ParseInt(whole+(fraction + "000000000")[:9], 10, 64)
	if err != nil {
		return err
	}
	if c[series] == nil {
		c[series] = map[int64]uint64{}
	}
	if _, there := c[series][ns]; there {
		return fmt.Errorf("%s has two points at %s", series, ts)
	}
	c[series][ns], err = parseBits(value)
	return err
}

// parseBits reads a value as our own formats write it.
func parseBits(text string) (uint64, error) {
	if hex, ok := strings.CutPrefix(text, "NaN:"); ok {
		return strconv.ParseUint(hex, 16, 64)
	}
	if text == "NaN" {
		return 0x7ff8000000000001, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	return math.Float64bits(v), err
}

// ask reads everything from a running server.
func (b *box) ask(p *program) contents {
	b.t.Helper()
	status, body, err := p.get("/api/v1/query/select?selector=" + url.QueryEscape(everything))
	if err != nil || status != http.StatusOK {
		b.t.Fatalf("read everything: status %d, %v\n%.500s", status, err, body)
	}
	found := newReader()
	for text := range bytes.Lines(body) {
		err = errors.Join(err, found.line(text, func(series string, v *fastjson.Value) error {
			for _, p := range v.GetArray("points") {
				if err := found.put(series, literal(p.Get("0")), literal(p.Get("1"))); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return found.contents
}

// dump reads everything from the files, without a server.
func (b *box) dump() contents {
	b.t.Helper()
	found := newReader()
	if _, err := os.Stat(filepath.Join(b.dir, "FORMAT")); err != nil {
		return found.contents // killed while the database was made
	}
	out, complaints, code := command(b.t, filepath.Dir(b.dir), "export", "--data-dir", b.dir, "--format", "ndjson")
	if code != 0 {
		b.t.Fatalf("export: exit code %d\n%s", code, complaints)
	}
	var err error
	for text := range strings.Lines(out) {
		err = errors.Join(err, found.line([]byte(text), func(series string, v *fastjson.Value) error {
			return found.put(series, literal(v.Get("ts")), literal(v.Get("value")))
		}))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return found.contents
}

// check has a directory checked, and fails for findings of other severities than allowed.
func (b *box) check(dir string, allowed ...string) {
	b.t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "FORMAT")); err != nil {
		return
	}
	out, complaints, code := command(b.t, filepath.Dir(b.dir), "check", "--data-dir", dir, "--format", "json")
	var report struct {
		Findings []struct{ Severity string }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != 0 {
		b.t.Fatalf("check: exit code %d, %v\n%s\n%s", code, err, complaints, out)
	}
	for _, f := range report.Findings {
		if !slices.Contains(allowed, f.Severity) {
			b.t.Fatalf("check: %s", out)
		}
	}
}

// offline looks at what a process left behind, without changing it. Leftovers are what one
// that was killed was just writing.
func (b *box) offline(allowed ...string) {
	b.t.Helper()
	b.check(b.dir, allowed...)
	b.verify("read from the files", b.dump())
	b.progress()
	b.alone()
}

// flushedLSN is what each edit of MANIFEST says about the log.
var flushedLSN = regexp.MustCompile(`\bflushed_lsn=(\d+)`)

// progress fails if MANIFEST has ever gone back.
func (b *box) progress() {
	b.t.Helper()
	path := filepath.Join(b.dir, "MANIFEST")
	if _, err := os.Stat(path); err != nil {
		return // killed while the database was made
	}
	out, complaints, code := command(b.t, filepath.Dir(b.dir), "inspect", "manifest", path)
	if code != 0 {
		b.t.Fatalf("inspect manifest: exit code %d\n%s", code, complaints)
	}
	last := int64(0)
	for _, m := range flushedLSN.FindAllStringSubmatch(out, -1) {
		lsn, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil || lsn < last {
			b.t.Fatalf("flushed_lsn=%s after %d, %v", m[1], last, err)
		}
		last = lsn
	}
	if last < b.flushed {
		b.t.Fatalf("MANIFEST says flushed_lsn=%d, and has said %d", last, b.flushed)
	}
	b.flushed = last
}

// alone fails if anything is beside the data directory, or among the temporary files.
func (b *box) alone() {
	b.t.Helper()
	beside, err1 := os.ReadDir(filepath.Dir(b.dir))
	temporary, err2 := os.ReadDir(filepath.Join(b.root, "tmp"))
	if err := errors.Join(err1, err2); err != nil {
		b.t.Fatal(err)
	}
	for _, e := range append(beside, temporary...) {
		if e.Name() != filepath.Base(b.dir) {
			b.t.Fatalf("%s was made outside of the data directory", e.Name())
		}
	}
}

// online looks at a server that has just become ready: what it answers, and what it holds on
// to.
func (b *box) online(p *program) {
	b.t.Helper()
	found := b.ask(p)
	b.verify("read from the server", found)
	b.labels(p, found)
	b.settled(p)
}

// labels compares the answers about series and labels with those found by going through all.
func (b *box) labels(p *program, found contents) {
	b.t.Helper()
	var all []map[string]string
	for series := range found {
		m := map[string]string{}
		for _, l := range labels(series) {
			m[l[0]] = l[1]
		}
		all = append(all, m)
	}
	some := strconv.Itoa(b.rng.IntN(12))
	for selector, matches := range map[string]func(map[string]string) bool{
		everything:           func(m map[string]string) bool { return m["c"] != "" },
		`{g="` + some + `"}`: func(m map[string]string) bool { return m["g"] == some },
		`t{p=~"write.|otlp",g!="` + some + `"}`: func(m map[string]string) bool {
			return m["__name__"] == "t" && (strings.HasPrefix(m["p"], "write") || m["p"] == "otlp") && m["g"] != some
		},
	} {
		want, values := map[string]bool{}, map[string]bool{}
		for _, m := range all {
			if matches(m) {
				want[fmt.Sprint(m)] = true
				values[m["g"]] = true
			}
		}
		var series struct{ Data []map[string]string }
		var names struct{ Data []string }
		b.api(p, "/api/v1/series", selector, &series)
		b.api(p, "/api/v1/label/g/values", selector, &names)
		got := map[string]bool{}
		for _, m := range series.Data {
			got[fmt.Sprint(m)] = true
		}
		if !maps.Equal(got, want) || len(series.Data) != len(want) {
			b.t.Fatalf("series of %s: %d, want %d\n%v\n%v", selector, len(series.Data), len(want), got, want)
		}
		delete(values, "")
		if wanted := slices.Sorted(maps.Keys(values)); !slices.Equal(names.Data, wanted) {
			b.t.Fatalf("values of g in %s: %q, want %q", selector, names.Data, wanted)
		}
	}
	b.identities(p)
}

// api asks one of Prometheus' endpoints about the series of a selector, of all times that are
// written.
func (b *box) api(p *program, path, selector string, into any) {
	b.t.Helper()
	status, body, err := p.get(path + "?" + url.Values{"match[]": {selector}, "start": {"1600000000"}, "end": {"1900000000"}}.Encode())
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil || status != http.StatusOK {
		b.t.Fatalf("%s of %s: status %d, %v\n%.500s", path, selector, status, err, body)
	}
}

// identities fails if a series has another id than before, or that of another one.
func (b *box) identities(p *program) {
	b.t.Helper()
	status, body, err := p.get("/api/v1/query/series?selector=" + url.QueryEscape(everything))
	if err != nil || status != http.StatusOK {
		b.t.Fatalf("ids: status %d, %v\n%.500s", status, err, body)
	}
	err = lines(body, func(s struct {
		ID     json.Number `json:"series_id"`
		Series string
		Tags   map[string]string
	}) error {
		series := key(s.Series, s.Tags)
		for other, id := range b.ids {
			if (other == series) != (id == s.ID.String()) {
				return fmt.Errorf("%s has the id %s, but %s has the id %s", series, s.ID, other, id)
			}
		}
		b.ids[series] = s.ID.String()
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// settled waits until the server is done with what opening left to do, and fails if it keeps
// temporary files, files that are gone, or more of them open for being asked.
func (b *box) settled(p *program) {
	b.t.Helper()
	before := -1
	err := poll(20*time.Second, func() (bool, error) {
		err := filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".tmp") {
				err = fmt.Errorf("%s is there", path)
			}
			if errors.Is(err, fs.ErrNotExist) {
				err = nil // removed meanwhile
			}
			return err
		})
		if err != nil {
			return false, err
		}
		links, err := openFiles(p)
		if err != nil {
			return true, err
		}
		for _, l := range links {
			if strings.HasSuffix(l, "(deleted)") {
				return false, fmt.Errorf("%s is open", l)
			}
		}
		n := len(links)
		if before < 0 || n > before {
			err := fmt.Errorf("%d files are open after the last questions, %d before", n, before)
			before = max(before, n)
			b.ask(p)
			return false, err
		}
		return true, nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// openFiles lists what the process has open.
func openFiles(p *program) ([]string, error) {
	dir := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil { // else it was just closed
			out = append(out, to)
		}
	}
	return out, nil
}
