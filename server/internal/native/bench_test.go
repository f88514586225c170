package native_test

import (
	"net/http/httptest"
	"testing"

	"github.com/sydradb/sydradb/server/internal/native"
	"github.com/sydradb/sydradb/server/internal/web"
)

// BenchmarkStream answers 100,000 points of one series that are merged on disk.
func BenchmarkStream(b *testing.B) {
	const n = 100_000
	db := newDB(b, b.TempDir())
	points := make([]point, n)
	for i := range points {
		points[i] = point{1_700_000_000*sec + int64(i)*10*sec, float64(i%1000) / 8}
	}
	write(b, db, "a{host=h}", points...)
	if err := db.Compact(b.Context()); err != nil {
		b.Fatal(err)
	}
	s := web.New(web.Config{})
	if err := s.Mount(false, native.Routes(native.Config{DB: db})); err != nil {
		b.Fatal(err)
	}
	for _, path := range []string{"range?series=a", "select?selector=a"} {
		b.Run("path="+path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := discard{httptest.NewRecorder()}
				s.ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/query/"+path, nil))
				if w.Code != 200 {
					b.Fatal(w.Code, w.Body)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/point")
		})
	}
}

// discard is an answer that nobody keeps.
type discard struct{ *httptest.ResponseRecorder }

func (d discard) Write(p []byte) (int, error) {
	d.WriteHeader(200)
	return len(p), nil
}
