package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/sydradb/sydradb"
)

// withDB opens the database, calls do and closes the database. Its own errors and
// those of do are joined.
func (a *App) withDB(opts sydradb.Options, do func(*sydradb.DB) error) error {
	opts.Logger = a.logger()
	db, err := sydradb.Open(a.dataDir, &opts)
	if err != nil {
		return err
	}
	err = do(db)
	if closing := db.Close(); closing != nil {
		err = errors.Join(err, fmt.Errorf("close %s: %w", a.dataDir, closing))
	}
	return err
}

// withExistingDB is withDB for commands that make no sense without data: they must
// not create a database where somebody mistyped a name.
func (a *App) withExistingDB(do func(*sydradb.DB) error) error {
	if err := a.mustExist(); err != nil {
		return err
	}
	return a.withDB(sydradb.Options{}, do)
}

func (a *App) mustExist() error {
	files, err := os.ReadDir(a.dataDir)
	if err == nil && len(files) > 0 {
		return nil
	}
	if err == nil || errors.Is(err, os.ErrNotExist) {
		return &codedError{ExitUsage, fmt.Errorf("there is no database in %s: %w", a.dataDir, sydradb.ErrNotDatabase)}
	}
	return err
}
