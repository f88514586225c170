package manifest

import (
	"bytes"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/fuzzing"
)

// FuzzManifestLine reads a line whose checksum is taken for granted. What it yields,
// written again, reads the same.
func FuzzManifestLine(f *testing.F) {
	for _, text := range histories() {
		for _, line := range bytes.SplitAfter(text, []byte{'\n'}) {
			f.Add(bytes.TrimSuffix(line, []byte{'\n'}))
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var e Edit
		var err error
		fuzzing.Bounded(t, len(line), func() { err = decodeEdit(line, &e) })
		if err == nil {
			text, crc := appendLine(nil, &e)
			var back Edit
			if err := decodeEdit(bytes.TrimSuffix(text, []byte{'\n'}), &back); err != nil {
				t.Fatalf("written again: %v", err)
			}
			if again, sameCRC := appendLine(nil, &back); !bytes.Equal(again, text) || sameCRC != crc {
				t.Errorf("written again: %s\nand again: %s", text, again)
			}
		}
		fuzzing.Bounded(t, len(line), func() { _, err = decodePlain(line) })
		if err == nil && len(line) < len(`{"series_id":1,"hour_bucket":0,"start_ts":0,"end_ts":0,"count":1,"path":""}`) {
			t.Errorf("%q passes for an entry", line)
		}
	})
}

// FuzzManifestFile reads files as they are, and with their checksums and chain made
// right, so that what the lines say is reached. A state that is read can be written anew
// and is then the same.
func FuzzManifestFile(f *testing.F) {
	f.Add([]byte{}, false)
	for _, text := range histories() {
		f.Add(text, true)
	}
	f.Add(seal(3, []Edit{editN(3, entries(0, 2), paths(5, 7)), editN(4, nil, paths(0, 1))}, nil), true)
	f.Add([]byte(`{"series_id":1,"hour_bucket":0,"start_ts":0,"end_ts":9,"count":10,"path":"segments/0/1-0-9-5.seg"}`+"\n"), false)
	for _, b := range brokenEdits() {
		f.Add(seal(0, brokenHistory(), func(i int, e *Edit) {
			if i == 2 {
				b.change(e)
			}
		}), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, mend bool) {
		if mend {
			data = mended(data)
		}
		var s State
		var tail *Tail
		var err error
		fuzzing.Bounded(t, len(data), func() { s, tail, err = read(base.ManifestFile, data) })
		if tail != nil && (err != nil || s.Bytes != tail.Offset || tail.Offset+tail.Bytes != int64(len(data))) {
			t.Fatalf("tail %+v, state of %d bytes, error %v", tail, s.Bytes, err)
		}
		if err != nil || s.V0 || s.LastEdit > maxEdit-2 {
			return
		}
		fs := fsys.NewMem()
		putFile(t, fs, base.ManifestFile, data)
		l, err := Open(fs, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.CutTail(); err != nil {
			t.Fatal(err)
		}
		want := describe(l.State(), false)
		if err := l.Rewrite(); err != nil {
			t.Fatal(err)
		}
		mustClose(t, l)
		again := mustRead(t, fs)
		if got := describe(&again, false); got != want {
			t.Errorf("written anew:\n%sfrom\n%s", got, want)
		}
	})
}

// mended gives each line of data that reads as an edit its place in the chain.
func mended(data []byte) []byte {
	var out []byte
	prev := ""
	for line := range bytes.Lines(data) {
		var e Edit
		if decodeEdit(bytes.TrimSuffix(line, []byte{'\n'}), &e) != nil {
			out = append(out, line...)
			continue
		}
		e.Prev = prev
		out, prev = appendLine(out, &e)
	}
	return out
}
