package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/zstd"
)

// vmagent scrapes itself and writes to us. In the middle our process is killed: nothing that
// was acknowledged is lost, and what was not is sent again.
func TestVmagent(t *testing.T) {
	t.Parallel()
	ours := serve(t)
	sent := record(t, ours.url)
	address := freeAddress(t)
	begin := now()
	config := file(t, "scrape.yml", fmt.Sprintf(`
global: {scrape_interval: 1s}
scrape_configs:
- job_name: vmagent
  static_configs: [{targets: [%q]}]
`, address))
	agent := startCommand(t, page(t, "vmagent", "vmagent.md", "scrape.yml", config, "http://localhost:8080", sent.url),
		"-httpListenAddr="+address,
		"-remoteWrite.flushInterval=200ms",
		"-remoteWrite.tmpDataPath="+t.TempDir(),
		"-memory.allowedBytes=64MiB")
	api{url: "http://" + address}.ready(t, agent, "/health")

	acknowledged := func(more int) {
		t.Helper()
		before, _ := sent.counts()
		eventually(t, 60*time.Second, "vmagent sends", func() error {
			if n, failed := sent.counts(); n < before+more {
				return fmt.Errorf("%d requests acknowledged and %d failed, want %d", n, failed, before+more)
			}
			return nil
		})
	}
	acknowledged(15)
	for range 2 {
		ours.kill()
		_, failed := sent.counts()
		eventually(t, 20*time.Second, "vmagent meets a dead server", func() error {
			if _, n := sent.counts(); n == failed {
				return fmt.Errorf("no request failed")
			}
			return nil
		})
		ours.begin(t)
		acknowledged(10)
	}
	agent.kill()

	end := now()
	want, err := sent.until(end)
	if err != nil {
		t.Fatal(err)
	}
	selector := everything + "[" + all(begin, end) + "]"
	got := ours.mustQuery(t, selector, end)
	// vmagent was killed as well: a request may have been stored whose answer it, or the
	// recorder, did not live to see. Of all others there is not one sample more or less.
	if err := compare(want, got, 0); err != nil {
		if lost := missing(want, got); lost > 0 {
			t.Fatalf("%d acknowledged samples are lost: %v", lost, err)
		}
		t.Logf("stored but not acknowledged: %v", err)
	}
	t.Logf("%d samples acknowledged, %d stored", want.points(), got.points())
	noGap(t, got)

	t.Run("zstd", func(t *testing.T) { testZstd(t, sent, want, selector, end) })
}

// missing counts the samples of want that got lacks.
func missing(want, got result) int {
	n := 0
	for key, samples := range want {
		stored := map[sample]bool{}
		for _, s := range got[key] {
			stored[s] = true
		}
		for _, s := range samples {
			if !stored[s] {
				n++
			}
		}
	}
	return n
}

// noGap fails unless the scrapes are stored without a hole: while we were dead, vmagent kept
// them for later.
func noGap(t *testing.T, got result) {
	t.Helper()
	found := 0
	for key, samples := range got {
		if len(samples) < 10 || !bytes.Contains([]byte(key), []byte(`__name__="up"`)) {
			continue
		}
		found++
		for i := 1; i < len(samples); i++ {
			if gap := samples[i].T - samples[i-1].T; gap > 1900 {
				t.Errorf("%s: nothing for %d ms after %v", key, gap, samples[i-1])
			}
		}
	}
	if found == 0 {
		t.Error("no series up with more than ten samples")
	}
}

// testZstd sends what vmagent sent once more, compressed as newer versions of it do by
// default, to another server: Debian's vmagent knows snappy only.
func testZstd(t *testing.T, sent *recorder, want result, selector string, end int64) {
	into := serve(t)
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	sent.mu.Lock()
	defer sent.mu.Unlock()
	for _, body := range sent.bodies {
		message, err := snappy.Decode(nil, body)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), "POST", into.url+"/api/v1/write", bytes.NewReader(encoder.EncodeAll(message, nil)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/x-protobuf")
		req.Header.Set("Content-Encoding", "zstd")
		req.Header.Set("X-VictoriaMetrics-Remote-Write-Version", "1")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			t.Fatalf("status %s", resp.Status)
		}
	}
	if err := compare(want, into.mustQuery(t, selector, end), 0); err != nil {
		t.Error(err)
	}
}
