package storetest

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sydradb/sydradb/internal/objectstore"
)

// naive is a store in maps, with one bug if so wanted.
type naive struct {
	bug string

	mu      sync.Mutex
	objects map[objectstore.ID][]byte // type, then payload
	refs    map[string]objectstore.ID
}

var _ objectstore.Store = (*naive)(nil)

func newNaive(bug string) *naive {
	return &naive{bug: bug, objects: map[objectstore.ID][]byte{}, refs: map[string]objectstore.ID{}}
}

func (s *naive) Put(ctx context.Context, t objectstore.Type, payload []byte) (objectstore.ID, error) {
	err := objectstore.CheckObject(t, payload)
	if err == nil {
		err = s.alive(ctx)
	}
	if err != nil && !(s.bug == "takes any type" && !t.Known()) {
		return objectstore.ID{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := objectstore.IDOf(t, payload)
	if s.bug == "forgets types" {
		t = objectstore.TypeBlob
	}
	s.objects[id] = append([]byte{byte(t)}, payload...)
	return id, nil
}

func (s *naive) Get(ctx context.Context, id objectstore.ID) (objectstore.Type, []byte, error) {
	if err := s.alive(ctx); err != nil {
		return 0, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.objects[id]
	switch {
	case !ok && s.bug == "finds nothing without an error":
		return 0, nil, nil
	case !ok:
		return 0, nil, objectstore.ErrNotFound
	case s.bug == "hands out its own bytes":
		return objectstore.Type(data[0]), data[1:], nil
	}
	return objectstore.Type(data[0]), bytes.Clone(data[1:]), nil
}

func (s *naive) Has(ctx context.Context, id objectstore.ID) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.objects[id]
	return ok || s.bug == "has everything", s.alive(ctx)
}

func (s *naive) List(ctx context.Context, prefix string) iter.Seq2[objectstore.ID, error] {
	return func(yield func(objectstore.ID, error) bool) {
		err := s.alive(ctx)
		if err == nil && (len(prefix) > 64 || strings.Trim(prefix, "0123456789abcdef") != "") && s.bug != "lists any prefix" {
			err = fmt.Errorf("prefix %q", prefix)
		}
		if err != nil {
			yield(objectstore.ID{}, err)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		var all []objectstore.ID
		for id := range s.objects {
			if strings.HasPrefix(id.String(), prefix) || s.bug == "lists all" {
				all = append(all, id)
			}
		}
		slices.SortFunc(all, func(a, b objectstore.ID) int {
			if s.bug == "lists backwards" {
				a, b = b, a
			}
			return bytes.Compare(a[:], b[:])
		})
		for _, id := range all {
			if !yield(id, nil) {
				return
			}
		}
	}
}

func (s *naive) Ref(ctx context.Context, name string) (objectstore.ID, error) {
	err := objectstore.ValidRef(name)
	if err == nil {
		err = s.alive(ctx)
	}
	if err != nil {
		return objectstore.ID{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refs[name], nil
}

func (s *naive) SetRef(ctx context.Context, name string, old, id objectstore.ID) error {
	err := objectstore.ValidRef(name)
	if err == nil || s.bug == "sets any name" {
		err = s.alive(ctx)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refs[name] != old && s.bug != "does not compare" {
		return objectstore.ErrRefMoved
	}
	for other := range s.refs {
		conflict := strings.HasPrefix(other, name+"/") || strings.HasPrefix(name, other+"/")
		if conflict && id != (objectstore.ID{}) && s.bug != "sees no conflict" {
			return objectstore.ErrRefConflict
		}
	}
	if s.refs[name] = id; id == (objectstore.ID{}) && s.bug != "keeps what is deleted" {
		delete(s.refs, name)
	}
	return nil
}

func (s *naive) DeleteRef(ctx context.Context, name string) error {
	now, err := s.Ref(ctx, name)
	if err == nil && now == (objectstore.ID{}) && s.bug == "deletes only what is there" {
		return objectstore.ErrRefMoved
	}
	if err != nil || s.bug == "does not delete" {
		return err
	}
	return s.SetRef(ctx, name, now, objectstore.ID{})
}

func (s *naive) Refs(ctx context.Context, prefix string) ([]objectstore.Ref, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []objectstore.Ref
	for name, id := range s.refs {
		if strings.HasPrefix(name, prefix) && (s.bug != "takes a prefix for a directory" || prefix == "" || strings.HasPrefix(name, prefix+"/")) {
			out = append(out, objectstore.Ref{Name: name, ID: id})
		}
	}
	slices.SortFunc(out, func(a, b objectstore.Ref) int {
		if s.bug == "lists refs backwards" {
			a, b = b, a
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out, s.alive(ctx)
}

func (s *naive) alive(ctx context.Context) error {
	if s.bug == "ignores the context" {
		return nil
	}
	return ctx.Err()
}

// bugEnv names the bug of the store that TestNaive is to run with.
const bugEnv = "STORETEST_BUG"

// A store of any other kind passes too.
func TestNaive(t *testing.T) {
	Run(t, func(*testing.T) objectstore.Store { return newNaive(os.Getenv(bugEnv)) })
}

// The suite finds each of the bugs that the naive store can have.
func TestSuiteFindsBugs(t *testing.T) {
	self, err := os.Executable()
	check(t, err)
	for _, bug := range []string{
		"takes any type", "forgets types", "finds nothing without an error", "hands out its own bytes", "has everything",
		"lists any prefix", "lists all", "lists backwards", "sets any name", "does not compare", "sees no conflict",
		"keeps what is deleted", "deletes only what is there", "does not delete", "takes a prefix for a directory",
		"lists refs backwards", "ignores the context",
	} {
		cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestNaive$")
		cmd.Env = append(os.Environ(), bugEnv+"="+bug)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "--- FAIL: TestNaive/") {
			t.Errorf("a store that %s passes: %v\n%s", bug, err, out)
		}
	}
}
