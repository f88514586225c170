package remotewrite

import (
	"sync"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/handles"
)

// table1 finds series by the bytes of their labels.
type table1 struct {
	mu    sync.RWMutex
	epoch int // how often it was emptied
	known
}

func newTable1() *table1 { return &table1{known: newKnown()} }

// put keeps a series, if there is room.
func (t *table1) put(key []byte, s *sydradb.Series) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keys.Outdated(t.series) {
		t.reset()
		t.epoch++
	}
	t.known.put(key, s)
}

// Bounds of the symbols.
const (
	maxSymbols     = 1 << 20
	maxSymbolBytes = 32 << 20
)

// unknown is in place of the number of a symbol that has none: there was no room for it.
const unknown = 1 << 31

// table2 finds series by the numbers of the symbols that their labels consist of.
type table2 struct {
	mu      sync.RWMutex
	epoch   int // how often it was emptied, which gives symbols other numbers
	symbols *handles.Table
	known   // keys have four bytes for each symbol
	// said is what the last metadata of a series was, see metadata2.code. Readers change
	// it, atomically.
	said []uint64
}

func newTable2() *table2 {
	return &table2{symbols: handles.NewTable(maxSymbols, maxSymbolBytes), known: newKnown()}
}

// freshen empties the table if it is time for that.
func (t *table2) freshen() {
	if t.symbols.Worn() || t.keys.Outdated(t.series) {
		t.symbols.Reset()
		t.reset()
		t.said = nil
		t.epoch++
	}
}

// put keeps a series, if there is room and its key still means the same.
func (t *table2) put(epoch int, key []byte, s *sydradb.Series) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.freshen(); t.epoch != epoch {
		return
	}
	if t.known.put(key, s) {
		t.said = append(t.said, 0)
	}
}
