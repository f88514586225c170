package segment

import (
	"math/bits"
	"slices"
)

// timesRing keeps columns of timestamps, the newest ones up to a number of points. It
// grows as it is used and then overwrites the oldest.
type timesRing struct {
	limit int // points
	data  []int64
	end   int64 // points ever put, and those skipped to keep columns in one piece
}

// put keeps a copy of ts, at most limit points, and returns its place.
func (r *timesRing) put(ts []int64) (at int64) {
	at, room := r.take(len(ts))
	copy(room, ts)
	return at
}

// take makes room for a column of n points, at most limit, whose place is returned; the
// caller fills it.
func (r *timesRing) take(n int) (at int64, ts []int64) {
	pos := int(r.end % int64(r.limit))
	if r.limit-pos < n {
		r.end += int64(r.limit - pos)
		pos = 0
	}
	if pos+n > len(r.data) {
		r.data = slices.Grow(r.data[:pos], n)[:pos+n]
	}
	at = r.end
	r.end += int64(n)
	return at, r.data[pos : pos+n : pos+n]
}

// get returns the n points that put placed at at, nil if they are overwritten.
func (r *timesRing) get(at int64, n int) []int64 {
	if r.end-at > int64(r.limit) {
		return nil
	}
	pos := int(at % int64(r.limit))
	return r.data[pos : pos+n]
}

// writtenColumn is a column of timestamps in the file that is being written.
type writtenColumn struct {
	offset int64
	bytes  int
	crc    uint32 // of its bytes
	shared int    // number in the list of shared columns; negative if it is not there

	hash  uint64
	at    int64 // in the ring
	count int
}

// columnTable finds columns of timestamps again that were written lately. Its size is
// bounded: what it has forgotten is written once more.
type columnTable struct {
	ring timesRing
	rows []writtenColumn // by hash, in the row or the one behind; a new one replaces the older
	last int             // row found last
}

const (
	tableRows   = 1 << 12
	tablePoints = 1 << 19 // 4 MiB
)

// find returns the column that equals ts, or nil, and the hash of ts for put.
func (t *columnTable) find(ts []int64) (*writtenColumn, uint64) {
	if t.rows == nil {
		t.rows = make([]writtenColumn, tableRows)
		t.ring.limit = tablePoints
	}
	// Series that were scraped together stand together.
	if c := &t.rows[t.last]; t.equal(c, ts) {
		return c, c.hash
	}
	hash := hashTimes(ts)
	row := int(hash % (tableRows - 1))
	for i := row; i <= row+1; i++ {
		if c := &t.rows[i]; c.hash == hash && t.equal(c, ts) {
			t.last = i
			return c, hash
		}
	}
	return nil, hash
}

func (t *columnTable) equal(c *writtenColumn, ts []int64) bool {
	return c.count == len(ts) && slices.Equal(t.ring.get(c.at, c.count), ts)
}

// put remembers ts, which find did not know.
func (t *columnTable) put(ts []int64, c writtenColumn, hash uint64) {
	c.hash, c.at, c.count = hash, t.ring.put(ts), len(ts)
	row := int(hash % (tableRows - 1))
	if t.rows[row].count > 0 && (t.rows[row+1].count == 0 || t.rows[row+1].at < t.rows[row].at) {
		row++
	}
	t.rows[row], t.last = c, row
}

// hashTimes mixes ts in two lanes. What it finds is compared.
func hashTimes(ts []int64) uint64 {
	const p, q = 0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f
	a, b := uint64(len(ts)), uint64(p)
	for ; len(ts) >= 2; ts = ts[2:] {
		a = bits.RotateLeft64(a^uint64(ts[0]), 29) * p
		b = bits.RotateLeft64(b^uint64(ts[1]), 31) * q
	}
	for _, v := range ts {
		a = bits.RotateLeft64(a^uint64(v), 29) * p
	}
	h := (a ^ bits.RotateLeft64(b, 32)) * q
	h = (h ^ h>>29) * p
	return h ^ h>>32
}
