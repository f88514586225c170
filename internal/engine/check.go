package engine

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/codec"
	"github.com/sydradb/sydradb/internal/dict"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/objectstore"
)

// Check reads every byte of the database at the root of fs and holds it against what
// the formats and the invariants say. It changes nothing, and does not stop at the
// first finding. The error is for a directory that cannot be checked (ErrNotDatabase,
// ErrFormat; the report is nil), for the end of ctx, and for files that cannot be read:
// what was found in the others is in the report then.
//
// Of a database that somebody has open it checks what OpenReadOnly would read, as it is
// at one moment, and fails where that does, but for damage.
func Check(ctx context.Context, fs fsys.FS) (report *CheckReport, err error) {
	return check(ctx, fs, nil)
}

// check is Check of a database whose canonical keys are hashed by hash, nil for the
// usual one.
func check(ctx context.Context, fs fsys.FS, hash func([]byte) uint64) (report *CheckReport, err error) {
	c := checker{ctx: ctx, fs: fs, catalog: catalog.New(dict.New(), catalog.Options{Hash: hash}), known: true}
	unlock, err := c.secure()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock.Close()) }()
	if err := c.run(); err != nil {
		return nil, err
	}
	return &c.report, errors.Join(errors.Join(c.unread...), ctx.Err())
}

// lockToRead takes the lock of a database that is to be read as it is. A copy may lack
// the lock file: nobody has it open then, and none is made.
func lockToRead(fs fsys.FS) (io.Closer, error) {
	if err := mustExist(fs); err != nil {
		return nil, err
	}
	found, err := fsys.Exists(fs, base.LockFile)
	if err != nil {
		return nil, err
	}
	if !found {
		return io.NopCloser(nil), nil
	}
	return fs.Lock(base.LockFile)
}

// checker checks one directory. Its fields are what the steps so far have learnt.
type checker struct {
	ctx    context.Context
	fs     fsys.FS
	beside bool // a writer is at work, and fs what is held of its files
	report CheckReport
	unread []error // files that could not be read, the first few

	uuid   [16]byte
	format bool           // FORMAT told the uuid
	state  manifest.State // of the sound lines of MANIFEST
	whole  bool           // these are all its lines: what state does not name is not named

	catalog *catalog.Catalog
	known   bool // catalog holds every series, so one that is not in it does not exist

	damage damaged
}

// damaged is the damage that a repair can do something about, by the paths of files.
type damaged struct {
	catalog   bool                // frames of it, or all
	files     map[string]bool     // segment files, packs and delete files that MANIFEST names
	objects   []string            // objects and refs
	twins     [][2]manifest.Entry // files that both have a point, with one seq
	strangers bool                // series of files are in no catalog
	tags      bool                // tags.json is of no use
	newer     error               // what a newer version may have written, and read
}

// bad notes that a file which MANIFEST names is of no use, or not there.
func (d *damaged) bad(file string) {
	if d.files == nil {
		d.files = make(map[string]bool)
	}
	d.files[file] = true
}

// run takes the steps, each of which does what it can with what those before it found.
func (c *checker) run() error {
	if err := c.checkFormat(); err != nil {
		return err
	}
	if err := c.checkManifest(); err != nil {
		return err
	}
	c.checkCatalog()
	c.checkLog()
	c.checkSegments()
	c.checkDeletes()
	c.checkObjects()
	c.checkTags()
	c.checkNames()
	c.report.Series = int64(c.catalog.Len())
	return nil
}

// secure keeps writers away, or, if there is one, turns to its files of this moment.
// Closing the result ends that.
func (c *checker) secure() (io.Closer, error) {
	lock, err := lockToRead(c.fs)
	if !errors.Is(err, fsys.ErrLocked) {
		return lock, err
	}
	h, err := holdToCheck(c.ctx, c.fs)
	if err != nil {
		return nil, err
	}
	c.fs, c.beside = h, true
	return h, nil
}

// find adds a finding. Beside a writer only damage is one: what looks left over may be
// its work.
func (c *checker) find(severity Severity, file string, offset int64, format string, args ...any) {
	if c.beside && severity != Damage {
		return
	}
	c.report.Findings = append(c.report.Findings, Finding{
		Severity: severity, File: file, Offset: offset, Message: fmt.Sprintf(format, args...),
	})
}

// maxUnread bounds how many files that cannot be read are named.
const maxUnread = 10

// fault files err, which came up with a file: damage is a finding, as is a file that is
// not there; the end of the context is not filed, and anything else means that the file
// could not be read. It reports whether there was an error.
func (c *checker) fault(file string, err error) bool {
	var damage *base.CorruptionError
	switch {
	case err == nil:
		return false
	case errors.As(err, &damage):
		if damage.File != "" {
			file = damage.File
		}
		c.find(Damage, file, damage.Offset, "%s", explain(damage))
	case errors.Is(err, iofs.ErrNotExist):
		c.find(Damage, file, base.WholeFile, "missing")
	case errors.Is(err, codec.ErrUnknown), errors.Is(err, objectstore.ErrUnknownType):
		c.damage.newer = err
		c.find(Damage, file, base.WholeFile, "%v", err)
	case c.ctx.Err() == nil && len(c.unread) < maxUnread:
		c.unread = append(c.unread, err)
	}
	return true
}

// explain returns what an error says beside its place.
func explain(damage *base.CorruptionError) string {
	if errors.Is(damage.Err, iofs.ErrNotExist) {
		return "missing"
	}
	what := "damaged"
	if damage.Err != nil {
		what = damage.Err.Error()
	}
	if damage.Part != "" {
		what = damage.Part + ": " + what
	}
	return what
}

// stopped reports whether the context has ended.
func (c *checker) stopped() bool { return c.ctx.Err() != nil }

// count counts a file that is read.
func (c *checker) count(file string) {
	if e, err := c.fs.Stat(file); err == nil && e.Regular {
		c.report.Files++
		c.report.Bytes += e.Size
	}
}

// checkFormat reads FORMAT. Its error ends the check.
func (c *checker) checkFormat() error {
	c.count(base.FormatFile)
	uuid, err := readFormat(c.fs)
	if errors.Is(err, ErrFormat) {
		return err
	}
	if c.fault(base.FormatFile, err) {
		return nil
	}
	c.uuid, c.format = uuid, true
	// It has no checksum, but there is only one way to write what it says.
	data, err := fsys.ReadFile(c.fs, base.FormatFile)
	if c.fault(base.FormatFile, err) {
		return nil
	}
	var f formatFile
	if err := json.Unmarshal(data, &f); err != nil {
		c.find(Damage, base.FormatFile, base.WholeFile, "%v", err)
		return nil
	}
	f.UUID = hex.EncodeToString(uuid[:])
	if again, err := json.Marshal(f); err == nil && string(data) != string(again)+"\n" {
		c.find(Damage, base.FormatFile, base.WholeFile, "not as it was written")
	}
	return nil
}

// checkManifest reads MANIFEST. Its error ends the check.
func (c *checker) checkManifest() error {
	c.count(base.ManifestFile)
	state, tail, err := manifest.Read(c.fs, base.ManifestFile)
	c.state = state
	switch {
	case errors.Is(err, manifest.ErrNewer):
		return fmt.Errorf("%w: %w", ErrFormat, err)
	case c.fault(base.ManifestFile, err):
		return nil
	case state.V0:
		c.find(Damage, base.ManifestFile, 0, "lines of version 0, which have no checksum")
		return nil
	case tail == nil:
		c.whole = true
		return nil
	}
	// As the opening does.
	torn, err := isTorn(c.fs, c.uuid, &state)
	switch {
	case c.fault(base.ManifestFile, err):
	case torn:
		c.whole = true
		c.find(Leftover, base.ManifestFile, tail.Offset, "%d bytes of a line whose writing was cut short: %v", tail.Bytes, tail.Err)
	default:
		c.fault(base.ManifestFile, tail.Corruption())
	}
	return nil
}

// checkCatalog reads the frames that MANIFEST vouches for.
func (c *checker) checkCatalog() {
	at := c.state.Catalog
	if at.Generation == 0 {
		c.known = false // MANIFEST does not tell
		if c.whole {
			c.damage.catalog = true
			c.find(Damage, base.ManifestFile, base.WholeFile, "it names no catalog")
		}
		return
	}
	file := base.CatalogFile(at.Generation)
	c.count(file)
	err := catalog.Load(c.fs, file, at.Bytes, at.CRC, c.catalog)
	if c.fault(file, err) {
		c.known, c.damage.catalog = false, true
		return
	}
	if err := c.catalog.Verify(); err != nil {
		c.damage.catalog = true
		c.find(Damage, file, base.WholeFile, "%v", err)
	}
	if e, err := c.fs.Stat(file); c.whole && err == nil && e.Size > at.Bytes {
		c.find(Leftover, file, at.Bytes, "%d bytes that MANIFEST does not count yet; they come again from the log", e.Size-at.Bytes)
	}
	// Lines that were lost may have counted more.
	c.known = c.whole
}
