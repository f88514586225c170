//go:build linux

package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A second process finds out at once that another one has the directory, also when somebody
// has removed the file of the lock, and the first one goes on.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	dir := stage(t)
	p := serve(t, dir)
	p.fine()
	for _, what := range []string{"with LOCK", "after LOCK was removed"} {
		for _, args := range [][]string{{"serve", "--data-dir", dir, "--listen", "127.0.0.1:0"}, {"flush", "--data-dir", dir}, {"repair", "--data-dir", dir, "--yes"}} {
			began := time.Now()
			_, stderr, code := command(t, filepath.Dir(dir), args...)
			if code != 3 || !strings.Contains(stderr, "hint:") || time.Since(began) > 10*time.Second {
				t.Errorf("%s: %s: code %d after %v, %s", what, args[0], code, time.Since(began), stderr)
			}
		}
		p.fine()
		if err := os.Remove(filepath.Join(dir, "LOCK")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// Each way to end has its exit code.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	const token = "canary-0123456789-0123456789-0123456789"
	dir := stage(t)
	p := serve(t, dir)
	p.fine()
	p.term()
	if code := p.wait(); code != 0 {
		t.Errorf("asked to end: %d", code)
	}
	open := filepath.Join(filepath.Dir(dir), "tokens")
	if err := errors.Join(os.WriteFile(open, []byte("read "+token+"\n"), 0o600), os.Chmod(open, 0o640)); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, tt := range map[string]struct {
		code  int
		words string
		args  []string
	}{
		"an unknown flag":               {2, "unknown flag", []string{"--nonsense"}},
		"a setting that cannot be":      {2, "want", []string{"--max-series=-5"}},
		"an address without a token":    {2, "needs a token", []string{"--listen=0.0.0.0:0"}},
		"a tokens file for others":      {2, "chmod 600", []string{"--tokens-file=" + open}},
		"a tokens file that is missing": {2, "no such file", []string{"--tokens-file=" + open + "x"}},
		"a port that is taken":          {5, "address already in use", []string{"--listen=" + taken.Addr().String()}},
	} {
		_, stderr, code := command(t, filepath.Dir(dir), append([]string{"serve", "--data-dir", dir, "--listen=127.0.0.1:0"}, tt.args...)...)
		if code != tt.code || !strings.Contains(stderr, tt.words) || strings.Contains(stderr, "canary") {
			t.Errorf("%s: code %d, %s; want %d and %q", name, code, stderr, tt.code, tt.words)
		}
	}
	manifest := filepath.Join(dir, "MANIFEST")
	if err := os.Truncate(manifest, 3); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	_, stderr, code := command(t, filepath.Dir(dir), "serve", "--data-dir", dir, "--listen=127.0.0.1:0")
	if after, err := os.ReadFile(manifest); code != 4 || !strings.Contains(stderr, "MANIFEST") || err != nil || string(after) != string(before) {
		t.Errorf("damage: code %d, %s; MANIFEST is %q, %v", code, stderr, after, err)
	}
}

// The first SIGTERM waits for the requests under way, the second one ends the process at once,
// and what was acknowledged is there.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	dir := stage(t)
	p := serve(t, dir, "--memtable-max-bytes=64KiB")
	for i := range 20 {
		p.want(204, "POST", "/write", fmt.Sprintf("signal,i=%d v=1 %d", i, 1_700_000_000_000_000_000+int64(i)), "")
	}
	for _, c := range p.flood(1, "POST /write HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n") {
		if _, err := io.ReadFull(c, make([]byte, len("HTTP/1.1 100"))); err != nil { // it waits for the body
			t.Fatal(err)
		}
	}
	p.term()
	if err := poll(30*time.Second, func() (bool, error) {
		if strings.Contains(p.log(), "to=draining") {
			return true, nil
		}
		return false, errors.New("it does not drain")
	}); err != nil {
		t.Fatal(err)
	}
	if !p.alive() {
		t.Fatal("it does not wait for the request under way")
	}
	p.term()
	if code := p.wait(); code != -1 {
		t.Errorf("after a second signal: code %d, want its end by the signal", code)
	}
	p = serve(t, dir)
	p.want(200, "GET", "/api/v1/query?query=count(signal_v)&time=1700000000.1", "", `"20"]`)
	p.term()
	if code := p.wait(); code != 0 {
		t.Errorf("asked to end: %d", code)
	}
}

// Where a link stands in the place of a file or directory of the database, nothing is opened,
// and what the link leads to stays as it is. The data directory itself may be one.
func TestLinksInsteadOfFiles(t *testing.T) {
	t.Parallel()
	dir := stage(t)
	link := filepath.Join(filepath.Dir(dir), "link")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Symlink(dir, link)); err != nil {
		t.Fatal(err)
	}
	p := serve(t, link)
	p.fine()
	p.want(200, "POST", "/api/v1/admin/flush", "", "")
	p.want(204, "POST", "/write", "more v=1 1700000000000000000", "")
	p.kill()
	segment := ""
	if err := filepath.WalkDir(filepath.Join(dir, "segments"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			segment, _ = filepath.Rel(dir, path)
		}
		return err
	}); err != nil || segment == "" {
		t.Fatal(segment, err)
	}
	for _, name := range []string{"LOCK", "FORMAT", "MANIFEST", "CATALOG.1", "wal/current.wal", "wal", "segments", segment} {
		outside := filepath.Join(filepath.Dir(dir), "outside")
		path := filepath.Join(dir, name)
		if err := errors.Join(os.Rename(path, outside), os.Symlink(outside, path)); err != nil {
			t.Fatal(name, err)
		}
		before := tree(t, outside)
		for _, args := range [][]string{{"serve", "--data-dir", dir, "--listen=127.0.0.1:0"}, {"restore", dir, "--data-dir", dir + "-restored"}} {
			if name == segment && args[0] == "serve" {
				continue // it is opened when it is asked for, below
			}
			stdout, stderr, code := command(t, filepath.Dir(dir), args...)
			if code != 4 && code != 5 || stderr == "" {
				t.Errorf("%s for %s: code %d, %s%s", args[0], name, code, stdout, stderr)
			}
		}
		if name == segment {
			if _, stderr, code := command(t, filepath.Dir(dir), "query", "fine_v", "--data-dir", dir); code != 4 && code != 5 {
				t.Errorf("query for %s: code %d, %s", name, code, stderr)
			}
		}
		if after := tree(t, outside); after != before {
			t.Errorf("%s: what the link leads to was %s, is %s", name, before, after)
		}
		if _, err := os.Lstat(dir + "-restored"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something was restored", name)
		}
		if err := errors.Join(os.Remove(path), os.Rename(outside, path)); err != nil {
			t.Fatal(name, err)
		}
	}
	p = serve(t, dir)
	p.fine()
	p.want(200, "GET", "/api/v1/query?query=more_v&time=1700000000", "", `"1"]`)
}

// tree is a directory with all that is in it, or a file, as text.
func tree(t *testing.T, path string) string {
	t.Helper()
	var b strings.Builder
	if err := filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %v\n", path, d.Type())
		if d.Type().IsRegular() {
			text, err := os.ReadFile(path)
			fmt.Fprintf(&b, "%x\n", text)
			return err
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What is made is for its owner alone, whatever the umask is, and the server says so when it
// finds a directory that others may enter.
func TestPermissions(t *testing.T) {
	t.Parallel()
	dir := stage(t)
	p := start(t, filepath.Dir(dir), nil, []string{"sh", "-c", "umask 0; exec " + binary(t) + " serve --listen 127.0.0.1:0 --data-dir " + dir})
	p.ready()
	p.fine()
	p.want(200, "POST", "/api/v1/admin/flush", "", "")
	p.want(200, "POST", "/api/v1/admin/snapshot", "", "")
	p.fine()
	p.term()
	p.wait()
	files := 0
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if want := map[bool]fs.FileMode{false: 0o600, true: 0o700}[d.IsDir()]; info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode().Perm(), want)
		}
		files++
		return nil
	}); err != nil || files < 10 {
		t.Fatal(files, err)
	}
	if strings.Contains(p.log(), "others than its owner") {
		t.Errorf("a warning about %s", dir)
	}
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if p = serve(t, dir); !strings.Contains(p.log(), "others than its owner have access to the data directory") {
		t.Error("no warning")
	}
}

// A directory that cannot be written to is an error at the start, with a code of its own, and
// nothing in it changes.
func TestReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	dir := stage(t)
	p := serve(t, dir)
	p.fine()
	p.term()
	p.wait()
	before := tree(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	program := filepath.Join(filepath.Dir(dir), "sydradb") // a copy: the other may be where nobody else gets
	content, err := os.ReadFile(binary(t))
	if err := errors.Join(err, os.WriteFile(program, content, 0o700)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, program, "serve", "--data-dir", dir, "--listen=127.0.0.1:0")
	cmd.Dir = filepath.Dir(dir)
	cmd.Env = environment()
	if os.Getuid() == 0 { // whom no permission stops
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		if err := openFor(dir, nobody, program); err != nil {
			t.Skipf("SKIPPED: another user is needed, and cannot get at the files: %v", err)
		}
	}
	modes := func(dirs, files fs.FileMode) {
		t.Helper()
		if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if d.IsDir() {
				return errors.Join(err, os.Chmod(path, dirs))
			}
			return errors.Join(err, os.Chmod(path, files))
		}); err != nil {
			t.Fatal(err)
		}
	}
	modes(0o500, 0o400)
	out, err := cmd.CombinedOutput()
	if errors.Is(err, fs.ErrPermission) {
		t.Skipf("SKIPPED: another user is needed, and may not enter %s: %v", dir, err)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 5 || !strings.Contains(string(out), "permission denied") {
		t.Errorf("%v\n%s", err, out)
	}
	modes(0o700, 0o600)
	if after := tree(t, dir); after != before {
		t.Errorf("what was\n%s\nis\n%s", before, after)
	}
}

// openFor gives a user the files of a directory, and lets it run a program and enter the
// directories above, which are ours.
func openFor(dir string, user int, program string) error {
	for _, path := range []string{filepath.Dir(dir), filepath.Dir(filepath.Dir(dir)), program} {
		if err := os.Chmod(path, 0o755); err != nil {
			return err
		}
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, user, user))
	})
}
