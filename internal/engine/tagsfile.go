package engine

import (
	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/tags"
)

// maxTagsBytes is the size from which tags.json is not worth its writing.
const maxTagsBytes = 32 << 20

// saveTags writes tags.json for other programs, if it is not that of the catalog as it
// is. It is a convenience: the catalog is the truth, and a failure is only logged.
func (e *Engine) saveTags() {
	reg := e.reg.now()
	var at manifest.Catalog
	e.ledger.read(func(s *manifest.State) { at = s.Catalog })
	stamp := tags.Stamp{Generation: at.Generation, Bytes: at.Bytes}
	if data, err := fsys.ReadFile(e.fs, base.TagsFile); err == nil && len(e.reg.takeUnsaved()) == 0 {
		if old, ok := tags.ReadStamp(data); ok && old == stamp {
			return
		}
	}
	data, ok := reg.index.AppendSnapshot(nil, stamp, reg.catalog.ID, maxTagsBytes)
	if !ok {
		return
	}
	if err := fsys.WriteFileAtomic(e.fs, base.TagsFile, data); err != nil {
		e.writer.opts.Logger.Warn("cannot write the snapshot of the tags", "file", base.TagsFile, "error", err)
	}
}
