package client

import (
	"errors"
	"fmt"
	"slices"

	"github.com/valyala/fastjson"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/render"
)

// group is what values are printed under that an aggregation made.
type group struct {
	name string
	tags []sydradb.Tag
}

// Name returns the name.
func (g *group) Name() string { return g.name }

// Tags returns the tags, sorted by key, in a new slice.
func (g *group) Tags() []sydradb.Tag { return slices.Clone(g.tags) }

// String returns name and tags as a selector names a series.
func (g *group) String() string { return sydradb.FormatSelector(g.name, g.tags) }

// series is a series of the server's database. Its name is series:<hex> where only the
// id is known.
type series struct {
	group
	id sydradb.SeriesID
}

// ID returns the id of the series.
func (s *series) ID() sydradb.SeriesID { return s.id }

// cursor makes one value of all lines in a row that are of one series.
type cursor struct{ last render.Series }

// next returns what a line is about: the same value as for the last one if it is that.
func (c *cursor) next(line *fastjson.Value) (render.Series, error) {
	g := group{name: string(line.GetStringBytes("series"))}
	tags := line.GetObject("tags")
	if tags == nil {
		return nil, errors.New("a series without tags")
	}
	tags.Visit(func(key []byte, v *fastjson.Value) {
		g.tags = append(g.tags, sydradb.Tag{Key: string(key), Value: string(v.GetStringBytes())})
	})
	id := line.Get("series_id")
	if id == nil {
		if l, ok := c.last.(*group); !ok || !l.equal(&g) {
			c.last = &g
		}
		return c.last, nil
	}
	n, err := id.Uint64()
	if err != nil {
		return nil, fmt.Errorf("series_id: %w", err)
	}
	if l, ok := c.last.(*series); !ok || l.id != sydradb.SeriesID(n) || !l.equal(&g) {
		c.last = &series{g, sydradb.SeriesID(n)}
	}
	return c.last, nil
}

func (g *group) equal(other *group) bool {
	return g.name == other.name && slices.Equal(g.tags, other.tags)
}
