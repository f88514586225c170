package engine

import (
	"errors"
	iofs "io/fs"
	"path"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/tags"
)

// checkTags reads tags.json. It is a convenience, made from the catalog: whatever is
// wrong with it is no damage, and it may be older than the catalog.
func (c *checker) checkTags() {
	data, err := fsys.ReadFile(c.fs, base.TagsFile)
	if errors.Is(err, iofs.ErrNotExist) || c.fault(base.TagsFile, err) {
		return
	}
	c.count(base.TagsFile)
	c.damage.tags = true
	if _, stamped := tags.ReadStamp(data); !stamped {
		c.find(Leftover, base.TagsFile, 0, "it does not say which catalog it is of; the next clean close writes it anew")
		return
	}
	var damage *base.CorruptionError
	if _, err := tags.ReadV0(data); errors.As(err, &damage) {
		c.find(Leftover, base.TagsFile, damage.Offset, "%v; the next clean close writes it anew", damage.Err)
		return
	}
	c.damage.tags = false
}

// checkNames looks at each name that the other steps have not judged.
func (c *checker) checkNames() {
	for _, e := range c.list("") {
		generation, isCatalog := base.ParseCatalogFile(e.Name)
		switch {
		case isTopName(e):
		case e.Regular && isCatalog && generation == c.state.Catalog.Generation:
		case e.Regular && isCatalog && c.whole:
			c.find(Leftover, e.Name, base.WholeFile, "MANIFEST names another generation; the next opening removes it")
		case e.Regular && isCatalog: // MANIFEST cannot be asked
		default:
			c.unexpected(e, e.Name)
		}
	}
	// Directories that cannot be listed have been found by the steps before.
	logs, _ := c.fs.List(base.WALDir)
	for _, e := range logs {
		if file := path.Join(base.WALDir, e.Name); !e.Regular || !isLogName(file) {
			c.unexpected(e, file)
		}
	}
	hours, _ := c.fs.List(base.SegmentsDir)
	for _, e := range hours {
		dir := path.Join(base.SegmentsDir, e.Name)
		if !isHourDir(e) {
			c.unexpected(e, dir)
			continue
		}
		files, _ := c.fs.List(dir)
		for _, f := range files {
			if file := path.Join(dir, f.Name); !f.Regular || base.IsTemp(file) {
				c.unexpected(f, file)
			}
		}
	}
}

// isKnownDir reports whether a database has a directory of this name. What is in
// quarantine/ and snapshots/ is not part of it.
func isKnownDir(name string) bool {
	switch name {
	case base.WALDir, base.SegmentsDir, base.DeletesDir, base.ObjectsDir, base.RefsDir, base.SnapshotsDir, base.QuarantineDir:
		return true
	}
	return false
}

// unexpected judges what has no name that a database gives to finished files.
func (c *checker) unexpected(e fsys.Entry, file string) {
	if isTemp(e, file) {
		c.find(Leftover, file, base.WholeFile, "its writing was cut short; the next opening removes it")
		return
	}
	c.unknown(file)
}

func (c *checker) unknown(file string) {
	c.find(Unknown, file, base.WholeFile, "does not belong to a database; it is never touched")
}
