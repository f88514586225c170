//go:build linux

package torture

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mounterVariable names the test that runs in a process which may mount.
const mounterVariable = "SYDRADB_MOUNTER"

// mounter reports whether the test may mount file systems. If not, it runs the test once more,
// in a process with user and mount namespaces of its own, and the caller returns: its outcome is
// that of the other. No rights are needed for that, but there are systems that do not allow it,
// where the test is skipped. The network is that of everybody.
func mounter(t *testing.T) bool {
	t.Helper()
	if os.Getenv(mounterVariable) == t.Name() {
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.v", "-test.count=1", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), mounterVariable+"="+t.Name(), "SYDRADB_BINARY="+binary(t))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("SKIPPED: no namespace in which to mount a small disk: %v", err)
	}
	err = cmd.Wait()
	text := strings.TrimSpace(out.String())
	switch {
	case err != nil:
		t.Fatalf("in a namespace of its own: %v\n%s", err, text)
	case strings.Contains(text, "--- SKIP"):
		t.Skip(text)
	}
	t.Log(text)
	return false
}

// smallDisk mounts a file system of that size, in memory, on a new directory below root, and
// one of its directories on home, which is there: beside that is room for other programs. What is
// at home when a test has failed is copied to where it was mounted.
func smallDisk(t *testing.T, root, home, size string) (disk string) {
	t.Helper()
	disk = filepath.Join(root, "disk")
	inside := filepath.Join(disk, "home")
	err := errors.Join(os.Mkdir(disk, 0o700), syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	if err == nil {
		err = syscall.Mount("tmpfs", disk, "tmpfs", 0, "mode=0700,size="+size)
	}
	if err != nil {
		t.Skipf("SKIPPED: a small disk cannot be mounted here: %v", err)
	}
	if err := errors.Join(os.Mkdir(inside, 0o700), syscall.Mount(inside, home, "", syscall.MS_BIND, "")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Unmount(home, syscall.MNT_DETACH) // not there any more if all went well
		if t.Failed() {
			os.CopyFS(home, os.DirFS(inside)) // as far as possible
		}
		syscall.Unmount(disk, syscall.MNT_DETACH)
	})
	return disk
}

// remount makes a mounted file system read-only, or writable again.
func remount(t *testing.T, disk string, flags uintptr) error {
	t.Helper()
	return syscall.Mount("", disk, "", syscall.MS_REMOUNT|flags, "")
}

// ballast is a file of another program that fills a disk.
type ballast struct{ path string }

// fill writes until the disk is full, and gives back what is to be left. It may be
// called again, to take what has become free since.
func (b ballast) fill(left int64) error {
	f, err := os.OpenFile(b.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	zeros := make([]byte, 256<<10)
	for n := len(zeros); n > 0; {
		if _, err = f.Write(zeros[:n]); err == nil {
			continue
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return errors.Join(err, f.Close())
		}
		n /= 2
	}
	info, err := f.Stat()
	if err == nil && left > 0 {
		err = f.Truncate(max(0, info.Size()-left))
	}
	return errors.Join(err, f.Close())
}

// remove frees all that the file takes.
func (b ballast) remove() error { return os.Remove(b.path) }
