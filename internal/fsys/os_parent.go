package fsys

import (
	"errors"
	"fmt"
	"path/filepath"
)

// OSParent returns the directory dir that holds path, which must exist, the operating
// system's file system below it, and the name of path in it. So a single file, or a
// directory that is still to be made, is reached through an FS too. Nothing needs to
// stand at path; the root of a volume has no name and is refused. The FS is an
// io.Closer, as that of OS.
func OSParent(path string) (fs FS, dir, name string, err error) {
	if path == "" {
		return nil, "", "", errors.New("the path is empty")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, "", "", err
	}
	dir = filepath.Dir(abs)
	if dir == abs {
		return nil, "", "", fmt.Errorf("%s is the root of a volume", path)
	}
	if fs, err = OS(dir); err != nil {
		return nil, "", "", err
	}
	return fs, dir, filepath.Base(abs), nil
}

// MkdirParent makes the directory that is to hold path, as MkdirRoot does.
func MkdirParent(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	return MkdirRoot(filepath.Dir(abs))
}
