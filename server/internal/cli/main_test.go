package cli

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// asProgram, in the environment, makes the test binary be the program itself: tests
// then run it as users do, as a process of its own.
const asProgram = "SYDRADB_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(Main(serveForTests))
	}
	os.Exit(m.Run())
}

// program is a directory to work in, with the program to be run there.
type program struct {
	t   *testing.T
	dir string
	env []string
}

// newProgram returns a program in a new directory with the files of testdata/work.
func newProgram(t *testing.T) *program {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "work"))); err != nil {
		t.Fatal(err)
	}
	writeV0(t, filepath.Join(dir, "old"))
	// A directory to find the program in by its name.
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "sydradb")); err != nil {
		t.Fatal(err)
	}
	// What the environment sets is no concern of the tests.
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SYDRADB_") })
	env = append(env, asProgram+"=1", "SYDRADB_DATA_DIR=", "TZ=UTC", "COLUMNS=80",
		"PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return &program{t: t, dir: dir, env: env}
}

// command returns the program with arguments, not started.
func (p *program) command(args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	c := exec.Command(self, args...)
	c.Dir, c.Env = p.dir, p.env
	return c
}

// result is what a run of the program left.
type result struct {
	stdout, stderr string
	code           int
}

// run runs the program on the input and returns what it printed.
func (p *program) run(input string, args ...string) result {
	p.t.Helper()
	c := p.command(args...)
	var stdout, stderr bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(input), &stdout, &stderr
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), c.ProcessState.ExitCode()}
}

// want runs the program and compares exit code and standard output.
func (p *program) want(code int, stdout, input string, args ...string) result {
	p.t.Helper()
	r := p.run(input, args...)
	if r.code != code || r.stdout != stdout {
		p.t.Errorf("sydradb %s: exit code %d, want %d\nstdout:\n%s\nwant:\n%s\nstderr:\n%s",
			strings.Join(args, " "), r.code, code, r.stdout, stdout, r.stderr)
	}
	return r
}

// fails runs the program and wants an exit code and words in standard error.
func (p *program) fails(code int, input string, args []string, words ...string) {
	p.t.Helper()
	r := p.run(input, args...)
	if r.code != code {
		p.t.Errorf("sydradb %s: exit code %d, want %d; stderr:\n%s", strings.Join(args, " "), r.code, code, r.stderr)
	}
	for _, w := range words {
		if !strings.Contains(r.stderr, w) {
			p.t.Errorf("sydradb %s: stderr lacks %q:\n%s", strings.Join(args, " "), w, r.stderr)
		}
	}
	if strings.ContainsRune(r.stderr, 0) {
		p.t.Errorf("sydradb %s: a NUL in stderr: %q", strings.Join(args, " "), r.stderr)
	}
}

// writeV0 makes a small database of version 0: two points of series 1 in a segment
// file, a third one in the log alone, and a tag.
func writeV0(t *testing.T, dir string) {
	t.Helper()
	segment := strings.Join([]string{
		"535953454731",     // SYSEG1
		"0100000000000000", // series id 1
		"0000000000000000", // hour 0
		"02000000",         // 2 points
		"0a00000000000000", // from 10
		"1400000000000000", // to 20
		"14", "14",         // 10, then 10 more, as zigzag varints
		"000000000000f83f", // 1.5
		"0000000000000440", // 2.5
	}, "")
	put := strings.Join([]string{
		"01",               // Put
		"0100000000000000", // series id 1
		"1e00000000000000", // at 30
		"0000000000000c40", // 3.5
	}, "")
	payload := unhex(t, put)
	frame := binary.LittleEndian.AppendUint32(nil, uint32(len(payload)))
	frame = append(frame, payload...)
	frame = binary.LittleEndian.AppendUint32(frame, crc32.ChecksumIEEE(payload))
	for name, data := range map[string][]byte{
		"MANIFEST":                 []byte(`{"series_id":1,"hour_bucket":0,"start_ts":10,"end_ts":20,"count":2,"path":"segments/0/1-10-20-5.seg"}` + "\n"),
		"segments/0/1-10-20-5.seg": unhex(t, segment),
		"wal/current.wal":          frame,
		"tags.json":                []byte(`{"room=hall":[1]}`),
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
