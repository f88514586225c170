//go:build linux

package torture

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const mib = 1 << 20

// stage returns where a database may be made: alone in a directory of a scene.
func stage(t testing.TB) (dir string) {
	t.Helper()
	dir = filepath.Join(scene(t, ""), "alone", "data")
	if err := os.Mkdir(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// memoryOf returns a line of the status of a process, in bytes: VmRSS is its memory, VmHWM the most
// that it has been since forgetPeak.
func (p *program) memoryOf(line string) (n int64) {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n"+line+":")
	if _, err := fmt.Sscanf(rest, "%d kB", &n); err != nil {
		p.t.Fatalf("%s: %v", line, err)
	}
	return n << 10
}

// forgetPeak begins VmHWM anew.
func (p *program) forgetPeak() {
	p.t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// want sends a request and looks for a status, and for words in the answer.
func (p *program) want(status int, method, path, body, words string, header ...string) {
	p.t.Helper()
	req, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := newHTTP()
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		p.t.Errorf("%s %s: %v", method, path, err)
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status || !strings.Contains(string(text), words) {
		p.t.Errorf("%s %.200s: %d, %.300s, %v; want %d and %q", method, path, resp.StatusCode, text, err, status, words)
	}
}

// fine writes a point and reads it.
func (p *program) fine() {
	p.t.Helper()
	p.want(204, "POST", "/write", "fine v=1 1700000000000000000", "")
	p.want(200, "GET", "/api/v1/query?query=fine_v&time=1700000000", "", `"1"]`)
}

// zeros is some MiB of them in gzip.
func zeros(n int) []byte {
	var member bytes.Buffer
	z := gzip.NewWriter(&member)
	part := min(n, 64)
	_, _ = z.Write(make([]byte, part*mib))
	_ = z.Close()
	return bytes.Repeat(member.Bytes(), n/part)
}

// zerosZstd is some MiB of them in one frame of zstd: blocks that say how often a byte comes.
func zerosZstd(n int) []byte {
	const block = 128 << 10
	out := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0x58} // a window of 2 MiB, no size
	for i := range n * mib / block {
		last := 0
		if i == n*mib/block-1 {
			last = 1
		}
		head := block<<3 | 1<<1 | last
		out = append(out, byte(head), byte(head>>8), byte(head>>16), 0)
	}
	return out
}

// Small bodies that become large ones are refused wherever bodies are taken, and take little more
// memory than a body of the greatest size.
func TestBombs(t *testing.T) {
	t.Parallel()
	const (
		form     = "application/x-www-form-urlencoded"
		protobuf = "application/x-protobuf"
		claim    = "\x80\x80\x80\x80\x08" // of snappy: 2 GiB
		ceiling  = 96 * mib
	)
	p := serve(t, stage(t), "GOMEMLIMIT=100MiB") // what is garbage does not count
	p.fine()
	start := p.memoryOf("VmRSS")
	p.forgetPeak()
	bomb, huge := string(zerosZstd(10<<10)), string(zeros(10<<10))
	for _, e := range []struct{ path, contentType, words string }{
		{"/api/v1/ingest", "", "larger than 32 MiB"}, {"/write", "", "larger than 32 MiB"}, {"/api/v2/write", "", "larger than 32 MiB"}, {"/api/v1/import", "", "256 times"},
		{"/api/v1/write", protobuf, "larger than 32 MiB"}, {"/api/v1/write", protobuf + ";proto=io.prometheus.write.v2.Request", "larger than 32 MiB"},
		{"/v1/metrics", protobuf, "larger than 32 MiB"}, {"/v1/metrics", "application/json", "larger than 32 MiB"},
		{"/api/v1/query/range", form, "larger than 32 MiB"}, {"/api/v1/admin/delete", "", "larger than 32 MiB"},
	} {
		p.want(413, "POST", e.path, bomb, e.words, "Content-Encoding", "zstd", "Content-Type", e.contentType)
		p.want(413, "POST", e.path, claim, "larger than 32 MiB", "Content-Encoding", "snappy", "Content-Type", e.contentType)
	}
	for _, path := range []string{"/api/v1/ingest", "/api/v1/import"} {
		p.want(413, "POST", path, huge, "compression", "Content-Encoding", "gzip")
	}
	// Others do not unpack what they are sent, or refuse it at once.
	p.want(400, "POST", "/api/v1/read", claim, "", "Content-Encoding", "snappy", "Content-Type", protobuf)
	for _, path := range []string{"/api/v1/query", "/api/v1/series", "/query", "/api/v1/admin/tsdb/delete_series"} {
		p.want(400, "POST", path, bomb[:4000], "", "Content-Encoding", "zstd", "Content-Type", form)
	}
	if took := p.memoryOf("VmHWM") - start; took > ceiling {
		t.Errorf("memory grew by %d MiB, want at most %d", took/mib, ceiling/mib)
	}
	p.fine()
}

// A request of the greatest size takes a small multiple of it, a larger one next to nothing.
func TestHugeBatch(t *testing.T) {
	t.Parallel()
	p := serve(t, stage(t), "GOMEMLIMIT=150MiB")
	p.fine()
	start := p.memoryOf("VmRSS")
	p.forgetPeak()
	line := `{"series":"huge","ts":1700000000,"value":1.5,"tags":{"pad":"` + strings.Repeat("x", 900) + `"}}` + "\n"
	p.want(413, "POST", "/api/v1/ingest", strings.Repeat(line, 33*mib/len(line)), "larger than 32 MiB")
	if took := p.memoryOf("VmHWM") - start; took > 40*mib {
		t.Errorf("a request that is too large takes %d MiB", took/mib)
	}
	n := 31 * mib / len(line)
	p.want(200, "POST", "/api/v1/ingest", strings.Repeat(line, n), fmt.Sprintf(`"ingested":%d`, n))
	if took := p.memoryOf("VmHWM") - start; took > 3*32*mib {
		t.Errorf("a request of 31 MiB takes %d MiB", took/mib)
	}
	p.fine()
}

// flood opens connections without waiting for any, sends a text on each, and closes them at
// the end of the test.
func (p *program) flood(n int, text string) (conns []net.Conn) {
	p.t.Helper()
	address := strings.TrimPrefix(p.url, "http://")
	for range n {
		// The backlog of the system may be full; such a connection is none.
		c, err := net.DialTimeout("tcp", address, 100*time.Millisecond)
		if err != nil {
			continue
		}
		p.t.Cleanup(func() { _ = c.Close() })
		_, _ = io.WriteString(c, text)
		conns = append(conns, c)
	}
	return conns
}

// Crowds of slow clients, and more connections than there may be, pass, and who comes after
// them is served while they are still there.
func TestCrowds(t *testing.T) {
	t.Parallel()
	p := serve(t, stage(t), "SYDRADB_HEADER_TIMEOUT=200ms", "SYDRADB_BODY_GRACE=200ms", "SYDRADB_IDLE_TIMEOUT=500ms", "SYDRADB_INGEST_SLOTS=1", "SYDRADB_QUERY_SLOTS=1")
	for name, c := range map[string]struct {
		n    int
		text string
	}{
		"half a header":       {600, "POST /write HTTP/1.1\r\nHost: localhost\r\nX-"},
		"the start of a body": {600, "POST /write HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nx"},
		"half a query":        {600, "POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000000\r\n\r\nquery="},
		"nothing":             {2000, ""},
	} {
		conns := p.flood(c.n, c.text)
		p.fine()
		if len(conns) < 500 {
			t.Errorf("%s: only %d connections came about", name, len(conns))
		}
		for _, c := range conns {
			_ = c.Close()
		}
	}
}

// A flood of series stops at the limit, those that are there go on, and memory stays in bounds.
func TestCardinality(t *testing.T) {
	t.Parallel()
	const limit, sent, each = 20_000, 200_000, 5000
	p := serve(t, stage(t), fmt.Sprintf("SYDRADB_MAX_SERIES=%d", limit+1)) // that of fine
	p.fine()
	start := p.memoryOf("VmRSS")
	p.forgetPeak()
	var body strings.Builder
	for i := range sent {
		fmt.Fprintf(&body, "flood,id=%x v=1 1700000000000000000\n", uint64(i+1)*0x9e3779b97f4a7c15)
		if (i+1)%each > 0 {
			continue
		}
		status, answer, err := p.post("/write", "", []byte(body.String()))
		if full := i+1 > limit; err != nil || full != (status == 400) || full != strings.Contains(string(answer), "series") {
			t.Fatalf("behind %d series: %d, %.300s, %v", i+1, status, answer, err)
		}
		body.Reset()
	}
	p.want(400, "POST", "/api/v1/ingest", `{"series":"new","ts":1700000000,"value":1}`, "series_limit")
	p.want(200, "GET", "/metrics", "", fmt.Sprintf("sydradb_series %d\n", limit+1))
	p.want(200, "GET", "/metrics", "", `reason="series_limit"`)
	if took := p.memoryOf("VmHWM") - start; took > 128*mib {
		t.Errorf("memory grew by %d MiB", took/mib)
	}
	p.fine()
}

// A flood of connections, where few files may be open, does not keep the server from storing
// points and writing them to files.
func TestFewFiles(t *testing.T) {
	t.Parallel()
	dir := stage(t)
	p := serve(t, dir, "-- prlimit --nofile=64:64", "--memtable-max-bytes=64KiB", "--fsync=always", "SYDRADB_HEADER_TIMEOUT=300ms")
	const requests, each = 40, 500
	acked := 0
	for i := range requests {
		if i%10 == 0 {
			p.flood(100, "")
		}
		var body strings.Builder
		for k := range each {
			fmt.Fprintf(&body, "files,k=%d v=%d %d\n", k%100, k, 1_700_000_000_000_000_000+int64(i*each+k)*1_000_000)
		}
		if status, answer, err := p.post("/write", "", []byte(body.String())); err != nil || status != 204 {
			t.Errorf("request %d: %d, %.200s, %v", i, status, answer, err)
			continue
		}
		acked += each
	}
	p.want(200, "POST", "/api/v1/admin/flush", "", "")
	p.want(200, "GET", "/ready", "", `"state":"ok"`)
	p.kill()
	if stdout, stderr, code := command(t, filepath.Dir(dir), "export", "--data-dir", dir, "files_v"); code != 0 || strings.Count(stdout, "\n") != acked {
		t.Errorf("export: code %d, %d points of %d, %s", code, strings.Count(stdout, "\n"), acked, stderr)
	}
}
