package engine

import (
	"container/list"
	"sync"
	"unique"
)

// cache keeps the contents of files, or of pieces of packs, that were read and verified,
// up to a number of bytes, and forgets the least recently used first. Contents are immutable. It is
// safe for concurrent use; a limit below 1 keeps nothing.
type cache struct {
	limit int64

	mu struct {
		sync.Mutex
		entries      map[cacheKey]*list.Element
		order        *list.List // most recently used first
		bytes        int64
		hits, misses int64
	}
}

// cacheKey names a piece of a file by its offset. The path is a handle, for keys are
// looked up much more often than files are opened.
type cacheKey struct {
	path   unique.Handle[string]
	offset int64
}

// wholeFile is the offset that stands for all of a file.
const wholeFile = -1

type cached struct {
	key  cacheKey
	data []byte
}

// cachedOverhead is what a piece takes beside its bytes.
const cachedOverhead = 160

func (c *cached) size() int64 { return int64(len(c.data)) + cachedOverhead }

func newCache(limit int64) *cache {
	c := &cache{limit: limit}
	c.mu.entries = make(map[cacheKey]*list.Element)
	c.mu.order = list.New()
	return c
}

// get returns the contents kept for key, or nil. The caller must not change them.
func (c *cache) get(key cacheKey) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.mu.entries[key]
	if !ok {
		c.mu.misses++
		return nil
	}
	c.mu.hits++
	c.mu.order.MoveToFront(e)
	return e.Value.(*cached).data
}

// put keeps data, which the caller gives away.
func (c *cache) put(key cacheKey, data []byte) {
	piece := &cached{key, data}
	if piece.size() > c.limit {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.mu.entries[key]; ok {
		return
	}
	c.mu.entries[key] = c.mu.order.PushFront(piece)
	c.mu.bytes += piece.size()
	for c.mu.bytes > c.limit {
		c.removeLocked(c.mu.order.Back())
	}
}

// drop forgets all that it keeps of the files at paths, which are gone.
func (c *cache) drop(paths []string) {
	gone := make(map[unique.Handle[string]]struct{}, len(paths))
	for _, path := range paths {
		gone[unique.Make(path)] = struct{}{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range c.mu.entries {
		if _, ok := gone[key.path]; ok {
			c.removeLocked(e)
		}
	}
}

// removeLocked forgets one piece. Requires: c.mu.
func (c *cache) removeLocked(e *list.Element) {
	old := c.mu.order.Remove(e).(*cached)
	delete(c.mu.entries, old.key)
	c.mu.bytes -= old.size()
}

// counters returns the bytes kept, and how often get found what it looked for and not.
func (c *cache) counters() (bytes, hits, misses int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.bytes, c.mu.hits, c.mu.misses
}
