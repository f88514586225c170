package fsys

import (
	"errors"
	"fmt"
	"path/filepath"
)

// OSParent returns the operating system's file system of the directory that holds
// path, which must exist, and the name of path in it. So a single file, or a directory
// that is still to be made, is reached through an FS too. Nothing needs to stand at
// path; the root of a volume has no name and is refused. The FS is an io.Closer, as
// that of OS.
func OSParent(path string) (fs FS, name string, err error) {
	if path == "" {
		return nil, "", errors.New("the path is empty")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, "", err
	}
	dir := filepath.Dir(abs)
	if dir == abs {
		return nil, "", fmt.Errorf("%s is the root of a volume", path)
	}
	if fs, err = OS(dir); err != nil {
		return nil, "", err
	}
	return fs, filepath.Base(abs), nil
}
