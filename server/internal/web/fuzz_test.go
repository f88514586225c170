package web

import (
	"bytes"
	"compress/gzip"
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
		z, err := gzip.NewReader(bytes.NewReader(wire))
		if err != nil {
			return nil, err
		}
		r = z
	case "zstd":
		z, err := zstd.NewReader(bytes.NewReader(wire), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	case "snappy":
		if n, err := snappy.DecodedLen(wire); err != nil || int64(n) > limit {
			return nil, snappy.ErrCorrupt
		}
		return snappy.Decode(nil, wire)
	}
	return io.ReadAll(io.LimitReader(r, limit+1))
}

// Bodies are decoded as other decoders do it, whole and as streams, or refused.
func FuzzBodies(f *testing.F) {
	const limit = 1 << 20
	text := bytes.Repeat([]byte("cpu,host=a v=1 "), 50)
	for i, encoding := range []string{"gzip", "zstd", "snappy"} {
		whole := compressions[encoding](text)
		f.Add(uint8(i), whole)
		f.Add(uint8(i), slices.Concat(whole, whole))
		f.Add(uint8(i), whole[:len(whole)-2])
		f.Add(uint8(i), compressions[encoding](make([]byte, limit+1)))
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
		want, err := reference(encoding, wire, limit)
		for _, path := range []string{"/echo", "/stream"} {
			r := httptest.NewRequest("POST", path, bytes.NewReader(wire))
			r.Header.Set("Content-Encoding", encoding)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			switch {
			case len(wire) == 0 || path == "/stream" && len(want) > limit:
			case err == nil && len(want) > limit && w.Code != 413:
				t.Errorf("%s %s: %d for %d bytes", path, encoding, w.Code, len(want))
			case err == nil && len(want) <= limit && (w.Code != 200 || !bytes.Equal(w.Body.Bytes(), want)):
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
