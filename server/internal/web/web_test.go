package web

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// compressions are the encodings that clients use.
var compressions = map[string]func([]byte) []byte{
	"": func(b []byte) []byte { return b },
	"gzip": func(b []byte) []byte {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		_, _ = z.Write(b)
		_ = z.Close()
		return out.Bytes()
	},
	"zstd": func(b []byte) []byte {
		z, _ := zstd.NewWriter(nil)
		return z.EncodeAll(b, nil)
	},
	"snappy": func(b []byte) []byte { return s2.EncodeSnappy(nil, b) },
}

// echo answers the body as it was decoded.
func echo(w http.ResponseWriter, r *http.Request) {
	b, err := ReadBody(w, r)
	if err != nil {
		Fail(w, r, err)
		return
	}
	defer b.Release()
	_, _ = w.Write(b.Bytes())
}

// echoStream is echo by way of Stream.
func echoStream(w http.ResponseWriter, r *http.Request) {
	in, err := Stream(w, r)
	if err != nil {
		Fail(w, r, err)
		return
	}
	defer in.Close()
	b, err := io.ReadAll(in)
	if err != nil {
		Fail(w, r, err)
		return
	}
	_, _ = w.Write(b)
}

func newServer(t *testing.T, cfg Config, routes ...Route) *Server {
	t.Helper()
	s := New(cfg)
	routes = append(routes,
		Route{Pattern: "POST /echo", Name: "echo", Slot: IngestSlot, Handler: http.HandlerFunc(echo)},
		Route{Pattern: "POST /stream", Name: "stream", Slot: IngestSlot, Handler: http.HandlerFunc(echoStream)},
	)
	if err := s.Mount(false, routes); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBodiesComeDecoded(t *testing.T) {
	s := newServer(t, Config{})
	for _, size := range []int{0, 1, 100, 1 << 16, 1<<20 + 7} {
		want := bytes.Repeat([]byte("some text. "), size/11+1)[:size]
		for encoding, compress := range compressions {
			for _, path := range []string{"/echo", "/stream"} {
				r := httptest.NewRequest("POST", path, bytes.NewReader(compress(want)))
				r.Header.Set("Content-Encoding", encoding)
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				if w.Code != 200 || !bytes.Equal(w.Body.Bytes(), want) {
					t.Errorf("%s %q of %d bytes: %d, %.100s", path, encoding, size, w.Code, w.Body)
				}
			}
		}
	}
	if load := s.Load(); load != (Load{}) {
		t.Errorf("left at the end: %+v", load)
	}
}
