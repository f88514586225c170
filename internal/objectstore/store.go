package objectstore

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/sydradb/sydradb/internal/base"
)

// Errors that callers tell apart. They come wrapped, with the object or the ref.
var (
	// ErrNotFound means that there is no such object.
	ErrNotFound = errors.New("no such object")
	// ErrTooLarge means that a payload exceeds MaxPayloadBytes.
	ErrTooLarge = errors.New("payload is too large")
	// ErrUnknownType means a type of objects that this version does not know.
	ErrUnknownType = errors.New("unknown type of object")
	// ErrRefName means that a ref cannot have this name, whatever refs there are.
	ErrRefName = errors.New("not a name for a ref")
	// ErrRefMoved means that a ref is not what SetRef expected it to be.
	ErrRefMoved = errors.New("ref has another value than expected")
	// ErrRefConflict means that a name would be a directory of another ref, or that
	// another ref would be one of its directories.
	ErrRefConflict = errors.New("ref stands in the way of another")
)

// Store keeps objects and refs. It is safe for concurrent use. Where ctx ends before an
// operation does, the operation may return the error of ctx; one that changes something
// may then have happened or not. All operations wait for the disk, or for a network.
type Store interface {
	// Put stores an object and returns its id. With a nil error the object is durable,
	// and whole: if it was there already it has been read and verified, and written anew
	// if it was damaged. The payload belongs to the caller again. Errors match
	// ErrTooLarge and ErrUnknownType.
	Put(ctx context.Context, t Type, payload []byte) (ID, error)
	// Get returns an object, verified. The payload is the caller's. Errors match
	// ErrNotFound, ErrUnknownType and, for a damaged object, base.ErrCorrupt.
	Get(ctx context.Context, id ID) (Type, []byte, error)
	// Has reports whether an object is there, without reading it: it may be damaged.
	Has(ctx context.Context, id ID) (bool, error)
	// List yields the ids of all objects whose text begins with prefix, ascending. An
	// object that is put meanwhile is among them or not. An error is yielded once, with
	// the zero ID, and is the end.
	List(ctx context.Context, prefix string) iter.Seq2[ID, error]

	// Ref returns what a ref names, the zero ID if there is no such ref. Errors match
	// ErrRefName and, for a damaged ref, base.ErrCorrupt.
	Ref(ctx context.Context, name string) (ID, error)
	// SetRef has a ref name id instead of old, in one step and durably. Where old is the
	// zero ID the ref must not exist; where id is, the ref is deleted. Whether there is
	// an object with that id is not looked at: it is put before. Errors match
	// ErrRefName, ErrRefMoved and ErrRefConflict: nothing has changed then. After any
	// other error the ref has either value, and that may not be durable; setting it from
	// that value to the same makes it so.
	SetRef(ctx context.Context, name string, old, id ID) error
	// DeleteRef removes a ref whatever it names, durably, also one that is damaged. One
	// that does not exist is no error.
	DeleteRef(ctx context.Context, name string) error
	// Refs returns the refs whose names begin with prefix, sorted by name. With an error
	// they are those that could be read: errors of damaged ones are joined.
	Refs(ctx context.Context, prefix string) ([]Ref, error)
}

// Ref is a name and the object it stands for.
type Ref struct {
	Name string
	ID   ID
}

// ValidRef returns nil if name may name a ref; else the error matches ErrRefName and
// says what is wrong. base.CheckRefName has the rule. A name that is valid may yet be in
// conflict with another ref.
func ValidRef(name string) error {
	if err := base.CheckRefName(name); err != nil {
		return fmt.Errorf("%w: %.300q: %w", ErrRefName, name, err)
	}
	return nil
}

// CheckObject returns nil for an object that may be put into a Store, else the error that
// Put returns.
func CheckObject(t Type, payload []byte) error {
	switch {
	case !t.Known():
		return fmt.Errorf("%w: %v", ErrUnknownType, t)
	case len(payload) > MaxPayloadBytes:
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(payload), MaxPayloadBytes)
	}
	return nil
}
