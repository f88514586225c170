package vmimport

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
	"github.com/sydradb/sydradb/server/internal/handles"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/web"
)

// A client that stops in the middle of a line makes the request keep what it has of it.
// That counts as memory for bodies.
func TestLongLinesAreCounted(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	server := web.New(web.Config{Limits: web.Limits{BodiesBytes: 2 << 20}})
	if err := server.Mount(false, Routes(intake.New(db, intake.DefaultLimits(), nil))); err != nil {
		t.Fatal(err)
	}
	during := int64(-1)
	for _, tt := range []struct{ size, status int }{{1 << 20, 400}, {3 << 20, 413}, {1 << 20, 400}} {
		body := io.MultiReader(strings.NewReader(strings.Repeat("x", tt.size)), readerFunc(func([]byte) (int, error) {
			during = server.Load().BodiesBytes
			return 0, io.EOF
		}))
		w := httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequest("POST", "/api/v1/import", body))
		if w.Code != tt.status {
			t.Errorf("a line of %d bytes: %d, %s", tt.size, w.Code, w.Body)
		}
		if during < int64(min(tt.size, 1<<20)) {
			t.Errorf("a line of %d bytes counts as %d", tt.size, during)
		}
		if left := server.Load().BodiesBytes; left != 0 {
			t.Errorf("%d bytes are not given back", left)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// Nor does a request keep the points of a long line while it waits for the next.
func TestLongLinesAreForgotten(t *testing.T) {
	s := openDefault(t)
	h := &handler{intake: intake.New(s.db, intake.DefaultLimits(), nil), series: handles.NewCache(maxSeries, maxSeriesBytes)}
	n := keptPoints + 1
	text := row(`{"__name__":"a"}`, strings.TrimSuffix(strings.Repeat("1,", n), ","), strings.TrimSuffix(strings.Repeat("1700000000000,", n), ","))
	in, err := web.Stream(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	j := job{handler: h, parser: new(parser), lines: newLines(in), rejected: map[string]int{}}
	if err := j.run(t.Context()); err != nil || j.accepted != n {
		t.Fatalf("%d points stored, %v", j.accepted, err)
	}
	if kept := max(cap(j.line.values), cap(j.line.times)); kept > keptPoints {
		t.Errorf("room for %d points is kept", kept)
	}
}
