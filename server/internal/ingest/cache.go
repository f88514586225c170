package ingest

import (
	"fmt"
	"math"

	"github.com/sydradb/sydradb"
)

// Resolver gives series. A *sydradb.DB is one.
type Resolver interface {
	Series(name string, tags ...sydradb.Tag) (*sydradb.Series, error)
	SeriesByID(id sydradb.SeriesID, tags ...sydradb.Tag) (*sydradb.Series, error)
}

// maxCached bounds the memory that a Cache takes for inputs with very many series.
const maxCached = 1 << 20

// firstLook is how many series a Cache may have before it looks for dead ones.
const firstLook = 1 << 7

// maxNewBytes is what the names and tags of new series in one record may take, each
// series counted for itself.
const maxNewBytes = 8 << 20

var errNewBytes = fmt.Errorf("its new series take more than %d MiB of names and tags", maxNewBytes>>20)

// Cache maps the text that names a series in the input to its handle, so that a
// series costs its look-up in the catalog once and then one in a map, without making
// strings of its name and tags. It belongs to one Parser: what the text means depends
// on the format and on the header of a file.
type Cache struct {
	db     Resolver
	series map[string]*sydradb.Series
	bytes  int // of the texts
	look   int // number of series at which the dead among them are looked for next

	maxBytes int // of the texts
	maxNew   int // of newBytes

	// newBytes is the size of the names and tags resolved since takeNewBytes was
	// called: about what their registrations will take in the log.
	newBytes int
}

// NewCache returns an empty cache in front of db.
func NewCache(db Resolver) *Cache {
	return &Cache{db: db, series: make(map[string]*sydradb.Series), look: firstLook, maxBytes: math.MaxInt, maxNew: maxNewBytes}
}

// NewBoundedCache returns an empty cache in front of db that holds texts of at most this many
// bytes. What one record may ask for is left to db.
func NewBoundedCache(db Resolver, bytes int) *Cache {
	c := NewCache(db)
	c.maxBytes, c.maxNew = bytes, math.MaxInt
	return c
}

// get returns the series that text stood for before, or nil.
func (c *Cache) get(text []byte) *sydradb.Series { return c.series[string(text)] }

// resolve asks the database and remembers the answer under text.
func (c *Cache) resolve(text []byte, name string, tags []sydradb.Tag) (*sydradb.Series, error) {
	s, err := c.lookUp(len(text), name, tags)
	if err != nil {
		return nil, err
	}
	c.keep(text, s)
	return s, nil
}

// resolveID is resolve for a series that the input names by its id.
func (c *Cache) resolveID(text []byte, id sydradb.SeriesID, tags []sydradb.Tag) (*sydradb.Series, error) {
	s, err := c.db.SeriesByID(id, tags...)
	if err != nil {
		return nil, err
	}
	c.keep(text, s)
	return s, nil
}

func (c *Cache) keep(text []byte, s *sydradb.Series) {
	if len(c.series) >= c.look {
		c.forget()
	}
	if c.bytes += len(text); len(c.series) >= maxCached || c.bytes > c.maxBytes {
		clear(c.series)
		c.bytes, c.look = len(text), firstLook
	}
	c.series[string(text)] = s
}

// forget lets go of dead series, so that those that come and go without end do not pile up. It
// does so whenever there are twice as many as were left the last time.
func (c *Cache) forget() {
	for text, s := range c.series {
		if !s.Alive() {
			delete(c.series, text)
			c.bytes -= len(text)
		}
	}
	c.look = max(firstLook, 2*len(c.series))
}

// lookUp asks the database for a series that the caller remembers itself; size is
// that of its name and tags.
func (c *Cache) lookUp(size int, name string, tags []sydradb.Tag) (*sydradb.Series, error) {
	// Every field of a record repeats the tags, so a short record can ask for a very
	// large batch.
	if c.newBytes > c.maxNew {
		return nil, errNewBytes
	}
	c.newBytes += size
	return c.db.Series(name, tags...)
}

func (c *Cache) takeNewBytes() int {
	n := c.newBytes
	c.newBytes = 0
	return n
}
