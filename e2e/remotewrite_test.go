package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/golang/snappy"
	"google.golang.org/protobuf/encoding/protowire"
)

// recorder stands between a sender of remote write and a server, hands requests on and
// keeps the samples of those that the server acknowledged.
type recorder struct {
	target string // URL of the server
	url    string // of the recorder

	mu      sync.Mutex
	samples result   // acknowledged, as the API would answer them
	bodies  [][]byte // the requests they came in
	failed  int      // requests that the server did not acknowledge
	err     error    // the first request that could not be understood
}

// record starts a recorder; the programs that send to it must end before the test does.
func record(t *testing.T, target string) *recorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{target: target, url: "http://" + l.Addr().String(), samples: result{}}
	srv := &http.Server{Handler: r}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return r
}

// ServeHTTP hands one request on. A server that does not answer is a bad gateway.
func (r *recorder) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	body, err := io.ReadAll(in.Body)
	if err != nil {
		return // the sender has gone
	}
	req, err := http.NewRequestWithContext(in.Context(), in.Method, r.target+in.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	req.Header = in.Header.Clone()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.fail()
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		r.keep(body)
	} else {
		r.fail()
	}
	w.WriteHeader(resp.StatusCode)
	io.Copy(w, resp.Body)
}

func (r *recorder) fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed++
}

// keep notes the samples of an acknowledged body.
func (r *recorder) keep(body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	message, err := snappy.Decode(nil, body)
	if err == nil {
		err = r.request(message)
	}
	r.err = errors.Join(r.err, err)
	r.bodies = append(r.bodies, body)
}

// until returns the acknowledged samples up to end (milliseconds), in order of time, and
// the first error of reading them.
func (r *recorder) until(end int64) (result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := result{}
	for key, samples := range r.samples {
		kept := slices.DeleteFunc(slices.Clone(samples), func(s sample) bool { return s.T > end })
		slices.SortFunc(kept, func(a, b sample) int { return int(a.T - b.T) })
		if kept = slices.CompactFunc(kept, func(a, b sample) bool { return a.T == b.T }); len(kept) > 0 {
			out[key] = kept
		}
	}
	return out, r.err
}

// counts returns the numbers of acknowledged and of failed requests.
func (r *recorder) counts() (acknowledged, failed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.bodies), r.failed
}

// request reads a prometheus.WriteRequest: field 1 is a series of labels (1) and samples
// (2). Written out here, so that what is expected does not come from what is tested.
func (r *recorder) request(b []byte) error {
	return fields(b, func(number protowire.Number, series []byte, _ uint64) error {
		if number != 1 {
			return nil
		}
		labels := map[string]string{}
		var samples []sample
		err := fields(series, func(number protowire.Number, b []byte, _ uint64) error {
			switch number {
			case 1:
				var pair [3]string
				err := fields(b, func(n protowire.Number, text []byte, _ uint64) error {
					pair[min(n, 2)] = string(text)
					return nil
				})
				labels[pair[1]] = pair[2]
				return err
			case 2:
				var bits, ms uint64
				err := fields(b, func(n protowire.Number, _ []byte, v uint64) error {
					if n == 1 {
						bits = v
					} else {
						ms = v
					}
					return nil
				})
				if bits != stale {
					samples = append(samples, sample{int64(ms), valueText(math.Float64frombits(bits))})
				}
				return err
			}
			return nil
		})
		key := labelText(labels)
		r.samples[key] = append(r.samples[key], samples...)
		return err
	})
}

// stale is the value that marks the end of a series; queries do not show it.
const stale = 0x7ff0000000000002

// fields calls fn for each field of a message, with its bytes or its number.
func fields(b []byte, fn func(protowire.Number, []byte, uint64) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		var text []byte
		var value uint64
		switch kind {
		case protowire.BytesType:
			text, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			value, n = protowire.ConsumeFixed64(b)
		default:
			return fmt.Errorf("field %d of kind %d", number, kind)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if err := fn(number, text, value); err != nil {
			return err
		}
	}
	return nil
}
