package engine

import (
	"errors"
	"log/slog"
	"sync"

	"github.com/sydradb/sydradb/internal/base"
)

// damagedFiles are the files of points that were found damaged or missing since the
// database was opened, by whom ever: queries and merges fail for them again and again, but
// it is said once. They stay where they are, and no merge takes them. It is safe for
// concurrent use.
type damagedFiles struct {
	logger *slog.Logger

	mu    sync.Mutex
	files map[string]struct{}
}

func newDamagedFiles(logger *slog.Logger) *damagedFiles {
	return &damagedFiles{logger: logger, files: make(map[string]struct{})}
}

// note takes note of the file that err is about, if it is about damage.
func (d *damagedFiles) note(err error) {
	var damage *base.CorruptionError
	if errors.As(err, &damage) && d.add(damage.File) {
		d.logger.Error("a file is damaged; queries that need it fail, everything else works", "error", err)
	}
}

// missing takes note of a file that is not there.
func (d *damagedFiles) missing(file string) {
	if d.add(file) {
		d.logger.Error("a segment file is missing; queries that need it fail", "file", file)
	}
}

func (d *damagedFiles) add(file string) (first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, known := d.files[file]
	d.files[file] = struct{}{}
	return !known
}

// len returns how many there are.
func (d *damagedFiles) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.files)
}
