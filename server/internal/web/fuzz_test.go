package web

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/zstd"
)

// reference decodes a body with other decoders, up to a limit.
func reference(encoding string, wire []byte, limit int64) ([]byte, error) {
	var r io.Reader
	switch encoding {
	case "gzip":
		return gunzip(wire, limit)
	case "zstd":
		z, err := zstd.NewReader(bytes.NewReader(wire), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	case "snappy":
		// The format has lengths below 2^32, in five bytes at most; this decoder takes more.
		if _, n := binary.Uvarint(wire); n > binary.MaxVarintLen32 {
			return nil, snappy.ErrCorrupt
		}
		if n, err := snappy.DecodedLen(wire); err != nil || int64(n) > limit {
			return nil, snappy.ErrCorrupt
		}
		return snappy.Decode(nil, wire)
	}
	return io.ReadAll(io.LimitReader(r, limit+1))
}

// gunzip decodes one member after the other, to refuse those with a reserved flag: the
// standard library lets them pass, against RFC 1952.
func gunzip(wire []byte, limit int64) ([]byte, error) {
	const reserved = 0xe0
	r := bytes.NewReader(wire)
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	var out []byte
	for start := 0; ; {
		if wire[start+3]&reserved != 0 {
			return out, gzip.ErrHeader
		}
		z.Multistream(false)
		member, err := io.ReadAll(io.LimitReader(z, limit+1-int64(len(out))))
		if out = append(out, member...); err != nil || int64(len(out)) > limit {
			return out, err
		}
		start = len(wire) - r.Len()
		switch err := z.Reset(r); err {
		case nil:
		case io.EOF:
			return out, nil
		default:
			return out, err
		}
	}
}

// A reserved flag of gzip says that the data are not what this version of the format holds,
// in whichever member it stands.
func TestReservedGzipFlags(t *testing.T) {
	s := New(Config{Limits: Limits{WireBytes: 1 << 20, DecodedBytes: 1 << 20}})
	if err := s.Mount(false, []Route{
		{Pattern: "POST /echo", Name: "e", Slot: IngestSlot, Handler: http.HandlerFunc(echo)},
		{Pattern: "POST /stream", Name: "s", Slot: IngestSlot, Handler: http.HandlerFunc(echoStream)},
	}); err != nil {
		t.Fatal(err)
	}
	whole := compressions["gzip"]([]byte("text"))
	for _, flag := range []byte{0x20, 0x40, 0x80} {
		flagged := slices.Clone(whole)
		flagged[3] |= flag
		for _, wire := range [][]byte{flagged, slices.Concat(flagged, whole), slices.Concat(whole, flagged)} {
			if _, err := gunzip(wire, 1<<20); err != gzip.ErrHeader {
				t.Errorf("flag %#x: the reference says %v", flag, err)
			}
			for _, path := range []string{"/echo", "/stream"} {
				if w := post(s, path, "gzip", wire); w.Code != 400 {
					t.Errorf("%s, flag %#x: %d %s", path, flag, w.Code, w.Body)
				}
			}
		}
	}
}

// Bodies are decoded as other decoders do it, whole and as streams, or refused.
func FuzzBodies(f *testing.F) {
	const (
		limit = 1 << 20
		ahead = 1 << 18 // decoders may find damage that far beyond the limit, and tell of that
	)
	text := bytes.Repeat([]byte("cpu,host=a v=1 "), 50)
	for i, encoding := range []string{"gzip", "zstd", "snappy"} {
		whole := compressions[encoding](text)
		f.Add(uint8(i), whole)
		f.Add(uint8(i), slices.Concat(whole, whole))
		f.Add(uint8(i), whole[:len(whole)-2])
		long := compressions[encoding](make([]byte, limit+1))
		f.Add(uint8(i), long)
		f.Add(uint8(i), long[:len(long)-2]) // too long and damaged
		f.Add(uint8(i), compressions[encoding](nil))
	}
	s := New(Config{Limits: Limits{WireBytes: limit, DecodedBytes: limit}})
	if err := s.Mount(false, []Route{
		{Pattern: "POST /echo", Name: "e", Slot: IngestSlot, Handler: http.HandlerFunc(echo)},
		{Pattern: "POST /stream", Name: "s", Slot: IngestSlot, Handler: http.HandlerFunc(echoStream)},
	}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, kind uint8, wire []byte) {
		encoding := []string{"gzip", "zstd", "snappy"}[kind%3]
		want, err := reference(encoding, wire, limit+ahead)
		for _, path := range []string{"/echo", "/stream"} {
			r := httptest.NewRequest("POST", path, bytes.NewReader(wire))
			r.Header.Set("Content-Encoding", encoding)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			switch {
			case len(wire) == 0 || path == "/stream" && len(want) > limit:
			case len(want) > limit:
				if w.Code != 413 && (err == nil || w.Code != 400) {
					t.Errorf("%s %s: %d for %d bytes, %v", path, encoding, w.Code, len(want), err)
				}
			case err == nil && (w.Code != 200 || !bytes.Equal(w.Body.Bytes(), want)):
				t.Errorf("%s %s: %d, %d bytes, want %d: %.100q", path, encoding, w.Code, w.Body.Len(), len(want), w.Body)
			case encoding == "gzip" && err == io.ErrUnexpectedEOF && w.Code == 200:
				// A further member that is cut off within its header counts as the end.
			case err != nil && encoding != "snappy" && w.Code != 400 && w.Code != 413:
				t.Errorf("%s %s: %d for what others cannot decode: %v", path, encoding, w.Code, err)
			}
		}
		if load := s.Load(); load != (Load{}) {
			t.Errorf("left behind: %+v", load)
		}
	})
}
