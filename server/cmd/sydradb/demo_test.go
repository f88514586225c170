//go:build unix

package main

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asProgram, in the environment, makes the test binary be the program itself.
const asProgram = "SYDRADB_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// demo is a running scripts/demo.sh.
type demo struct {
	command *exec.Cmd
	lines   *bufio.Scanner
	dir     string // of the data
	url     string
	tries   []string // the commands that it shows
}

// startDemo runs what "make demo" runs, until it has shown its commands.
func startDemo(t *testing.T) *demo {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	program := filepath.Join(work, "sydradb")
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	// It ends by itself if this test hangs.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	d := &demo{dir: filepath.Join(work, "data")}
	d.command = exec.CommandContext(ctx, "bash", "../../../scripts/demo.sh", program, d.dir)
	d.command.Cancel = func() error { return d.command.Process.Signal(syscall.SIGTERM) }
	d.command.WaitDelay = 10 * time.Second
	d.command.Env = append(os.Environ(), asProgram+"=1", "COLUMNS=80", "SYDRADB_DEMO_PORT="+strconv.Itoa(port))
	d.command.Stderr = t.Output()
	out, err := d.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.command.Start(); err != nil {
		t.Fatal(err)
	}
	d.lines = bufio.NewScanner(out)
	for d.lines.Scan() {
		line := d.lines.Text()
		if found := regexp.MustCompile(`http://localhost:\d+`).FindString(line); found != "" {
			d.url = found
		}
		if try, ok := strings.CutPrefix(line, "    "); ok {
			d.tries = append(d.tries, try)
		}
		if strings.HasPrefix(line, "Ctrl-C") {
			return d
		}
	}
	t.Fatalf("the demo ended early: %v", d.command.Wait())
	return nil
}

// The demo serves its data, the three commands that it shows do what it says, the README
// shows the same three, and Ctrl-C ends it and keeps the data.
func TestDemo(t *testing.T) {
	for _, tool := range []string{"bash", "awk", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("there is no " + tool)
		}
	}
	d := startDemo(t)
	if len(d.tries) != 3 {
		t.Fatalf("it shows %d commands: %q", len(d.tries), d.tries)
	}
	answers := [][]string{
		{`"ingested":1`, `"rejected":0`},
		{`"status":"success"`, `"__name__":"room_temp"`, `"room":"hall"`, `"21.5"`},
		{`node_load1{host="edge-1"}`, "365 points", "max 1.75"},
	}
	for i, try := range d.tries {
		c := exec.Command("sh", "-c", try)
		c.Env = d.command.Env
		got, err := c.Output()
		for _, want := range answers[i] {
			if err != nil || !strings.Contains(string(got), want) {
				t.Errorf("%s\nprints (%v)\n%s\nwithout %s", try, err, got, want)
			}
		}
	}
	page, err := http.Get(d.url + "/")
	if err != nil {
		t.Fatal(err)
	}
	if err := page.Body.Close(); err != nil || page.StatusCode != http.StatusOK {
		t.Errorf("the page is answered with %s, %v", page.Status, err)
	}
	checkReadme(t, d)

	if err := d.command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var rest []string
	for d.lines.Scan() {
		rest = append(rest, d.lines.Text())
	}
	if err := d.command.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if !slices.ContainsFunc(rest, func(line string) bool { return strings.Contains(line, d.dir) }) {
		t.Errorf("it does not say where the data are: %q", rest)
	}
	if _, err := os.Stat(filepath.Join(d.dir, "FORMAT")); err != nil {
		t.Errorf("the data are gone: %v", err)
	}
}

func checkReadme(t *testing.T, d *demo) {
	t.Helper()
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	program := regexp.MustCompile(`^\S*/sydradb `)
	for _, try := range d.tries {
		try = strings.ReplaceAll(try, d.url, "http://localhost:8080")
		try = program.ReplaceAllString(try, "bin/sydradb ")
		if !strings.Contains(string(readme), "\n    "+try+"\n") {
			t.Errorf("the README does not show %s", try)
		}
	}
}
