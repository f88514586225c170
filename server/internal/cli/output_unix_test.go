//go:build unix

package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// What is there under the name of an output, a pipe or a link, stays what it is.
func TestExportLeavesPipesAndLinksInPlace(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", hall, "ingest")
	p.want(0, hall, "", "export", "-o", "-")

	fifo := filepath.Join(p.dir, "pipe.ndjson")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	// Open for both directions, so that no open waits and the text stays in the pipe.
	f, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p.want(0, "", "", "export", "-o", "pipe.ndjson")
	got := make([]byte, len(hall))
	if _, err := io.ReadFull(f, got); err != nil || string(got) != hall {
		t.Errorf("the pipe got %q, %v", got, err)
	}
	if info, err := os.Lstat(fifo); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		t.Errorf("the pipe became %v, %v", info, err)
	}

	// A link to a link to a file in another directory, which exists or not.
	other := filepath.Join(p.dir, "other")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{
		"a": "b", "b": "other/c", "dangling": "other/d", "other/e": "../f", "pipelink": "pipe.ndjson",
	} {
		if err := os.Symlink(target, filepath.Join(p.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(other, "c"), []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	for link, file := range map[string]string{"a": "other/c", "dangling": "other/d", "other/e": "f"} {
		p.want(0, "", "", "export", "-o", link)
		if info, err := os.Lstat(filepath.Join(p.dir, link)); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("the link %s became %v, %v", link, info, err)
		}
		if got, err := os.ReadFile(filepath.Join(p.dir, file)); err != nil || string(got) != hall {
			t.Errorf("%s holds %q, %v", file, got, err)
		}
	}
	if info, err := os.Stat(filepath.Join(other, "c")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode of a file that was replaced: %v, %v", info, err)
	}
	p.want(0, "", "", "export", "-o", "pipelink")
	if _, err := io.ReadFull(f, got); err != nil || string(got) != hall {
		t.Errorf("the pipe behind a link got %q, %v", got, err)
	}

	// Standard output under its own name, here a file that has a beginning already.
	out, err := os.Create(filepath.Join(p.dir, "redirected"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := out.WriteString("begun\n"); err != nil {
		t.Fatal(err)
	}
	c := p.command("export", "-o", "redirected")
	c.Stdout = out
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(out.Name()); err != nil || string(got) != "begun\n"+hall {
		t.Errorf("the redirected output is %q, %v", got, err)
	}

	if err := os.Symlink("loop", filepath.Join(p.dir, "loop")); err != nil {
		t.Fatal(err)
	}
	p.fails(ExitIO, "", []string{"export", "-o", "loop"}, "loop: too many symbolic links")
	p.fails(ExitUsage, "", []string{"export", "-o", "data"}, "--output data is a directory")
	p.fails(ExitIO, "", []string{"export", "-o", "nodir/x"}, "nodir/x: no such file")
}

// TestPipeWithoutReaderCanBeInterrupted verifies that the wait for a reader of a pipe
// ends with the context.
func TestPipeWithoutReaderCanBeInterrupted(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := openWaiting(ctx, fifo); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	// Let the opening that still waits come to its end.
	r, err := os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}
