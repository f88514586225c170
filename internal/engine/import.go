package engine

import "github.com/sydradb/sydradb/internal/base"

// ResolveIDTags is ResolveID for a series of which the tags are known, but not the
// name. The tags count only where the series is new; they are not kept.
func (e *Engine) ResolveIDTags(id base.SeriesID, tags []base.Tag) (*Series, error) {
	if err := e.usable(); err != nil {
		return nil, err
	}
	o, err := e.reg.catalog.ResolveIDTags(id, tags)
	if err != nil {
		return nil, err
	}
	return e.reg.series(o), nil
}
