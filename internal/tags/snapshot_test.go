package tags

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/dict"
	"github.com/sydradb/sydradb/internal/fuzzing"
	"github.com/sydradb/sydradb/internal/golden"
)

// idOf gives descending ids, so that their order is not that of the ordinals.
func idOf(o base.Ordinal) base.SeriesID { return base.SeriesID(1<<64 - 1 - uint64(o)) }

func snapshotIndex() testIndex {
	ix := newTestIndex()
	ix.add(1, "room.temp", "floor", "2", "room", "kitchen")
	ix.add(2, "room.temp", "floor", "2", "room", "hall")
	ix.add(3, "x", "q\"\\\n\x01", "</é\u2028>", "a", "b=c", "a=b", "c")
	ix.dict.InternSeries(nil, "x", []base.Tag{{Key: "new", Value: "1"}}) // of a series that never reached the log
	ix.add(5, "x", "a=b", "c")
	return ix
}

func TestSnapshot(t *testing.T) {
	ix := snapshotIndex()
	stamp := Stamp{Generation: 1, Bytes: 4711}
	got, ok := ix.AppendSnapshot([]byte("before"), stamp, idOf, 1<<20)
	text, found := strings.CutPrefix(string(got), "before")
	if !ok || !found {
		t.Fatal("no snapshot")
	}
	golden.Check(t, "testdata/tags.json.golden", []byte(text))
	var members map[string][]uint64
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		t.Fatal(err)
	}
	for key, n := range map[string]int{"floor=2": 2, "room=kitchen": 1, "q\"\\\n\x01=</é\u2028>": 1, "a=b=c": 2} {
		if len(members[key]) != n {
			t.Errorf("%q has %d series, want %d", key, len(members[key]), n)
		}
	}
	if got, ok := ReadStamp([]byte(text)); !ok || got != stamp {
		t.Errorf("stamp %v, %v", got, ok)
	}
	if got, ok := ReadStamp([]byte(text)[:100]); !ok || got != stamp {
		t.Errorf("stamp of the first 100 bytes: %v, %v", got, ok)
	}
}

func TestSnapshotLimit(t *testing.T) {
	ix := snapshotIndex()
	all, _ := ix.AppendSnapshot(nil, Stamp{}, idOf, 1<<20)
	if again, ok := ix.AppendSnapshot(nil, Stamp{}, idOf, len(all)); !ok || string(again) != string(all) {
		t.Error("a snapshot that just fits is refused")
	}
	for limit := range len(all) {
		if got, ok := ix.AppendSnapshot([]byte("x"), Stamp{}, idOf, limit); ok || string(got) != "x" {
			t.Fatalf("limit %d: %d bytes, %v", limit, len(got), ok)
		}
	}
	if got, ok := New(ix.dict).AppendSnapshot(nil, Stamp{Generation: 2}, idOf, 100); !ok || string(got) != "{\"generation\":[2],\"bytes\":[0]}\n" {
		t.Errorf("empty index: %s", got)
	}
}

func TestReadStampRefuses(t *testing.T) {
	for _, text := range []string{"", "{", "{}", `{"floor=2":[1]}`, `{"generation":[1]}`, `{"generation":[1],"bytes":[`,
		`{"generation":[1],"bytes":[2]`, `{"generation":[-1],"bytes":[2]}`, `{"generation":[01],"bytes":[2]}`, `{"generation":[1],"bytes":[+2]}`, `{"generation":[1,2],"bytes":[2]}`, `{"generation":[1],"bytes":[x]}`,
		`{"bytes":[1],"generation":[2]}`, "\x00\x00"} {
		if s, ok := ReadStamp([]byte(text)); ok {
			t.Errorf("%s has the stamp %v", text, s)
		}
	}
}

func TestReadV0(t *testing.T) {
	got, err := ReadV0([]byte("{ \"room=kitchen\" : [ 1 , 18446744073709551615 ],\n\"a=b=c\":[],\"none\":[5],\"empty=\":[6],\"=x\":[7]," +
		`"q\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00\ud83d=é":[8]}` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Posting{
		{base.Tag{Key: "room", Value: "kitchen"}, []base.SeriesID{1, 1<<64 - 1}},
		{base.Tag{Key: "a", Value: "b=c"}, nil},
		{base.Tag{Key: "", Value: "x"}, []base.SeriesID{7}},
		{base.Tag{Key: "q\"\\/\b\f\n\r\tAé😀\ufffd", Value: "é"}, []base.SeriesID{8}},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v\nwant %v", got, want)
	}
	if got, err := ReadV0([]byte("{}")); err != nil || len(got) != 0 {
		t.Errorf("empty object: %v, %v", got, err)
	}
}

func TestReadV0Damage(t *testing.T) {
	for _, c := range []struct {
		text   string
		offset int64
	}{
		{``, 0}, {`[]`, 0}, {`{`, 1}, {`{}x`, 2}, {`{"a=b":[1],}`, 11}, {`{"a=b"}`, 6}, {`{"a=b":1}`, 7}, {`{"a=b":[1}`, 8}, {`{"a=b":[1 2]}`, 10},
		{`{"a=b":[,]}`, 8}, {`{"a=b":[-1]}`, 8}, {`{"a=b":[18446744073709551616]}`, 8}, {`{"a=b":[1.5]}`, 9}, {`{"a=b`, 2}, {`{"a\x":[1]}`, 3},
		{`{"a\u12":[1]}`, 3}, {`{"a\`, 3}, {"{\"a\xff=1\":[1]}", 2}, {`{"a=b":[1]"c=d":[2]}`, 10},
	} {
		_, err := ReadV0([]byte(c.text))
		var damage *base.CorruptionError
		if !errors.As(err, &damage) || damage.File != base.TagsFile || damage.Offset != c.offset {
			t.Errorf("%s: %v, want offset %d", c.text, err, c.offset)
		}
	}
}

// FuzzReadStamp wants what has a stamp to begin as a snapshot with that stamp does.
func FuzzReadStamp(f *testing.F) {
	whole, _ := snapshotIndex().AppendSnapshot(nil, Stamp{Generation: 1, Bytes: 4711}, idOf, 1<<20)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		var stamp Stamp
		var ok bool
		fuzzing.Bounded(t, len(data), func() { stamp, ok = ReadStamp(data) })
		if !ok {
			return
		}
		empty, _ := New(dict.New()).AppendSnapshot(nil, stamp, idOf, 200)
		if head := bytes.TrimSuffix(empty, []byte("}\n")); !bytes.HasPrefix(data, head) {
			t.Fatalf("%q has the stamp %v, which is written as %q", data, stamp, head)
		}
	})
}

// FuzzReadV0 wants what is read to be what encoding/json reads.
func FuzzReadV0(f *testing.F) {
	for _, s := range []string{`{"room=kitchen":[1,2],"a=b=c":[]}`, `{"q\"\u00e9\ud83d\ude00=1":[18446744073709551615]}`, `{"a=b":[1}`, "{ }"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got []Posting
		var err error
		fuzzing.Bounded(t, len(data), func() { got, err = ReadV0(data) })
		if err != nil {
			if !errors.Is(err, base.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		var want map[string][]base.SeriesID
		if json.Unmarshal(data, &want) != nil {
			return // control characters in quotes, numbers with leading zeros
		}
		for _, p := range slices.Backward(got) { // of members with one key the last counts
			key := p.Tag.Key + "=" + p.Tag.Value
			if ids, ok := want[key]; ok && !slices.Equal(ids, p.IDs) {
				t.Fatalf("%q has %d, want %d", key, p.IDs, ids)
			}
			delete(want, key)
		}
		for key := range want {
			if i := strings.IndexByte(key, '='); i >= 0 && i+1 < len(key) {
				t.Fatalf("%q is missing", key)
			}
		}
	})
}
