package remotewrite

import (
	"fmt"
	"testing"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
)

// Series that come and go do not pile up, nor do the symbols of their labels. The epoch, by which
// requests that are being read notice it, moves on.
func TestTablesForgetTheDead(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	one, two := newTable1(), newTable2()
	most, mostSymbols := 0, 0
	const each = 100
	for round := range 50 {
		var dead []*sydradb.Series
		for i := range each {
			name := fmt.Sprintf("pod%d_%d", round, i)
			s, err := db.Series(name)
			if err != nil {
				t.Fatal(err)
			}
			dead = append(dead, s)
			one.put([]byte(name), s)
			two.freshen()
			two.symbols.Add([]byte(name))
			two.put(two.epoch, []byte(name), s)
		}
		dbtest.Kill(t, db, dead...)
		most, mostSymbols = max(most, one.keys.Len(), two.keys.Len()), max(mostSymbols, two.symbols.Len())
		for _, k := range []*known{&one.known, &two.known} {
			if n := k.keys.Len(); n != len(k.series) || n != len(k.next) {
				t.Fatalf("%d keys, %d handles, %d guesses", n, len(k.series), len(k.next))
			}
		}
		if len(two.said) != two.keys.Len() {
			t.Fatalf("metadata of %d series, %d keys", len(two.said), two.keys.Len())
		}
	}
	if most > 4*each || mostSymbols > 4*each {
		t.Errorf("%d keys and %d symbols for %d series that are alive at a time", most, mostSymbols, each)
	}
	if one.epoch < 10 || two.epoch < 10 {
		t.Errorf("emptied %d and %d times in 50 rounds", one.epoch, two.epoch)
	}
}
