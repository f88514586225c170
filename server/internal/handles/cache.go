package handles

import (
	"sync"

	"github.com/sydradb/sydradb"
)

// Cache finds the handles of series by bytes that name them. It is safe for concurrent use.
type Cache struct {
	mu     sync.RWMutex
	keys   *Table
	series []*sydradb.Series // by number of the key
}

// NewCache returns an empty cache with the bounds of [NewTable].
func NewCache(maxCount, maxBytes int) *Cache {
	return &Cache{keys: NewTable(maxCount, maxBytes)}
}

// Get returns the series that was put under a key, or nil. The key is not kept.
func (c *Cache) Get(key []byte) *sydradb.Series {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if n, found := c.keys.Find(key); found {
		return c.series[n]
	}
	return nil
}

// Put keeps a series under a key, which is copied, if there is room. A key keeps its first
// series.
func (c *Cache) Put(key []byte, s *sydradb.Series) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys.Outdated(c.series) {
		c.keys.Reset()
		c.series = nil
	}
	if _, found := c.keys.Find(key); found {
		return
	}
	if _, added := c.keys.Add(key); added {
		c.series = append(c.series, s)
	}
}
