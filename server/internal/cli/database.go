package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/sydradb/sydradb"
)

// withDB opens the database, calls do and closes the database. Its own errors and
// those of do are joined.
func (a *App) withDB(opts sydradb.Options, do func(*sydradb.DB) error) error {
	if err := a.mustBeDirectory(); err != nil {
		return err
	}
	if opts.Logger == nil {
		opts.Logger = a.logger()
	}
	db, err := sydradb.Open(a.dataDir, &opts)
	if errors.Is(err, sydradb.ErrCorrupt) {
		return hinted(err, "nothing was changed; %s", a.damageHint())
	}
	if err != nil {
		return a.explainAccess(err)
	}
	err = do(db)
	if closing := db.Close(); closing != nil {
		err = errors.Join(err, fmt.Errorf("close %s: %w", a.dataDir, closing))
	}
	return a.explain(err)
}

// damageHint says what can be done about damage.
func (a *App) damageHint() string {
	return "see all of the damage, and what can be done, with: sydradb repair --data-dir " + a.dataDir
}

// explainAccess is explain for errors that may be about --data-dir itself.
func (a *App) explainAccess(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return hinted(err, "check the owner and the mode of %s", a.dataDir)
	}
	return a.explain(err)
}

// explain adds to an error of the database in --data-dir what can be done about it.
func (a *App) explain(err error) error {
	switch {
	case errors.Is(err, sydradb.ErrLocked):
		return hinted(err, "another process has %s open; stop it first, or look for it with: fuser %s", a.dataDir, filepath.Join(a.dataDir, "LOCK"))
	case errors.Is(err, sydradb.ErrBusy):
		return hinted(err, "run the command again; if no other process writes to it, a file is missing: sydradb check --data-dir %s", a.dataDir)
	case errors.Is(err, sydradb.ErrCorrupt):
		return hinted(err, "%s", a.damageHint())
	case errors.Is(err, sydradb.ErrVersion0):
		return hinted(err, "make a new database of it with: sydradb import v0 %s --data-dir NEW", a.dataDir)
	case errors.Is(err, sydradb.ErrNotDatabase):
		return hinted(err, "--data-dir or SYDRADB_DATA_DIR names the directory of the database")
	case errors.Is(err, sydradb.ErrFormat):
		return hinted(err, "use the version of sydradb that wrote it, or a later one")
	case isFull(err):
		return hinted(err, "free some space and run the command again; what was committed is safe")
	case errors.Is(err, sydradb.ErrStorageFailed):
		return hinted(err, "the disk or its connection has a fault; look at the system log before trying again")
	}
	return err
}

// isFull reports whether an error is about room on the disk: what the library makes an
// ErrDiskFull is about writing points, but opening and copying need room, too.
func isFull(err error) bool {
	return errors.Is(err, sydradb.ErrDiskFull) || errors.Is(err, syscall.ENOSPC)
}

// isDatabase reports whether dir looks like a database of this version, or a later one.
func isDatabase(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "FORMAT"))
	return err == nil
}

// withExistingDB is withDB for commands that make no sense without data: they must
// not create a database where somebody mistyped a name.
func (a *App) withExistingDB(opts sydradb.Options, do func(*sydradb.DB) error) error {
	if err := a.mustExist(); err != nil {
		return err
	}
	return a.withDB(opts, do)
}

// withReader is withExistingDB for commands that only read. Another process may have the
// database open meanwhile.
func (a *App) withReader(do func(*sydradb.DB) error) error {
	return a.withExistingDB(sydradb.Options{ReadOnly: true}, do)
}

// mustBeDirectory refuses a data directory that is a file. It may be missing.
func (a *App) mustBeDirectory() error {
	if info, err := os.Stat(a.dataDir); err == nil && !info.IsDir() {
		return usage("--data-dir %s is not a directory", a.dataDir)
	}
	return nil
}

// mustBeFree refuses a data directory that holds anything.
func (a *App) mustBeFree() error { return mustBeFree("--data-dir", a.dataDir) }

// mustExist refuses a data directory that holds nothing.
func (a *App) mustExist() error {
	if err := a.mustBeDirectory(); err != nil {
		return err
	}
	files, err := os.ReadDir(a.dataDir)
	if err == nil && len(files) > 0 {
		return nil
	}
	if err == nil || errors.Is(err, os.ErrNotExist) {
		return hinted(usage("there is no database in %s", a.dataDir), "--data-dir or SYDRADB_DATA_DIR names the directory of the database")
	}
	return a.explainAccess(err)
}
