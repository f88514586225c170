//go:build linux

package torture

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A file system that can only be read is an error at the start, with a code of its own; what is
// there can be read and checked; and it is all there when it can be written again.
func TestReadOnlyFileSystem(t *testing.T) {
	t.Parallel()
	if !mounter(t) {
		return
	}
	root := scene(t, "")
	home := filepath.Join(root, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	disk, dir := smallDisk(t, root, home, "16m"), filepath.Join(home, "data")
	p := serve(t, dir, "--fsync=always")
	p.want(204, "POST", "/write", "filed v=1 1700000000000000000", "")
	p.want(200, "POST", "/api/v1/admin/flush", "", "")
	p.want(204, "POST", "/write", "logged v=2 1700000000000000000", "")
	p.kill()

	if err := remount(t, disk, syscall.MS_RDONLY); err != nil {
		t.Skipf("SKIPPED: a file system cannot be mounted for reading only here: %v", err)
	}
	before := tree(t, dir)
	if _, stderr, code := command(t, root, "serve", "--data-dir", dir, "--listen=127.0.0.1:0"); code != 5 || !strings.Contains(stderr, "read-only file system") {
		t.Errorf("serve: code %d, %s", code, stderr)
	}
	for _, args := range [][]string{{"query", "filed.v"}, {"query", "logged.v"}, {"check"}, {"stats"}} {
		stdout, stderr, code := command(t, root, append(args, "--data-dir", dir)...)
		if code != 0 || stdout == "" {
			t.Errorf("%q: code %d, %s", args, code, stderr)
		}
	}
	if after := tree(t, dir); after != before {
		t.Errorf("what was\n%s\nis\n%s", before, after)
	}
	if err := remount(t, disk, 0); err != nil {
		t.Fatal(err)
	}
	p = serve(t, dir)
	for _, name := range []string{"filed_v", "logged_v"} {
		p.want(200, "GET", "/api/v1/query?time=1700000000.1&query="+name, "", name)
	}
	p.term()
	if code := p.wait(); code != 0 {
		t.Errorf("asked to end: %d", code)
	}
}
