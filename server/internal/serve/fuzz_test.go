package serve

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"

	"github.com/sydradb/sydradb/server/internal/config"
	"github.com/sydradb/sydradb/server/internal/web"
)

// documented are the statuses that docs/HTTP.md explains.
var documented = []int{200, 204, 301, 307, 400, 401, 403, 404, 405, 413, 415, 422, 429, 500, 503}

// memoryServer returns the whole handler over a database in memory.
func memoryServer(t testing.TB, log io.Writer) *server {
	t.Helper()
	cfg := config.Default()
	cfg.MaxSeries = 1000
	cfg.MaxBodyBytes, cfg.MaxDecodedBytes = 1<<20, 1<<20
	cfg.QueryTimeout = config.Duration(time.Second)
	cfg.QueryMaxSamples = 100_000
	s, _ := memoryServerOf(t, cfg, log)
	return s
}

// memoryServerOf is memoryServer with settings. It returns the routes, too.
func memoryServerOf(t testing.TB, cfg *config.Config, log io.Writer) (*server, [][]web.Route) {
	t.Helper()
	opts := cfg.Options()
	opts.InMemory = true
	cfg.AllowedHosts = web.AnyHost // that of httptest is example.com
	s, err := newServer(cfg, opts, log)
	if err != nil {
		t.Fatal(err)
	}
	db, err := s.node.Open()
	if err != nil {
		t.Fatal(err)
	}
	s.cfg.DataDir = "" // there is nothing to copy
	routes, err := s.endpoints(db)
	if err != nil {
		t.Fatal(err)
	}
	early, err := s.earlyRoutes()
	if err != nil {
		t.Fatal(err)
	}
	routes = append(routes, early)
	if err := s.web.Mount(false, routes...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, closing := range append(s.closers, s.node.Close) {
			if err := closing(); err != nil {
				t.Error(err)
			}
		}
	})
	return s, routes
}

// requestText returns a request as it goes over the wire.
func requestText(method, target, body string, header ...string) []byte {
	var b bytes.Buffer
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	_ = r.Write(&b)
	return b.Bytes()
}

// Whatever a client sends, it gets an answer that is documented.
func FuzzHandler(f *testing.F) {
	const form = "application/x-www-form-urlencoded"
	for _, seed := range [][]byte{
		requestText("GET", "/", ""),
		requestText("GET", "/metrics", ""),
		requestText("GET", "/ready", ""),
		requestText("GET", "/ping", ""),
		requestText("POST", "/write?precision=s&db=x&u=me&p=secret", "cpu,host=a v=1,w=2i,x=t 1694300000\nbad line\n"),
		requestText("POST", "/api/v2/write?org=a&bucket=b", "cpu,host=a v=1"),
		requestText("GET", "/query?q=SHOW+DATABASES", ""),
		requestText("POST", "/api/v1/ingest", `{"series":"a","ts":1694300000,"value":1,"tags":{"k":"v"}}`+"\n"),
		requestText("POST", "/api/v1/import", `{"metric":{"__name__":"a"},"values":[1,2],"timestamps":[1,2]}`+"\n"),
		requestText("POST", "/v1/metrics", "\n\x00", "Content-Type", "application/x-protobuf"),
		requestText("POST", "/v1/metrics", `{"resourceMetrics":[]}`, "Content-Type", "application/json"),
		requestText("POST", "/api/v1/write", string(snappy.Encode(nil, []byte("\n\x14\n\x0a\n\x08__name__\x12\x01a"))), "Content-Encoding", "snappy"),
		requestText("POST", "/api/v1/read", string(snappy.Encode(nil, []byte("\n\x08\x08\x01\x10\x02"))), "Content-Encoding", "snappy"),
		requestText("POST", "/api/v1/query", "query=up&time=1", "Content-Type", form),
		requestText("GET", "/api/v1/query_range?query=sum(rate(a[5m]))+by+(k)&start=0&end=3600&step=60", ""),
		requestText("GET", "/api/v1/series?match[]=a&start=0", ""),
		requestText("GET", "/api/v1/labels", ""),
		requestText("GET", "/api/v1/label/host/values", ""),
		requestText("GET", "/api/v1/metadata", ""),
		requestText("GET", "/api/v1/status/tsdb", ""),
		requestText("GET", "/api/v1/status/flags", ""),
		requestText("POST", "/api/v1/admin/tsdb/delete_series?match[]=a", ""),
		requestText("POST", "/api/v1/admin/tsdb/snapshot", ""),
		requestText("POST", "/api/v1/admin/flush", ""),
		requestText("GET", `/api/v1/query/range?series=a&tags={"k":"v"}&start=0&end=10&step=5&agg=avg`, ""),
		requestText("POST", "/api/v1/query/find", `{"tags":{"k":"v"},"op":"and"}`),
		requestText("GET", "/api/v1/stats", ""),
		requestText("GET", "//write/../metrics", ""),
		requestText("OPTIONS", "/write", "", "Origin", "http://x"),
		[]byte("POST /write HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na v=1\r\n0\r\n\r\n"),
		[]byte("POST /write HTTP/1.0\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
	} {
		f.Add(seed)
	}
	panicked := false
	s := memoryServer(f, writerFunc(func(line []byte) (int, error) {
		panicked = panicked || bytes.Contains(line, []byte("panicked"))
		return len(line), nil
	}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return // net/http answers it
		}
		r.RemoteAddr = "127.0.0.1:1"
		w := httptest.NewRecorder()
		s.web.ServeHTTP(w, r)
		if !slices.Contains(documented, w.Code) {
			t.Errorf("status %d, %.200s", w.Code, w.Body)
		}
		if panicked || w.Code == http.StatusInternalServerError {
			t.Errorf("an internal error, panicked %v: %d, %.200s", panicked, w.Code, w.Body)
		}
		if load := s.web.Load(); load.BodiesBytes != 0 || load.IngestBusy != 0 || load.QueryBusy != 0 {
			t.Errorf("left behind: %+v", load)
		}
	})
}
