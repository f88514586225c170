package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Writers that never pause while the server is asked to end: every request that was
// acknowledged is there after the restart, and the process ends well.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for round := range 3 {
		const writers = 4
		var wg sync.WaitGroup
		counts := make([]int, writers)
		for w := range writers {
			wg.Go(func() { counts[w] = writeUntilRefused(s, round, w) })
		}
		pass(t, 700*time.Millisecond)
		s.stop(t)
		wg.Wait()
		s.begin(t)
		for w, n := range counts {
			if n < 3 {
				t.Errorf("round %d: writer %d had %d requests acknowledged: nothing tested", round, w, n)
				continue
			}
			// The last point acknowledged, and one sample for each of them.
			at := drainBase + int64(n)
			selector := fmt.Sprintf(`drain{round="%d",writer="%d"}[%ds]`, round, w, n/1000+2)
			got := s.mustQuery(t, selector, at)
			want := fmt.Sprintf(`__name__="drain" round="%d" writer="%d" `, round, w)
			samples := got[want]
			if len(samples) < n {
				t.Fatalf("round %d: writer %d: %d of %d acknowledged points are there", round, w, len(samples), n)
			}
			for i := range n {
				if samples[i] != (sample{drainBase + int64(i), fmt.Sprint(i)}) {
					t.Fatalf("round %d: writer %d: point %d is %v", round, w, i, samples[i])
				}
			}
		}
		t.Logf("round %d: %v requests acknowledged", round, counts)
	}
}

// drainBase is the time of the first point, in milliseconds.
const drainBase = 1_700_000_000_000

// writeUntilRefused writes one point a request, in order of time, until one is not
// acknowledged, and returns how many were.
func writeUntilRefused(s *server, round, writer int) int {
	client := &http.Client{Timeout: 20 * time.Second}
	for i := 0; ; i++ {
		line := fmt.Sprintf("drain,round=%d,writer=%d value=%d %d", round, writer, i, drainBase+int64(i))
		req, err := http.NewRequest("POST", s.url+"/write?precision=ms", strings.NewReader(line))
		if err != nil {
			return i
		}
		req.Header.Set("Authorization", "Token "+token)
		resp, err := client.Do(req)
		if err != nil {
			return i
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			return i
		}
	}
}
