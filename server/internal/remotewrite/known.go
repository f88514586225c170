package remotewrite

import (
	"bytes"
	"sync/atomic"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/handles"
)

// Bounds of the series that are known, of each version.
const (
	maxSeries      = 1 << 20
	maxSeriesBytes = 64 << 20
)

// turn is how many series a request reads before others may change a table.
const turn = 1 << 10

// known are series by the bytes that name them, the keys. It is guarded by the lock of the
// table that it is a part of.
//
// Senders keep to an order, so the series that followed another one the last time is tried
// first: a guess that is right spares a hash and a way through a table that is in no cache.
type known struct {
	keys   *handles.Table
	series []*sydradb.Series // by number of the key
	next   []uint32          // number of the key that came after; changed atomically, with the lock for reading
}

func newKnown() known { return known{keys: handles.NewTable(maxSeries, maxSeriesBytes)} }

// reset empties it.
func (k *known) reset() {
	k.keys.Reset()
	k.series, k.next = nil, nil
}

// put keeps a series, if there is room. It reports whether there was.
func (k *known) put(key []byte, s *sydradb.Series) bool {
	if _, found := k.keys.Find(key); found {
		return false
	}
	n, added := k.keys.Add(key)
	if added {
		k.series = append(k.series, s)
		k.next = append(k.next, n)
	}
	return added
}

// after returns the series that came after the last one, and its key.
func (k *known) after(last int) (n int, key []byte) {
	next := atomic.LoadUint32(&k.next[last])
	return int(next), k.keys.Key(next)
}

// find returns the number of a series, -1 if it is not known. last is that of the one
// before, -1 without one.
func (k *known) find(last int, key []byte) int {
	if last >= 0 {
		if n, guess := k.after(last); bytes.Equal(guess, key) {
			return n
		}
	}
	n, found := k.keys.Find(key)
	if !found {
		return -1
	}
	if last >= 0 {
		atomic.StoreUint32(&k.next[last], n)
	}
	return int(n)
}
