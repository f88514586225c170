package web

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/sydradb/sydradb/server/internal/auth"
)

// post sends a body and returns the answer.
func post(s http.Handler, path, encoding string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, bytes.NewReader(body))
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// wantFail checks an answer against a status and a code, and that the next request
// succeeds.
func wantFail(t *testing.T, s http.Handler, w *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	if w.Code != status || !strings.Contains(w.Body.String(), `"`+code+`"`) {
		t.Errorf("got %d, %s; want %d, %s", w.Code, w.Body, status, code)
	}
	if retry := w.Header().Get("Retry-After"); (retry != "") != (status == 429 || status == 503) {
		t.Errorf("%d with Retry-After %q", status, retry)
	}
	if next := post(s, "/echo", "", []byte("fine")); next.Code != 200 || next.Body.String() != "fine" {
		t.Errorf("the next request got %d, %s", next.Code, next.Body)
	}
}

func TestBodiesBeyondTheLimits(t *testing.T) {
	s := newServer(t, Config{Limits: Limits{WireBytes: 1000, DecodedBytes: 5000, QueryBytes: 100}},
		Route{Pattern: "POST /query", Name: "query", Slot: QuerySlot, Handler: http.HandlerFunc(echo)})
	random := make([]byte, 4000)
	for i := range random {
		random[i] = byte(i * i >> 3 * 31)
	}
	for encoding, compress := range compressions {
		if encoding == "" {
			continue
		}
		wantFail(t, s, post(s, "/echo", encoding, compress(make([]byte, 5001))), 413, CodeTooLarge)
		if w := post(s, "/echo", encoding, compress(make([]byte, 5000))); w.Code != 200 || w.Body.Len() != 5000 {
			t.Errorf("%s: a body of the greatest size: %d, %d bytes", encoding, w.Code, w.Body.Len())
		}
		wantFail(t, s, post(s, "/echo", encoding, []byte("certainly not that")), 400, CodeBadRequest)
		wantFail(t, s, post(s, "/stream", encoding, []byte("certainly not that")), 400, CodeBadRequest)
		whole := compress([]byte(strings.Repeat("cut off ", 9)))
		wantFail(t, s, post(s, "/echo", encoding, whole[:len(whole)-3]), 400, CodeBadRequest)
		wantFail(t, s, post(s, "/stream", encoding, whole[:len(whole)-3]), 400, CodeBadRequest)
	}
	wantFail(t, s, post(s, "/echo", "", make([]byte, 1001)), 413, CodeTooLarge)
	if w := post(s, "/echo", "", make([]byte, 1000)); w.Code != 200 || w.Body.Len() != 1000 {
		t.Errorf("a body of the greatest size: %d, %d bytes", w.Code, w.Body.Len())
	}
	wantFail(t, s, post(s, "/query", "", make([]byte, 101)), 413, CodeTooLarge)
	if w := post(s, "/query", "gzip", compressions["gzip"](make([]byte, 99))); w.Code != 200 || w.Body.Len() != 99 {
		t.Errorf("a compressed query: %d, %d bytes", w.Code, w.Body.Len())
	}
	for _, encoding := range []string{"deflate", "br", "gzip, gzip", "x-" + strings.Repeat("y", 100)} {
		wantFail(t, s, post(s, "/echo", encoding, []byte("x")), 415, "unsupported_encoding")
	}
	// The length is not announced.
	r := httptest.NewRequest("POST", "/echo", bytes.NewReader(make([]byte, 5000)))
	r.ContentLength = -1
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	wantFail(t, s, w, 413, CodeTooLarge)
	if load := s.Load(); load != (Load{}) {
		t.Errorf("left at the end: %+v", load)
	}
}

// A body cannot make the server take much more memory than the limits say, whatever it
// claims to be.
func TestBombs(t *testing.T) {
	s := newServer(t, Config{})
	zeros := make([]byte, 64<<20)
	unsized, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	var stream bytes.Buffer
	unsized.Reset(&stream)
	_, _ = unsized.Write(zeros)
	_ = unsized.Close()
	bombs := []struct {
		name, encoding string
		body           []byte
		status         int
	}{
		{"gzip", "gzip", compressions["gzip"](zeros), 413},
		{"zstd with its size", "zstd", compressions["zstd"](zeros), 413},
		{"zstd as a stream", "zstd", stream.Bytes(), 413},
		{"zstd of many frames", "zstd", bytes.Repeat(compressions["zstd"](zeros[:1<<20]), 64), 413},
		{"snappy that claims 2 GiB", "snappy", binary.AppendUvarint(nil, 2<<30), 413},
		{"snappy that claims 32 MiB", "snappy", binary.AppendUvarint(nil, 32<<20), 400},
		{"zstd that claims 30 MiB", "zstd", []byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0xe0, 1}, 400},
		{"zstd with a huge window", "zstd", []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 1, 0, 0}, 400},
	}
	zeros = nil
	old := debug.SetGCPercent(-1)
	defer debug.SetGCPercent(old)
	const ceiling = 128 << 20 // what decoding 32 MiB allocates in all, growing, nothing collected
	for _, bomb := range bombs {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		w := post(s, "/echo", bomb.encoding, bomb.body)
		runtime.ReadMemStats(&after)
		if w.Code != bomb.status {
			t.Errorf("%s: %d, %.200s; want %d", bomb.name, w.Code, w.Body, bomb.status)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > ceiling || bomb.status == 400 && took > 2<<20 {
			t.Errorf("%s: allocated %d bytes", bomb.name, took)
		}
	}
	wantFail(t, s, post(s, "/echo", "gzip", bombs[0].body), 413, CodeTooLarge)
}

// Nor can a stream that nobody limits otherwise make it unpack for ever.
func TestBombsInStreams(t *testing.T) {
	s := newServer(t, Config{}, Route{Pattern: "POST /skip", Name: "skip", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, err := Stream(w, r)
		if err == nil {
			defer in.Close()
			var n int64
			n, err = io.Copy(io.Discard, in)
			if n > freeBytes*3/2 {
				t.Errorf("%d bytes were unpacked", n)
			}
		}
		if err != nil {
			Fail(w, r, err)
		}
	})})
	part := make([]byte, 8<<20)
	for _, encoding := range []string{"gzip", "zstd"} {
		bomb := bytes.Repeat(compressions[encoding](part), 1280) // 10 GiB
		wantFail(t, s, post(s, "/skip", encoding, bomb), 413, CodeTooLarge)
		if w := post(s, "/skip", encoding, bomb[:len(bomb)/1280*8]); w.Code != 200 {
			t.Errorf("%s of 64 MiB: %d, %s", encoding, w.Code, w.Body)
		}
	}
}

func TestMemoryForBodiesIsShared(t *testing.T) {
	s := newServer(t, Config{Limits: Limits{BodiesBytes: 64 << 10}})
	s.bodies.take(60 << 10) // other requests
	w := post(s, "/echo", "", make([]byte, 12<<10))
	s.bodies.give(60 << 10)
	wantFail(t, s, w, 503, CodeOverloaded)
	if w := post(s, "/echo", "", make([]byte, 16<<10+1)); w.Code != 413 {
		t.Errorf("a body that never finds room: %d, %s", w.Code, w.Body)
	}
}

// Streams hold memory for as long as their clients like: it counts, and comes back.
func TestMemoryOfStreamsIsShared(t *testing.T) {
	var take int64
	s := newServer(t, Config{Limits: Limits{BodiesBytes: 64 << 10}}, Route{Pattern: "POST /keep", Name: "keep",
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			in, err := Stream(w, r)
			if err == nil {
				defer in.Close()
				err = in.Take(take)
			}
			if err != nil {
				Fail(w, r, err)
			}
		})})
	for _, tt := range []struct {
		encoding   string
		used, take int64
		status     int
		code       string
	}{
		{take: 4 << 10, used: 60 << 10, status: 200},
		{take: 4<<10 + 1, used: 60 << 10, status: 503, code: CodeOverloaded},
		{take: 64<<10 + 1, status: 413, code: CodeTooLarge},
		{encoding: "zstd", used: 48 << 10, status: 200},
		{encoding: "zstd", used: 48<<10 + 1, status: 503, code: CodeOverloaded},
	} {
		take = tt.take
		s.bodies.take(tt.used)
		w := post(s, "/keep", tt.encoding, compressions[tt.encoding]([]byte("x")))
		s.bodies.give(tt.used)
		if tt.status == 200 && w.Code != 200 {
			t.Errorf("%+v: %d, %s", tt, w.Code, w.Body)
		} else if tt.status != 200 {
			wantFail(t, s, w, tt.status, tt.code)
		}
		if used := s.bodies.used.Load(); used != 0 {
			t.Fatalf("%+v: %d bytes are not given back", tt, used)
		}
	}
}

// blocked is a handler that reads its body and then waits.
type blocked struct{ entered, leave chan struct{} }

func (b *blocked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := ReadBody(w, r)
	if err != nil {
		Fail(w, r, err)
		return
	}
	body.Release()
	b.entered <- struct{}{}
	<-b.leave
}

func TestSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &blocked{make(chan struct{}, 10), make(chan struct{})}
		s := newServer(t, Config{Limits: Limits{IngestSlots: 1, QuerySlots: 1}},
			Route{Pattern: "POST /ingest", Name: "i", Slot: IngestSlot, Handler: b},
			Route{Pattern: "POST /query", Name: "q", Slot: QuerySlot, Style: Prometheus, Handler: b})
		for _, tt := range []struct {
			path, code string
			status     int
			wait       time.Duration
		}{
			{"/ingest", CodeOverloaded, 503, 10 * time.Second},
			{"/query", "unavailable", 429, 10 * time.Second},
		} {
			first := make(chan int)
			go func() { first <- post(s, tt.path, "", []byte("x")).Code }()
			<-b.entered
			began := time.Now()
			w := post(s, tt.path, "", []byte("x"))
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.code) || time.Since(began) != tt.wait {
				t.Errorf("%s: %d, %s after %v; want %d, %s after %v", tt.path, w.Code, w.Body, time.Since(began), tt.status, tt.code, tt.wait)
			}
			if w.Header().Get("Retry-After") == "" {
				t.Errorf("%s: no Retry-After", tt.path)
			}
			b.leave <- struct{}{}
			if code := <-first; code != 200 {
				t.Errorf("%s: the first request got %d", tt.path, code)
			}
			second := make(chan int)
			go func() { second <- post(s, tt.path, "", nil).Code }()
			<-b.entered
			b.leave <- struct{}{}
			if code := <-second; code != 200 {
				t.Errorf("%s: the next request got %d", tt.path, code)
			}
		}
		if load := s.Load(); load != (Load{}) {
			t.Errorf("left at the end: %+v", load)
		}
	})
}

// A client that goes away while it waits for its slot is not waited for.
func TestWaitingForASlotEndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, Config{Limits: Limits{IngestSlots: 1}})
		s.ingest.acquire(t.Context(), 0)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		r := httptest.NewRequest("POST", "/echo", strings.NewReader("x")).WithContext(ctx)
		s.ServeHTTP(httptest.NewRecorder(), r)
		if waited := time.Since(began); waited != 3*time.Second || s.Load().IngestWaiting != 0 {
			t.Errorf("waited %v, load %+v", waited, s.Load())
		}
	})
}

func TestTokensAreAskedFor(t *testing.T) {
	tokens, err := auth.Parse([]byte("read " + strings.Repeat("r", 32) + "\nwrite " + strings.Repeat("w", 32) + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(0, 0)
	fine := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || strings.Contains(r.URL.String()+r.RequestURI, "rrrr") {
			t.Error("a handler gets the token")
		}
	})
	s := newServer(t, Config{Guard: auth.NewGuard(tokens, func() time.Time { return now })},
		Route{Pattern: "GET /read", Name: "r", Scope: auth.Read, Handler: fine},
		Route{Pattern: "GET /query", Name: "i", Scope: auth.Read, Style: Influx, Handler: fine},
		Route{Pattern: "POST /write", Name: "w", Scope: auth.Write, Style: Influx, Handler: fine},
		Route{Pattern: "POST /api/v1/admin/tsdb/x", Name: "a", Scope: auth.Admin, Style: Prometheus, Handler: fine})
	ask := func(method, path, authorization string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	reader, writer := "Bearer "+strings.Repeat("r", 32), "Bearer "+strings.Repeat("w", 32)
	for _, tt := range []struct {
		method, path, authorization string
		status                      int
		body                        string
	}{
		{"GET", "/read", "", 401, `{"error":{"code":"unauthorized","message":"unauthorized: want a token of this server, as Authorization: Bearer TOKEN","accepted":0,"rejected":{}}}`},
		{"GET", "/read", reader, 200, ""},
		{"GET", "/read", writer, 403, "it needs the scope read"},
		{"GET", "/read?u=x&p=" + strings.Repeat("r", 32), "", 401, "unauthorized"},
		{"GET", "/query?u=x&p=" + strings.Repeat("r", 32) + "&q=1", "", 200, ""},
		{"POST", "/write", reader, 403, `{"error":"the token does not allow this: it needs the scope write"}`},
		{"POST", "/write", writer, 200, ""},
		{"POST", "/api/v1/admin/tsdb/x", writer, 403, `{"status":"error","errorType":"forbidden"`},
		{"GET", "/read", "Bearer wrong", 401, "unauthorized"},
	} {
		w := ask(tt.method, tt.path, tt.authorization)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) {
			t.Errorf("%s %s: %d, %s; want %d, %s", tt.method, tt.path, w.Code, w.Body, tt.status, tt.body)
		}
		if (w.Header().Get("WWW-Authenticate") != "") != (tt.status == 401) {
			t.Errorf("%s %s: WWW-Authenticate: %q", tt.method, tt.path, w.Header().Get("WWW-Authenticate"))
		}
	}
	for range 12 {
		ask("GET", "/read", "Bearer wrong")
	}
	if w := ask("GET", "/read", "Bearer wrong"); w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Errorf("after many wrong tokens: %d, %s", w.Code, w.Body)
	}
	if w := ask("GET", "/read", reader); w.Code != 200 {
		t.Errorf("a right token after it: %d, %s", w.Code, w.Body)
	}
}
