// Package golden compares what tests produce with files kept under testdata.
//
// Two kinds of file: text, compared as it is, and annotated hex, in which each line
// holds bytes and, behind '#', what they mean. Run a test with -rewrite to write the
// files anew, then read the difference before committing it. Test helper: imported
// by _test files only.
package golden

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write golden files instead of comparing with them")

// Check compares got with the file at path, or writes the file under -rewrite.
func Check(t testing.TB, path string, got []byte) {
	t.Helper()
	if *rewrite {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run the test with -rewrite to make it)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs.\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// Field is a run of bytes with its meaning.
type Field struct {
	Bytes []byte
	Note  string
}

// Hex renders fields as annotated hex: offset, at most 16 bytes a line, and the note
// on the first line of each field.
func Hex(fields ...Field) []byte {
	var b bytes.Buffer
	offset := 0
	for _, f := range fields {
		note, rest := f.Note, f.Bytes
		for {
			n := min(16, len(rest))
			fmt.Fprintf(&b, "%04x: %-47s", offset, fmt.Sprintf("% x", rest[:n]))
			if note != "" {
				b.WriteString("  # " + note)
			}
			b.WriteByte('\n')
			offset, rest, note = offset+n, rest[n:], ""
			if len(rest) == 0 {
				break
			}
		}
	}
	return b.Bytes()
}

// ReadHex returns the bytes of an annotated hex file: an optional "offset:" at the
// start of a line, comments from '#' on and white space are left out.
func ReadHex(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for i, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		if _, after, found := strings.Cut(line, ":"); found {
			line = after
		}
		b, err := hex.DecodeString(strings.Join(strings.Fields(line), ""))
		if err != nil {
			t.Fatalf("%s, line %d: %v", path, i+1, err)
		}
		out = append(out, b...)
	}
	return out
}

// Tree returns the files below dir by their slash-separated paths relative to it.
// Those whose name ends in ".hex" are annotated hex: they are decoded, and their path
// is without the ending. So a directory of binary files can be kept readable.
func Tree(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name, isHex := strings.CutSuffix(filepath.ToSlash(rel), ".hex")
		if isHex {
			files[name] = ReadHex(t, path)
			return nil
		}
		files[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
