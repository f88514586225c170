package render

import (
	"slices"

	"github.com/sydradb/sydradb"
)

// Windows is what an aggregation made of a series or a group: points that are printed
// under a name which tells them from those of the series, room.temp:avg.
type Windows struct {
	name string
	tags []sydradb.Tag
}

// WindowsOf returns what the values are printed under that f made of r.
func WindowsOf(r *sydradb.Result, f sydradb.Function) *Windows {
	w := &Windows{tags: slices.Clone(r.Tags)}
	if r.Series != nil {
		w.name, w.tags = r.Series.Name(), r.Series.Tags()
	}
	if i := slices.IndexFunc(w.tags, func(t sydradb.Tag) bool { return t.Key == "__name__" }); i >= 0 {
		w.name = w.tags[i].Value
		w.tags = slices.Delete(w.tags, i, i+1)
	}
	if w.name != "" {
		w.name += ":"
	}
	w.name += f.String()
	return w
}

// Name returns the name with the function behind it.
func (w *Windows) Name() string { return w.name }

// Tags returns the tags of the series, or those that its group was put together by.
func (w *Windows) Tags() []sydradb.Tag { return w.tags }

// String returns name and tags as a selector names a series.
func (w *Windows) String() string { return sydradb.FormatSelector(w.name, w.tags) }
