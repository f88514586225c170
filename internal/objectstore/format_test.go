package objectstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fuzzing"
	"github.com/sydradb/sydradb/internal/golden"
)

// encode returns the bytes of a whole object.
func encode(t Type, payload []byte) []byte { return append(header(t, len(payload)), payload...) }

func TestGolden(t *testing.T) {
	payload := []byte("SydraDB object")
	id := IDOf(TypeBlob, payload)
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n", base.ObjectFile(id))
	data := encode(TypeBlob, payload)
	b.Write(golden.Hex(
		golden.Field{Bytes: data[:1], Note: "blob"},
		golden.Field{Bytes: data[1:5], Note: "14 bytes of payload"},
		golden.Field{Bytes: data[5:], Note: `payload "SydraDB object"`},
	))
	golden.Check(t, "testdata/object.golden", b.Bytes())
	golden.Check(t, "testdata/ref.golden", encodeRef(id))
}

// The golden bytes by themselves, as another program would read them.
func TestGoldenIsRead(t *testing.T) {
	const name = "a0d243e8"
	kind, payload, err := Decode(golden.ReadHex(t, "testdata/object.golden"))
	if err != nil || kind != TypeBlob || string(payload) != "SydraDB object" {
		t.Errorf("%v, %q, %v", kind, payload, err)
	}
	if id := IDOf(kind, payload); !strings.HasPrefix(id.String(), name) {
		t.Errorf("id %v, want %s...", id, name)
	}
}

func TestDecodeRefuses(t *testing.T) {
	long := binary.LittleEndian.AppendUint32([]byte{1}, MaxPayloadBytes+1)
	for name, c := range map[string]struct {
		data   []byte
		offset int64
		err    error
	}{
		"nothing":          {nil, 0, errShort},
		"half a header":    {[]byte{1, 0, 0}, 3, errShort},
		"a missing byte":   {encode(TypeBlob, []byte("abc"))[:7], 1, errLength},
		"a byte too many":  {append(encode(TypeBlob, []byte("abc")), 0), 1, errLength},
		"no payload":       {[]byte{1, 1, 0, 0, 0}, 1, errLength},
		"too long":         {long, 1, errLong},
		"the longest ever": {[]byte{1, 0xff, 0xff, 0xff, 0xff}, 1, errLong},
	} {
		kind, payload, err := Decode(c.data)
		var damage *base.CorruptionError
		if !errors.As(err, &damage) || !errors.Is(err, c.err) || damage.Offset != c.offset || kind != 0 || payload != nil {
			t.Errorf("%s: %v, %q, error %v", name, kind, payload, err)
		}
	}
}

func TestRefText(t *testing.T) {
	id := IDOf(TypeCommit, nil)
	if got, err := decodeRef("x", encodeRef(id)); err != nil || got != id {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{
		"", "\n", id.String(), id.String() + "\n\n", id.String() + "\r\n", id.String() + " ", " " + id.String()[:63] + "\n",
		strings.ToUpper(id.String()) + "\n", strings.Repeat("0", 64) + "\n", strings.Repeat("g", 64) + "\n",
		"ref: refs/heads/main\n",
	} {
		got, err := decodeRef("refs/heads/x", []byte(text))
		var damage *base.CorruptionError
		if !errors.As(err, &damage) || damage.File != "refs/heads/x" || got != (ID{}) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestParseID(t *testing.T) {
	id := IDOf(TypeTree, []byte("x"))
	if got, err := ParseID(id.String()); err != nil || got != id {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "0", id.String()[:63], id.String() + "0", strings.ToUpper(id.String()), strings.Repeat("é", 32)} {
		if got, err := ParseID(text); err == nil || got != (ID{}) {
			t.Errorf("%q is the id %v", text, got)
		}
	}
}

func TestTypeNames(t *testing.T) {
	for kind, want := range map[Type]string{
		TypeBlob: "blob", TypeTree: "tree", TypeCommit: "commit", TypeRef: "ref", 0: "type 0", 5: "type 5", 255: "type 255",
	} {
		if got := kind.String(); got != want {
			t.Errorf("%d is called %q, want %q", kind, got, want)
		}
	}
}

func TestValidRef(t *testing.T) {
	if err := ValidRef("heads/main"); err != nil {
		t.Error(err)
	}
	err := ValidRef("heads/Main")
	if !errors.Is(err, ErrRefName) || !strings.Contains(err.Error(), `"heads/Main"`) || !strings.Contains(err.Error(), "'M'") {
		t.Errorf("error %v", err)
	}
}

// FuzzObject reads any bytes as an object: they are refused with a place, or are what is
// written for what they hold.
func FuzzObject(f *testing.F) {
	f.Add(golden.ReadHex(f, "testdata/object.golden"))
	f.Add(encode(TypeRef, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		var kind Type
		var payload []byte
		var err error
		fuzzing.Bounded(t, len(data), func() { kind, payload, err = Decode(data) })
		var damage *base.CorruptionError
		if err != nil {
			if !errors.As(err, &damage) || damage.Offset < 0 || damage.Offset > int64(len(data)) {
				t.Fatalf("error without a place in %d bytes: %v", len(data), err)
			}
			return
		}
		if again := encode(kind, payload); !bytes.Equal(again, data) {
			t.Fatalf("% x became % x", data, again)
		}
		id := IDOf(kind, payload)
		if _, _, err := decodeAs(id, "x", data); (err == nil) != kind.Known() || errors.As(err, &damage) {
			t.Fatalf("under its own id: %v", err)
		}
		id[0]++
		if _, _, err := decodeAs(id, "x", data); !errors.As(err, &damage) || damage.File != "x" {
			t.Fatalf("under another id: %v", err)
		}
	})
}

// FuzzRef reads any bytes as a ref, and as an id.
func FuzzRef(f *testing.F) {
	f.Add(encodeRef(IDOf(TypeCommit, nil)))
	f.Add([]byte("ref: refs/heads/main\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var id ID
		var err error
		fuzzing.Bounded(t, len(data), func() { id, err = decodeRef("x", data) })
		if err == nil && (id == ID{} || !bytes.Equal(encodeRef(id), data)) || err != nil && !errors.Is(err, base.ErrCorrupt) {
			t.Fatalf("%q is a ref to %v, error %v", data, id, err)
		}
		parsed, err := ParseID(string(data))
		if err == nil && parsed.String() != string(data) {
			t.Fatalf("%q is the id %v", data, parsed)
		}
	})
}
