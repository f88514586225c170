package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/sydradb/sydradb/server/internal/render"
)

// writeOutput calls do with a writer for what the user named as the output: standard
// output for "" and "-", else a file, compressed if its name asks for it. A regular
// file appears, or is replaced, when it is complete, and a symbolic link to it stays.
// A pipe or a device is written to. An *render.UnwritableError of do leaves the rest
// of the output in place.
func (a *App) writeOutput(ctx context.Context, name string, do func(io.Writer) error) error {
	if name == "" || name == "-" {
		return do(a.Out)
	}
	target, err := followLinks(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return replaceFile(name, target, 0o644, do)
	case err != nil:
		return err
	case info.IsDir():
		return usage("--output %s is a directory", name)
	case a.isStandardOutput(info): // /dev/stdout: it may be open at another place than its start
		return compressed(name, a.Out, do)
	case info.Mode().IsRegular():
		return replaceFile(name, target, info.Mode().Perm(), do)
	}
	f, err := openWaiting(ctx, target)
	if err != nil {
		return err
	}
	err = compressed(name, f, do)
	return errors.Join(err, f.Close())
}

// openWaiting opens a pipe or device for writing. A pipe without a reader makes it wait
// until there is one, or ctx ends.
func openWaiting(ctx context.Context, target string) (*os.File, error) {
	type result struct {
		f   *os.File
		err error
	}
	opened := make(chan result, 1)
	go func() {
		f, err := os.OpenFile(target, os.O_WRONLY, 0)
		opened <- result{f, err}
	}()
	select {
	case r := <-opened:
		return r.f, r.err
	case <-ctx.Done():
		return nil, ctx.Err() // what is opened after all ends with the process
	}
}

func (a *App) isStandardOutput(info fs.FileInfo) bool {
	out, err := a.Out.Stat()
	return err == nil && os.SameFile(out, info)
}

// followLinks returns what name stands for, which need not exist: the end of a chain of
// symbolic links, or name itself. A link that the system alone can follow, as those of
// /proc to pipes, is its own end.
func followLinks(name string) (string, error) {
	const most = 40 // as the system itself
	path := name
	for range most {
		info, err := os.Lstat(path)
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return path, nil // a missing directory is found when the file is made
		}
		next, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(next) {
			// Not cleaned: x/.. is not x's parent where x is a link.
			next = filepath.Dir(path) + string(filepath.Separator) + next
		}
		if _, err := os.Lstat(next); errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Stat(path); err == nil {
				return path, nil
			}
		}
		path = next
	}
	return "", fmt.Errorf("%s: too many symbolic links", name)
}

// replaceFile writes a file beside target, which gets the name target when it is
// complete. Errors name it as the user did.
func replaceFile(name, target string, mode fs.FileMode, do func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*")
	if err != nil {
		return renameError(err, name)
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	refused := compressed(name, f, do)
	var unwritable *render.UnwritableError
	if refused != nil && !errors.As(refused, &unwritable) {
		var path *fs.PathError // of the output, or of a file of the database
		if errors.As(refused, &path) && path.Path == f.Name() {
			refused = renameError(refused, name)
		}
		return errors.Join(refused, f.Close())
	}
	if err := errors.Join(f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return renameError(err, name)
	}
	if err := os.Rename(f.Name(), target); err != nil {
		return renameError(err, name)
	}
	return refused
}

// renameError puts name in the place of the file that an error of the system names.
func renameError(err error, name string) error {
	var (
		path *fs.PathError
		link *os.LinkError
	)
	switch {
	case errors.As(err, &path):
		return &fs.PathError{Op: path.Op, Path: name, Err: path.Err}
	case errors.As(err, &link):
		return &fs.PathError{Op: link.Op, Path: name, Err: link.Err}
	}
	return err
}

// compressed calls do with a writer to f that compresses if name says so.
func compressed(name string, f io.Writer, do func(io.Writer) error) error {
	var w io.WriteCloser
	switch strings.ToLower(filepath.Ext(name)) {
	case ".gz":
		w = gzip.NewWriter(f)
	case ".zst":
		z, err := zstd.NewWriter(f)
		if err != nil {
			return err
		}
		w = z
	default:
		return do(f)
	}
	err := do(w)
	return cmp.Or(w.Close(), err)
}
