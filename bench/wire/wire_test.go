package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"

	"github.com/sydradb/sydradb/bench/engine"
	"github.com/sydradb/sydradb/bench/workload"
)

// In each format all points of the load come, in order, under the names and tags of their
// series.
func TestFormats(t *testing.T) {
	load := workload.Load(3, 4)
	var want []string
	source := load.Open()
	for points := source.Next(nil); len(points) > 0; points = source.Next(points[:0]) {
		for _, p := range points {
			name, tags := load.Describe(int(p.Series), nil)
			want = append(want, sample(name, tags, p.Value, p.TS))
		}
	}
	decoders := map[string]func(*testing.T, []byte) []string{
		"line": readLines, "line-gzip": readZipped, "remote1": readRemote1, "remote2": readRemote2,
	}
	for _, f := range Formats() {
		for _, each := range []int{10, 25, 5000} {
			w, err := NewWriter(f, load, each)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			var body []byte
			for {
				var points int
				if body, points, err = w.Next(body); err != nil {
					t.Fatal(err)
				}
				if points == 0 {
					break
				}
				some := decoders[f.Name](t, body)
				if len(some) != points {
					t.Fatalf("%s: a request has %d points, not %d", f.Name, len(some), points)
				}
				got = append(got, some...)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, %d a request: %d points, want %d; the first %q, want %q", f.Name, each, len(got), len(want), got[0], want[0])
			}
			if _, points, err := w.Next(body); points != 0 || err != nil {
				t.Errorf("%s: %d points and %v after the end", f.Name, points, err)
			}
		}
	}
	if _, err := Named("carbon"); err == nil {
		t.Error("there is a format carbon")
	}
	if _, err := NewWriter(Formats()[0], load, 9); err == nil {
		t.Error("a part of a line is sent")
	}
}

// sample writes a point with its tags sorted.
func sample(name string, tags []engine.Tag, v float64, ts int64) string {
	pairs := make([]string, len(tags))
	for i, tag := range tags {
		pairs[i] = tag.Key + "=" + tag.Value
	}
	slices.Sort(pairs)
	return fmt.Sprintf("%s{%s} %v %d", name, strings.Join(pairs, ","), v, ts)
}

func readZipped(t *testing.T, body []byte) []string {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return readLines(t, plain)
}

func readLines(t *testing.T, body []byte) (out []string) {
	for line := range strings.Lines(string(body)) {
		parts := strings.Fields(line)
		if len(parts) != 3 {
			t.Fatalf("line %q", line)
		}
		head := strings.Split(parts[0], ",")
		var tags []engine.Tag
		for _, pair := range head[1:] {
			key, value, _ := strings.Cut(pair, "=")
			tags = append(tags, engine.Tag{Key: key, Value: value})
		}
		ns, err := strconv.ParseInt(parts[2], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		for field := range strings.SplitSeq(parts[1], ",") {
			key, value, _ := strings.Cut(field, "=")
			v, err := strconv.ParseInt(strings.TrimSuffix(value, "i"), 10, 64)
			if err != nil || !strings.HasSuffix(value, "i") {
				t.Fatalf("field %q", field)
			}
			out = append(out, sample(head[0]+"_"+key, tags, float64(v), ns/1e6))
		}
	}
	return out
}

// field is a field of a message: bytes, or a number of eight bytes or a varint.
type field struct {
	number int
	data   []byte
	word   uint64
}

// message splits a message into its fields.
func message(data []byte) (out []field) {
	for len(data) > 0 {
		f := field{number: int(data[0] >> 3)}
		kind := data[0] & 7
		data = data[1:]
		if kind == 1 {
			f.word, data = binary.LittleEndian.Uint64(data), data[8:]
		} else {
			v, n := binary.Uvarint(data)
			f.word, data = v, data[n:]
			if kind == 2 {
				f.data, data = data[:v], data[v:]
			}
		}
		out = append(out, f)
	}
	return out
}

func unpacked(t *testing.T, body []byte) []field {
	plain, err := s2.Decode(nil, body)
	if err != nil {
		t.Fatal(err)
	}
	return message(plain)
}

func readRemote1(t *testing.T, body []byte) (out []string) {
	for _, series := range unpacked(t, body) {
		var pairs []string
		var v, ts uint64
		for _, f := range message(series.data) {
			for _, part := range message(f.data) {
				switch {
				case f.number == 1:
					pairs = append(pairs, string(part.data))
				case part.number == 1:
					v = part.word
				default:
					ts = part.word
				}
			}
		}
		out = append(out, labelled(t, pairs, v, ts))
	}
	return out
}

func readRemote2(t *testing.T, body []byte) (out []string) {
	var symbols []string
	for _, part := range unpacked(t, body) {
		if part.number == 4 {
			symbols = append(symbols, string(part.data))
			continue
		}
		var pairs []string
		var v, ts uint64
		for _, f := range message(part.data) {
			switch f.number {
			case 1:
				for refs := f.data; len(refs) > 0; {
					n, size := binary.Uvarint(refs)
					pairs = append(pairs, symbols[n])
					refs = refs[size:]
				}
			case 2:
				for _, sample := range message(f.data) {
					if sample.number == 1 {
						v = sample.word
					} else {
						ts = sample.word
					}
				}
			}
		}
		out = append(out, labelled(t, pairs, v, ts))
	}
	if symbols[0] != "" {
		t.Errorf("the first symbol is %q", symbols[0])
	}
	return out
}

// labelled is sample of names and values of labels by turns.
func labelled(t *testing.T, pairs []string, v, ts uint64) string {
	var name string
	var tags []engine.Tag
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 && pairs[i] <= pairs[i-2] {
			t.Errorf("label %s after %s", pairs[i], pairs[i-2])
		}
		if pairs[i] == "__name__" {
			name = pairs[i+1]
			continue
		}
		tags = append(tags, engine.Tag{Key: pairs[i], Value: pairs[i+1]})
	}
	return sample(name, tags, math.Float64frombits(v), int64(ts))
}
