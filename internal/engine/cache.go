package engine

import (
	"container/list"
	"sync"
)

// cache keeps the contents of files that were read and verified, up to a number of
// bytes, and forgets the least recently used first. Contents are immutable. It is
// safe for concurrent use; a limit below 1 keeps nothing.
type cache struct {
	limit int64

	mu struct {
		sync.Mutex
		entries      map[string]*list.Element
		order        *list.List // most recently used first
		bytes        int64
		hits, misses int64
	}
}

type cached struct {
	path string
	data []byte
}

func newCache(limit int64) *cache {
	c := &cache{limit: limit}
	c.mu.entries = make(map[string]*list.Element)
	c.mu.order = list.New()
	return c
}

// get returns the contents kept for path, or nil. The caller must not change them.
func (c *cache) get(path string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.mu.entries[path]
	if !ok {
		c.mu.misses++
		return nil
	}
	c.mu.hits++
	c.mu.order.MoveToFront(e)
	return e.Value.(*cached).data
}

// put keeps data, which the caller gives away.
func (c *cache) put(path string, data []byte) {
	size := int64(len(data) + len(path))
	if size > c.limit {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.mu.entries[path]; ok {
		return
	}
	c.mu.entries[path] = c.mu.order.PushFront(&cached{path, data})
	c.mu.bytes += size
	for c.mu.bytes > c.limit {
		last := c.mu.order.Back()
		old := c.mu.order.Remove(last).(*cached)
		delete(c.mu.entries, old.path)
		c.mu.bytes -= int64(len(old.data) + len(old.path))
	}
}

// counters returns the bytes kept, and how often get found what it looked for and not.
func (c *cache) counters() (bytes, hits, misses int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.bytes, c.mu.hits, c.mu.misses
}
