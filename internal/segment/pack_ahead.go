package segment

import (
	"io"
	"slices"
)

const (
	// What has read so many bytes of values is long: it passes the cache by, which it would
	// sweep clean, and where a look-up takes longer than to read and verify the bytes again.
	longBytes = 1 << 20

	leastAheadBytes = 8 << 10
	aheadBytes      = 256 << 10
)

// columnReader reads columns from the file of a pack, and more than it is asked for: series
// lie in the order in which they were registered, which is often that in which they are read,
// or not far from it. How much more depends on whether it was of use.
type columnReader struct {
	windows [2]window
	used    int   // the window of the two that was used last
	size    int   // of the window that was read last
	total   int64 // bytes of values asked for
	head    []byte
}

// reset forgets the file, but not the memory.
func (c *columnReader) reset() {
	for i := range c.windows {
		c.windows[i].data = c.windows[i].data[:0]
	}
	c.size, c.total = 0, 0
}

// window is a part of the file.
type window struct {
	data   []byte
	offset int64
}

// at returns n bytes of the file from offset on, nil if they are not all there.
func (w *window) at(offset int64, n int) []byte {
	from := offset - w.offset
	if from < 0 || from+int64(n) > int64(len(w.data)) {
		return nil
	}
	return w.data[from : from+int64(n)]
}

// near reports whether offset is at most so many bytes from the window.
func (w *window) near(offset int64, bytes int) bool {
	return len(w.data) > 0 && offset >= w.offset-int64(bytes) && offset <= w.offset+int64(len(w.data)+bytes)
}

// read returns n bytes of the file, valid until the next call but one. limit is where the
// columns end.
func (c *columnReader) read(file io.ReaderAt, offset int64, n int, limit int64) ([]byte, error) {
	for i := range c.windows {
		if data := c.windows[i].at(offset, n); data != nil {
			c.used = i
			return data, nil
		}
	}
	begin := offset
	if c.windows[0].near(offset, c.size) || c.windows[1].near(offset, c.size) {
		c.size = min(2*c.size, aheadBytes)
		begin = c.before(offset)
	} else {
		c.size = max(c.size/4, leastAheadBytes)
	}
	c.used = 1 - c.used
	w := &c.windows[c.used]
	size := int(min(max(begin+int64(c.size), offset+int64(n)), limit) - begin)
	w.data, w.offset = slices.Grow(w.data[:0], size)[:size], begin
	if err := readFull(file, w.data, begin); err != nil {
		w.data = w.data[:0]
		return nil, err
	}
	return w.at(offset, n), nil
}

// before returns where the next window begins: somewhat before offset, as what comes next may
// lie there, but not with what is at hand.
func (c *columnReader) before(offset int64) int64 {
	begin := max(offset-int64(c.size/4), packHeaderBytes)
	for i := range c.windows {
		w := &c.windows[i]
		if end := w.offset + int64(len(w.data)); w.offset <= begin && begin < end {
			begin = min(end, offset)
		}
	}
	return begin
}
