//go:build linux

package torture

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/golang/snappy"
	"google.golang.org/protobuf/encoding/protowire"
)

// protocol is a way to write points over HTTP.
type protocol struct {
	name    string
	values  string // what it carries: see grid
	step    int64  // between points, in nanoseconds: the protocol's precision shows
	path    string
	headers map[string]string
	encode  func(g grid, r *request) []byte
}

const (
	milliseconds = 7_001_000_000 // a step for times in milliseconds
	nanoseconds  = 7_000_000_003
)

// protocols are all that the server knows.
var protocols = []protocol{
	{"ndjson", anyBits, nanoseconds, "/api/v1/ingest?precision=ns", nil, jsonLines},
	{"influx1", finite, nanoseconds, "/write?db=x", nil, lineProtocol},
	{"influx2", finite, milliseconds, "/api/v2/write?precision=ms", map[string]string{"Content-Encoding": "gzip"},
		func(g grid, r *request) []byte { return compress(lineProtocolIn(g, r, 1_000_000)) }},
	{"write1", anyBits, milliseconds, "/api/v1/write", map[string]string{"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}, remoteWrite1},
	{"write2", anyBits, milliseconds, "/api/v1/write", map[string]string{"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request", "Content-Encoding": "snappy"}, remoteWrite2},
	{"otlp", anyBits, milliseconds, "/v1/metrics", map[string]string{"Content-Type": "application/x-protobuf"}, otlp},
	{"import", plain, milliseconds, "/api/v1/import", nil, vmImport},
}

// labels are those of a series, in order, that of its name first.
func labels(series string) [][2]string {
	name, rest, _ := strings.Cut(series, "{")
	out := [][2]string{{"__name__", name}}
	for _, m := range label.FindAllStringSubmatch(rest, -1) {
		out = append(out, [2]string{m[1], m[2]})
	}
	return out
}

var label = regexp.MustCompile(`(\w+)="([^"]*)"`)

// point calls do for each point of a request.
func point(g grid, r *request, do func(labels [][2]string, ns int64, bits uint64)) {
	for _, n := range r.Runs {
		labels := labels(n.Series)
		for i := n.First; i < n.First+n.Count; i++ {
			do(labels, g.time(i), g.bits(n.Series, i, n.Version))
		}
	}
}

// number is a value as text with all its digits, infinities and NaNs as our own formats have them.
func number(bits uint64) string {
	v := math.Float64frombits(bits)
	switch {
	case bits == 0x7ff8000000000001:
		return "NaN"
	case math.IsNaN(v):
		return fmt.Sprintf("NaN:%016x", bits)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func jsonLines(g grid, r *request) []byte {
	var b bytes.Buffer
	point(g, r, func(labels [][2]string, ns int64, bits uint64) {
		value := number(bits)
		if strings.ContainsAny(value, "NI") {
			value = strconv.Quote(value)
		}
		fmt.Fprintf(&b, `{"series":%q,"ts":%d,"value":%s,"tags":%s}`+"\n", labels[0][1], ns, value, object(labels[1:]))
	})
	return b.Bytes()
}

// object is a JSON object of labels.
func object(labels [][2]string) []byte {
	m := map[string]string{}
	for _, l := range labels {
		m[l[0]] = l[1]
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil // strings can always be encoded
	}
	return text
}

func lineProtocol(g grid, r *request) []byte { return lineProtocolIn(g, r, 1) }

// lineProtocolIn writes times in a unit of so many nanoseconds.
func lineProtocolIn(g grid, r *request, unit int64) []byte {
	var b bytes.Buffer
	point(g, r, func(labels [][2]string, ns int64, bits uint64) {
		b.WriteString(labels[0][1])
		for _, l := range labels[1:] {
			fmt.Fprintf(&b, ",%s=%s", l[0], l[1])
		}
		fmt.Fprintf(&b, " value=%s %d\n", number(bits), ns/unit)
	})
	return b.Bytes()
}

func compress(text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(text)
	w.Close()
	return b.Bytes()
}

// message appends a field that is a message, a string or bytes.
func message[T string | []byte](b []byte, field protowire.Number, content T) []byte {
	return append(protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(len(content))), content...)
}

// sample is a value and its time in milliseconds, the same in both versions of remote write.
func sample(ns int64, bits uint64) []byte {
	b := protowire.AppendFixed64(protowire.AppendTag(nil, 1, protowire.Fixed64Type), bits)
	return protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), uint64(ns/1_000_000))
}

func remoteWrite1(g grid, r *request) []byte {
	var b []byte
	for _, n := range r.Runs {
		var series []byte
		for _, l := range labels(n.Series) {
			series = message(series, 1, message(message(nil, 1, l[0]), 2, l[1]))
		}
		point(g, &request{Runs: []run{n}}, func(_ [][2]string, ns int64, bits uint64) {
			series = message(series, 2, sample(ns, bits))
		})
		b = message(b, 1, series)
	}
	return snappy.Encode(nil, b)
}

func remoteWrite2(g grid, r *request) []byte {
	symbols, index := []string{""}, map[string]uint64{}
	symbol := func(s string) uint64 {
		if _, there := index[s]; !there {
			index[s] = uint64(len(symbols))
			symbols = append(symbols, s)
		}
		return index[s]
	}
	var all []byte
	for _, n := range r.Runs {
		var refs []byte
		for _, l := range labels(n.Series) {
			refs = protowire.AppendVarint(protowire.AppendVarint(refs, symbol(l[0])), symbol(l[1]))
		}
		series := message(nil, 1, refs)
		point(g, &request{Runs: []run{n}}, func(_ [][2]string, ns int64, bits uint64) {
			series = message(series, 2, sample(ns, bits))
		})
		all = message(all, 5, series)
	}
	var b []byte
	for _, s := range symbols {
		b = message(b, 4, s)
	}
	return snappy.Encode(nil, append(b, all...))
}

func otlp(g grid, r *request) []byte {
	var metrics []byte
	point(g, r, func(labels [][2]string, ns int64, bits uint64) {
		p := protowire.AppendFixed64(protowire.AppendTag(nil, 3, protowire.Fixed64Type), uint64(ns))
		p = protowire.AppendFixed64(protowire.AppendTag(p, 4, protowire.Fixed64Type), bits)
		for _, l := range labels[1:] {
			p = message(p, 7, message(message(nil, 1, l[0]), 2, message(nil, 1, l[1])))
		}
		metrics = message(metrics, 2, message(message(nil, 1, labels[0][1]), 5, message(nil, 1, p)))
	})
	return message(nil, 1, message(nil, 2, metrics))
}

func vmImport(g grid, r *request) []byte {
	var b bytes.Buffer
	for _, n := range r.Runs {
		var values, times []string
		point(g, &request{Runs: []run{n}}, func(_ [][2]string, ns int64, bits uint64) {
			value := number(bits)
			if value == "NaN" {
				value = "null"
			} else if strings.Contains(value, "I") {
				value = strconv.Quote(value)
			}
			values = append(values, value)
			times = append(times, strconv.FormatInt(ns/1_000_000, 10))
		})
		fmt.Fprintf(&b, `{"metric":%s,"values":[%s],"timestamps":[%s]}`+"\n", object(labels(n.Series)), strings.Join(values, ","), strings.Join(times, ","))
	}
	return b.Bytes()
}

// client sends requests of one protocol, one after the other, and keeps the ledger of them.
// Not for concurrent use.
type client struct {
	*ledger
	protocol protocol
	http     *http.Client
	rng      *rand.Rand
	again    *request       // that had no answer, to be sent once more
	ends     map[string]int // by series, how many points there are
	deletes  bool           // whether it deletes points, too
}

// newClient makes a client whose ledger is in the directory. Its series have the tags c, the
// name, g, a number, and p, the protocol.
func newClient(t testing.TB, dir, name string, p protocol, seed uint64) *client {
	t.Helper()
	c := &client{
		ledger:   openLedger(t, filepath.Join(dir, "ledger-"+name), grid{name, 1_700_000_000_000_000_000, p.step, p.values}),
		protocol: p,
		http:     newHTTP(),
		rng:      rand.New(rand.NewPCG(seed, 4)),
		ends:     map[string]int{},
		deletes:  true,
	}
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}

// seriesOf is the text of a series of a client.
func (c *client) seriesOf(i int) string {
	return fmt.Sprintf(`t{c="%s",g="%d",p="%s"}`, c.grid.Client, i, c.protocol.name)
}

// compose makes up a request: mostly the next points of some series, sometimes old ones with
// other values, sometimes a deletion, and often what had no answer once more.
func (c *client) compose() *request {
	if r := c.again; r != nil {
		c.again = nil
		if c.rng.IntN(3) > 0 {
			return &request{Delete: r.Delete, Runs: r.Runs}
		}
	}
	r := &request{}
	known := 3 + c.next/25 // a new series every now and then
	first := max(0, known-6)
	for _, i := range c.rng.Perm(known - first)[:1+c.rng.IntN(3)] {
		series := c.seriesOf(first + i)
		end := c.ends[series]
		n := run{Series: series, First: end, Count: 1 + c.rng.IntN(30), Version: c.next}
		switch c.rng.IntN(20) {
		case 0, 1:
			n.First = c.rng.IntN(end + 1)
		case 2:
			n.Count = 400
		case 3:
			if c.deletes && r.Runs == nil && end > 0 {
				n.First = c.rng.IntN(end)
				return &request{Delete: true, Runs: []run{n}}
			}
		}
		c.ends[series] = max(end, n.First+n.Count)
		r.Runs = append(r.Runs, n)
	}
	return r
}

// outcome says how a request ended.
type outcome string

const (
	acked    outcome = "acked"
	refused  outcome = "refused" // nothing is stored
	failed   outcome = "failed"  // answered by an error that leaves open what is stored
	noAnswer outcome = "no answer"
)

// send sends one request to the server at that URL, and notes how it ended. An error is an
// answer that should not have been, or a ledger that cannot be written.
func (c *client) send(base string) (outcome, error) { return c.sendThis(base, c.compose()) }

// sendThis sends a given request.
func (c *client) sendThis(base string, r *request) (outcome, error) {
	if err := c.intent(r); err != nil {
		return "", err
	}
	status, answer, err := c.transmit(base, r)
	if err != nil {
		c.again = r
		return noAnswer, nil
	}
	switch {
	case status == http.StatusOK || status == http.StatusNoContent:
		if c.protocol.name == "otlp" && len(answer) > 2 && !r.Delete {
			return "", fmt.Errorf("%s: request %d was stored in part: %q", c.grid.Client, r.No, answer)
		}
		return acked, c.ack(r)
	case status == http.StatusServiceUnavailable && !strings.Contains(string(answer), "the disk failed"):
		return refused, c.refuse(r)
	case status >= 500:
		return failed, c.fail(r)
	}
	return "", fmt.Errorf("%s: request %d: status %d: %s", c.grid.Client, r.No, status, answer)
}

// transmit sends a request and reads the answer to its end.
func (c *client) transmit(base string, r *request) (int, []byte, error) {
	path, body, headers := c.protocol.path, []byte(nil), c.protocol.headers
	if r.Delete {
		path, body, headers = c.deletion(r)
	} else {
		body = c.protocol.encode(c.grid, r)
	}
	req, err := http.NewRequest(http.MethodPost, base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil && resp.StatusCode/100 != 2 {
		err = nil // the status is answer enough
	}
	return resp.StatusCode, answer, err
}

// deletion is the request of HTTP for one: as Prometheus has it, where milliseconds will do.
func (c *client) deletion(r *request) (path string, body []byte, headers map[string]string) {
	n := r.Runs[0]
	form := url.Values{"start": {seconds(c.grid.time(n.First))}, "end": {seconds(c.grid.time(n.First + n.Count - 1))}}
	path = "/api/v1/admin/delete"
	if c.protocol.step == milliseconds {
		path = "/api/v1/admin/tsdb/delete_series"
		form.Set("match[]", n.Series)
	} else {
		form.Set("selector", n.Series)
	}
	return path, []byte(form.Encode()), map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
}

// seconds is a time in Unix seconds with all its decimals.
func seconds(ns int64) string { return fmt.Sprintf("%d.%09d", ns/1e9, ns%1e9) }

// sendUntilGone sends requests until one is not acknowledged, and returns how that one ended.
func (c *client) sendUntilGone(base string) (outcome, error) {
	for {
		if how, err := c.send(base); err != nil || how != acked {
			return how, err
		}
	}
}
