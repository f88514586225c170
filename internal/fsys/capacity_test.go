package fsys_test

import (
	"errors"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

func wantSpace(t *testing.T, m *fsys.Mem, want uint64) {
	t.Helper()
	if got, err := m.Space(); got != want || err != nil {
		t.Errorf("Space = %d, %v, want %d", got, err, want)
	}
}

func TestWriteBeyondCapacityIsShort(t *testing.T) {
	m := fsys.NewMem()
	m.SetCapacity(10)
	f := create(t, m, "a", "0123456")
	n, err := f.Write([]byte("abcdef"))
	if n != 3 || !errors.Is(err, fsys.ErrNoSpace) {
		t.Errorf("Write: %d, %v, want 3 and ErrNoSpace", n, err)
	}
	if got := tree(m); got != "a=0123456abc" {
		t.Errorf("holds %q", got)
	}
	wantSpace(t, m, 0)
	if err := f.Truncate(11); !errors.Is(err, fsys.ErrNoSpace) {
		t.Errorf("Truncate upwards: %v, want ErrNoSpace", err)
	}
	check(t, f.Truncate(4))
	wantSpace(t, m, 6)
	m.SetCapacity(2)
	wantSpace(t, m, 0)
	if n, err := f.Write([]byte("x")); n != 0 || !errors.Is(err, fsys.ErrNoSpace) {
		t.Errorf("Write: %d, %v, want 0 and ErrNoSpace", n, err)
	}
	m.SetCapacity(5)
	write(t, f, "y")
}

func TestSpaceComesBackWithTheLastNameAndHandle(t *testing.T) {
	m := fsys.NewMem()
	m.SetCapacity(100)
	f := create(t, m, "a", "0123456789")
	check(t, m.Link("a", "b"))
	wantSpace(t, m, 90)
	check(t, m.Remove("a"))
	wantSpace(t, m, 90)
	check(t, m.Remove("b"))
	wantSpace(t, m, 90)
	check(t, f.Close())
	wantSpace(t, m, 100)

	check(t, create(t, m, "a", "0123456789").Close())
	check(t, create(t, m, "b", "01234").Close())
	check(t, m.Rename("b", "a"))
	wantSpace(t, m, 95)
	if _, err := m.Create("a"); err != nil {
		t.Fatal(err)
	}
	wantSpace(t, m, 100)
}
