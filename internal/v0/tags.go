package v0

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"slices"
	"strings"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/catalog"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/tags"
)

// maxOdd bounds how much is told of a tags.json that is odd all over.
const maxOdd = 100

// readTags turns the index of tags.json round: from the series of each tag to the tags
// of each series. Version 0 did not hold tags against each other, so what no series of
// ours can have is left out and noted. A missing file means that there are no tags.
func (d *Dir) readTags() error {
	d.tags = make(map[base.SeriesID][]base.Tag)
	data, err := fsys.ReadFile(d.fs, base.TagsFile)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	postings, err := tags.ReadV0(data)
	if err != nil {
		return err
	}
	for _, p := range postings {
		if _, err := catalog.ValidateSeries("series", []base.Tag{p.Tag}); err != nil {
			d.note("left out the tag %s=%s: %v", p.Tag.Key, p.Tag.Value, err)
			continue
		}
		for _, id := range p.IDs {
			d.addTag(id, p.Tag)
		}
	}
	return nil
}

// addTag gives a series one more tag, at its place among the others.
func (d *Dir) addTag(id base.SeriesID, tag base.Tag) {
	list := d.tags[id]
	i, found := slices.BinarySearchFunc(list, tag.Key, func(t base.Tag, key string) int {
		return strings.Compare(t.Key, key)
	})
	switch {
	case !found:
		d.tags[id] = slices.Insert(list, i, tag)
	case list[i] != tag:
		d.note("left out the tag %s=%s of series %d, which has %[1]s=%[4]s", tag.Key, tag.Value, uint64(id), list[i].Value)
	}
}

func (d *Dir) note(format string, args ...any) {
	switch len(d.odd) {
	case maxOdd:
		d.odd = append(d.odd, "and more")
	case maxOdd + 1:
	default:
		d.odd = append(d.odd, base.TagsFile+": "+fmt.Sprintf(format, args...))
	}
}
