package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/wal"
)

// OpenReadOnly opens the database at the root of fs for reading, whether or not a writer
// has it open. It takes no lock and writes and removes nothing. What it shows is the
// state of one moment during the opening, with every batch and deletion that was
// acknowledged before; what comes later does not show. All files of that state stay open
// until Close.
//
// Errors beside those of Open: ErrBusy if the writer changes files faster than they can
// be opened, and one that names the limit if there are more files than may be open.
func OpenReadOnly(fs fsys.FS, opts Options) (*Engine, error) {
	return openReadOnly(holder{fs: fs, limit: fsys.OpenFileLimit}, opts)
}

func openReadOnly(r holder, opts Options) (*Engine, error) {
	opts.setDefaults()
	if err := mustExist(r.fs); err != nil {
		return nil, err
	}
	var l loader
	var last base.LSN
	h, err := r.hold(context.Background(), func(h *held) (err error) {
		l = newLoader(h, opts)
		last, err = l.loadHeld(h)
		return err
	})
	if err != nil {
		if h != nil {
			err = errors.Join(err, h.Close())
		}
		return nil, err
	}
	e := &Engine{fs: h, opts: opts, held: h, readers: newReaders(h, opts.CacheBytes, l.damaged), reg: l.reg, state: l.state}
	e.reg.engine = e
	e.opened = h.stats(last, l.durable)
	return e, nil
}

// mustExist returns an error unless there is a database at the root of fs.
func mustExist(fs fsys.FS) error {
	isNew, err := isNewDirectory(fs)
	if err == nil && isNew {
		err = fmt.Errorf("%w: it is empty, or holds one that was never finished", ErrNotDatabase)
	}
	return err
}

// loadHeld reads all that is held into memory, and returns the number of the last record.
func (l *loader) loadHeld(h *held) (last base.LSN, err error) {
	l.uuid, l.read = h.uuid, h.state
	cat := l.reg.now().catalog
	at := l.read.Catalog
	if err := catalog.Load(l.fs, base.CatalogFile(at.Generation), at.Bytes, at.CRC, cat); err != nil {
		return 0, err
	}
	if err := l.loadDeletes(); err != nil {
		return 0, err
	}
	report, err := wal.Check(l.fs, h.logOptions(), l.apply)
	if err != nil {
		return 0, err
	}
	l.reg.indexAll()
	cat.Seal()
	return report.Last, nil
}

// stats returns what Stats says of the files, which does not change.
func (h *held) stats(last, durable base.LSN) Stats {
	s := Stats{
		State:         "readonly",
		LastLSN:       uint64(last),
		DurableLSN:    uint64(max(durable, h.state.FlushedLSN, h.state.LastLSN)),
		FlushedLSN:    uint64(h.state.FlushedLSN),
		CatalogBytes:  h.state.Catalog.Bytes,
		ManifestBytes: h.state.Bytes,
	}
	for _, e := range h.dirs[base.WALDir] {
		s.WALBytes += e.Size
	}
	return s
}
