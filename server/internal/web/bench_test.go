package web

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sydradb/sydradb/server/internal/auth"
)

// discard is an answer that nobody reads.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkRequest is what the frame adds to a request, its body of some encoding decoded.
func BenchmarkRequest(b *testing.B) {
	token, err := auth.NewToken("0123456789012345678901234567890123456789")
	if err != nil {
		b.Fatal(err)
	}
	s := New(Config{Guard: auth.NewGuard([]auth.Token{token}, nil)})
	take := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := ReadBody(w, r)
		if err != nil {
			b.Error(err)
		}
		body.Release()
	})
	if err := s.Mount(false, []Route{{Pattern: "POST /x", Name: "x", Scope: auth.Write, Slot: IngestSlot, Handler: take}}); err != nil {
		b.Fatal(err)
	}
	line := "cpu,hostname=host_1,region=eu-west-1 usage_user=12i,usage_system=3i 1694300000000000000\n"
	for _, lines := range []int{1, 10_000} {
		for encoding, compress := range compressions {
			body := compress(bytes.Repeat([]byte(line), lines))
			b.Run(fmt.Sprintf("lines=%d/encoding=%s", lines, encoding), func(b *testing.B) {
				b.SetBytes(int64(lines * len(line)))
				b.ReportAllocs()
				for b.Loop() {
					r := httptest.NewRequest("POST", "/x", bytes.NewReader(body))
					r.Header.Set("Authorization", "Bearer 0123456789012345678901234567890123456789")
					r.Header.Set("Content-Encoding", encoding)
					s.ServeHTTP(&discard{make(http.Header)}, r)
				}
			})
		}
	}
}
