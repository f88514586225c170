package vmimport

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/web"
)

const ms = int64(1_700_000_000_000)

// fixture is a server with the endpoint alone.
type fixture struct {
	t    testing.TB
	db   *sydradb.DB
	http http.Handler
}

func open(t testing.TB, options sydradb.Options, limits intake.Limits) *fixture {
	t.Helper()
	db := dbtest.Open(t, options)
	server := web.New(web.Config{})
	if err := server.Mount(false, Routes(intake.New(db, limits, nil))); err != nil {
		t.Fatal(err)
	}
	return &fixture{t, db, server}
}

func openDefault(t testing.TB) *fixture {
	return open(t, sydradb.Options{}, intake.DefaultLimits())
}

func (f *fixture) post(body string) *httptest.ResponseRecorder {
	return f.send("", "", strings.NewReader(body))
}

func (f *fixture) send(query, encoding string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/api/v1/import"+query, body)
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	w := httptest.NewRecorder()
	f.http.ServeHTTP(w, r)
	return w
}

// stored returns all points, as "series ms value", the time after ms.
func (f *fixture) stored() []string {
	f.t.Helper()
	it, err := f.db.Query(f.t.Context(), sydradb.Query{Start: sydradb.MinTime, End: sydradb.MaxTime})
	if err != nil {
		f.t.Fatal(err)
	}
	defer it.Close()
	var out []string
	for it.Next() {
		b := it.Block()
		for i, ts := range b.Times {
			v := fmt.Sprint(b.Values[i])
			if bits := math.Float64bits(b.Values[i]); math.IsNaN(b.Values[i]) && bits != math.Float64bits(math.NaN()) {
				v = fmt.Sprintf("%#x", bits)
			}
			out = append(out, fmt.Sprintf("%v %d %s", b.Series, ts/1e6-ms, v))
		}
	}
	if err := it.Err(); err != nil {
		f.t.Fatal(err)
	}
	return out
}

func (f *fixture) expectStored(want ...string) {
	f.t.Helper()
	if got := f.stored(); !slices.Equal(got, want) {
		f.t.Errorf("stored\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// expectFine sends a request that must be fine, after one that was not.
func (f *fixture) expectFine() {
	f.t.Helper()
	if w := f.post(`{"metric":{"__name__":"fine"},"values":[1],"timestamps":[1700000000000]}`); w.Code != 204 || w.Body.Len() != 0 {
		f.t.Errorf("the next request: %d %s", w.Code, w.Body)
	}
}

type failure struct {
	Error struct {
		Code     string
		Message  string
		Accepted int
		Rejected map[string]int
	}
	CommittedLine int `json:"committed_line"`
}

func failureOf(t testing.TB, w *httptest.ResponseRecorder) failure {
	t.Helper()
	var f failure
	if err := json.Unmarshal(w.Body.Bytes(), &f); err != nil {
		t.Fatalf("%d %q: %v", w.Code, w.Body, err)
	}
	return f
}

// ofVmctl is what vmctl writes: Go's spelling of numbers, and of strings.
const ofVmctl = `{"metric":{"__name__":"cpu","host":"a"},"timestamps":[1700000000000,1700000000010],"values":[1.5,1e+09]}
{"metric":{"__name__":"cpu","host":"b"},"timestamps":[1700000000000,1700000000001,1700000000002],"values":[NaN,+Inf,-Inf]}
`

var vmctlStored = []string{
	`cpu{host="a"} 0 1.5`, `cpu{host="a"} 10 1e+09`,
	`cpu{host="b"} 0 NaN`, `cpu{host="b"} 1 +Inf`, `cpu{host="b"} 2 -Inf`,
}

func TestImport(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, ofVmctl)
	_ = z.Close()
	for _, tt := range []struct {
		name, query, encoding, body string
		want                        []string
	}{
		{"vmctl", "", "", ofVmctl, vmctlStored},
		{"gzip", "", "gzip", zipped.String(), vmctlStored},
		{"ends of lines", "", "", "\n\r\n" + strings.ReplaceAll(strings.TrimSpace(ofVmctl), "\n", "\r\n \n"), vmctlStored},
		{"nothing", "", "", "", nil},
		{"VictoriaMetrics", "", "",
			`{"metric":{"__name__":"a","x":"\u00fc\"\\"},"values":[null,"Infinity","-Infinity","NaN",-0.0],"timestamps":[1700000000000,1700000000001,1700000000002,1700000000003,1700000000004]}`,
			[]string{`a{x="ü\"\\"} 0 NaN`, `a{x="ü\"\\"} 1 +Inf`, `a{x="ü\"\\"} 2 -Inf`, `a{x="ü\"\\"} 3 NaN`, `a{x="ü\"\\"} 4 -0`}},
		{"exact decimals", "", "",
			`{"metric":{"__name__":"a"},"values":[0.1234567890123456789,9007199254740993,1.7976931348623157e308,4.9e-324,"NaN:7ff0000000000002"],"timestamps":[1700000000000,1700000000001,1700000000002,1700000000003,1700000000004]}`,
			[]string{"a 0 0.12345678901234568", "a 1 9.007199254740992e+15", "a 2 1.7976931348623157e+308", "a 3 5e-324", "a 4 0x7ff0000000000002"}},
		{"spaces, other members, another order", "", "",
			` { "timestamps" : [ -1 , 0 ] , "other" : { "values" : [ [ "]" , 1 ] ] } , "values" : [ 1 , 2 ] , "metric" : { "__name__" : "a" , "empty" : "" } } `,
			[]string{fmt.Sprintf("a %d 1", -1-ms), fmt.Sprintf("a %d 2", -ms)}},
		{"extra labels", "?extra_label=host=c&extra_label=zone=x=y", "", strings.Split(ofVmctl, "\n")[0],
			[]string{`cpu{host="c",zone="x=y"} 0 1.5`, `cpu{host="c",zone="x=y"} 10 1e+09`}},
		{"name as an extra label", "?extra_label=__name__=b", "", `{"metric":{"x":"y"},"values":[1],"timestamps":[1700000000000]}`, []string{`b{x="y"} 0 1`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := openDefault(t)
			for range 2 { // sent again, it is the same
				if w := f.send(tt.query, tt.encoding, strings.NewReader(tt.body)); w.Code != 204 || w.Body.Len() != 0 {
					t.Fatalf("%d %s", w.Code, w.Body)
				}
			}
			f.expectStored(tt.want...)
		})
	}
}

func row(series string, values, times string) string {
	return fmt.Sprintf(`{"metric":%s,"values":[%s],"timestamps":[%s]}`, series, values, times)
}

// Bad lines are counted and explained, and the good ones around them stored.
func TestBadLines(t *testing.T) {
	const a, at = `{"__name__":"a"}`, "1700000000000"
	manyLabels := `{"__name__":"a"`
	for i := range 41 {
		manyLabels += fmt.Sprintf(`,"l%d":"v"`, i)
	}
	for _, tt := range []struct {
		name, line string
		rejected   map[string]int
		accepted   int // besides the good one
		explains   string
	}{
		{"no JSON", `cpu 1`, map[string]int{"bad_request": 1}, 0, "line 2: not a JSON object: \"cpu 1\""},
		{"cut", row(a, "1", at)[:40], map[string]int{"bad_request": 1}, 0, "line 2"},
		{"two objects", row(a, "1", at) + row(a, "1", at), map[string]int{"bad_request": 1}, 0, "not valid JSON"},
		{"no metric", `{"values":[1],"timestamps":[1]}`, map[string]int{"bad_request": 1}, 0, `"metric" is missing`},
		{"metric is a string", row(`"a"`, "1", at), map[string]int{"bad_request": 1}, 0, `"metric": not a JSON object`},
		{"broken metric", row(`{"a",}`, "1,2", at+","+at), map[string]int{"bad_request": 2}, 0, "not valid JSON"},
		{"no name", row(`{"a":"b"}`, "1", at), map[string]int{"bad_request": 1}, 0, "__name__"},
		{"label is a number", row(`{"__name__":"a","b":1}`, "1", at), map[string]int{"bad_request": 1}, 0, `label "b" is not a string`},
		{"label twice", row(`{"__name__":"a","b":"1","b":"2"}`, "1", at), map[string]int{"bad_request": 1}, 0, "line 2"},
		{"no values", row(a, "", ""), map[string]int{"bad_request": 1}, 0, `"values" are missing`},
		{"unequal", row(a, "1,2", at), map[string]int{"bad_request": 1}, 0, "2 values and 1 timestamps"},
		{"word", row(a, "true", at), map[string]int{"bad_request": 1}, 0, "element 0: not a number"},
		{"no array", `{"metric":{"__name__":"a"},"values":1,"timestamps":[1]}`, map[string]int{"bad_request": 1}, 0, `"values": not an array`},
		{"fraction of a millisecond", row(a, "1", "1.5"), map[string]int{"bad_request": 1}, 0, "integer of milliseconds"},
		{"time of 20 digits", row(a, "1", "99999999999999999999"), map[string]int{"bad_request": 1}, 0, "integer of milliseconds"},
		{"greatest time", row(a, "1,2", "9223372036854775807,"+at), map[string]int{"too_far_in_future": 1}, 1, "line 2: time is too far in the future"},
		{"least time", row(a, "1,2", "-9223372036854775808,"+at), map[string]int{"bad_request": 1}, 1, "line 2: time is before"},
		{"sixteen digits", row(a, "1", "9999999999999999"), map[string]int{"too_far_in_future": 1}, 0, "future"},
		{"future", row(a, "1", fmt.Sprint(time.Now().Add(2*time.Hour).UnixMilli())), map[string]int{"too_far_in_future": 1}, 0, "future"},
		{"too many labels", row(manyLabels+"}", "1,2", at+","+at), map[string]int{"label_limit": 2}, 0, "40"},
		{"very long labels", row(`{"__name__":"a","b":"`+strings.Repeat("x", 1<<20)+`"}`, "1", at), map[string]int{"label_limit": 1}, 0, "1 MiB"},
		{"deep", `{"x":` + strings.Repeat("[", 1<<20), map[string]int{"bad_request": 1}, 0, "nested too deeply"},
		{"long line", `{"x":"` + strings.Repeat("x", maxLine) + `"}`, map[string]int{"bad_request": 1}, 0, "longer than 10 MiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := openDefault(t)
			good := row(`{"__name__":"good"}`, "7", at)
			w := f.post(good + "\n" + tt.line + "\n" + good + "\n")
			got := failureOf(t, w)
			if w.Code != 400 || got.Error.Accepted != 2+tt.accepted || fmt.Sprint(got.Error.Rejected) != fmt.Sprint(tt.rejected) || got.CommittedLine != 3 {
				t.Errorf("%d %.300s", w.Code, w.Body)
			}
			if !strings.Contains(got.Error.Message, tt.explains) || len(got.Error.Message) > 1000 {
				t.Errorf("%.300s", got.Error.Message)
			}
			if n := len(f.stored()); n != 1+tt.accepted {
				t.Errorf("%d points stored", n)
			}
			f.expectFine()
		})
	}
}

func TestOtherRefusals(t *testing.T) {
	f := openDefault(t)
	for query, status := range map[string]int{"?extra_label=x": 400, "?extra_label=%3Dx": 400} {
		if w := f.send(query, "", strings.NewReader(ofVmctl)); w.Code != status {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
	if w := f.send("", "br", strings.NewReader(ofVmctl)); w.Code != 415 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	f.expectStored()
	f.expectFine()

	f = open(t, sydradb.Options{MaxSeries: 1}, intake.DefaultLimits())
	w := f.post(ofVmctl)
	if got := failureOf(t, w); w.Code != 400 || got.Error.Code != "series_limit" || got.Error.Rejected["series_limit"] != 3 || got.Error.Accepted != 2 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	f.expectStored(vmctlStored[:2]...)

	// A series that never gets a point takes up no room.
	f = open(t, sydradb.Options{MaxSeries: 1, Retention: time.Hour}, intake.DefaultLimits())
	if err := f.db.Retain(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for reason, times := range map[string]string{"too_old": "1,2", "too_far_in_future": "8000000000000,8000000000001"} {
		w := f.post(row(`{"__name__":"`+reason+`"}`, "1,2", times))
		if got := failureOf(t, w); w.Code != 400 || got.Error.Rejected[reason] != 2 || got.CommittedLine != 1 {
			t.Errorf("%s: %d %s", reason, w.Code, w.Body)
		}
	}
	if w := f.post(row(`{"__name__":"new"}`, "1", fmt.Sprint(time.Now().UnixMilli()))); w.Code != 204 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// long returns so many lines of 1,000 points.
func long(lines int) string {
	var b strings.Builder
	for i := range lines {
		values, times := make([]string, 1000), make([]string, 1000)
		for j := range values {
			values[j], times[j] = fmt.Sprint(j), fmt.Sprint(ms+int64(1000*i+j))
		}
		b.WriteString(row(`{"__name__":"long"}`, strings.Join(values, ","), strings.Join(times, ",")) + "\n")
	}
	return b.String()
}

// breaking is a body that ends with an error.
type breaking struct{ io.Reader }

var errBroken = errors.New("connection reset by peer")

func (b *breaking) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = errBroken
	}
	return n, err
}

// What was committed is told when the rest does not come.
func TestBrokenConnection(t *testing.T) {
	f := openDefault(t)
	text := long(13)
	w := f.send("", "", &breaking{strings.NewReader(text[:len(text)-10])})
	got := failureOf(t, w)
	if w.Code != 400 || got.CommittedLine != 10 || got.Error.Accepted != 10_000 || !strings.HasPrefix(got.Error.Message, "behind line 10: ") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if n := len(f.stored()); n != 10_000 {
		t.Errorf("%d points stored", n)
	}
	// The rest, from there on.
	rest := text
	for range got.CommittedLine {
		_, rest, _ = strings.Cut(rest, "\n")
	}
	if w := f.post(rest); w.Code != 204 {
		t.Errorf("the rest: %d %s", w.Code, w.Body)
	}
	if n := len(f.stored()); n != 13_000 {
		t.Errorf("%d points stored", n)
	}
}

// closing closes the database when half of the body was read.
type closing struct {
	io.Reader
	db   *sydradb.DB
	left int
}

func (c *closing) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p[:min(len(p), 4096)])
	if c.left -= n; c.left < 0 && c.db != nil {
		_ = c.db.Close()
		c.db = nil
	}
	return n, err
}

func TestDatabaseFails(t *testing.T) {
	f := openDefault(t)
	text := long(20)
	w := f.send("", "", &closing{strings.NewReader(text), f.db, len(text) * 6 / 10})
	got := failureOf(t, w)
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || got.CommittedLine != 10 || got.Error.Accepted != 10_000 || got.Error.Code != web.CodeDraining {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestDamagedGzip(t *testing.T) {
	f := openDefault(t)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, long(30))
	_ = z.Close()
	w := f.send("", "gzip", bytes.NewReader(zipped.Bytes()[:zipped.Len()*2/3]))
	got := failureOf(t, w)
	if w.Code != 400 || got.CommittedLine == 0 || got.CommittedLine*1000 != len(f.stored()) {
		t.Errorf("%d %s, %d points stored", w.Code, w.Body, len(f.stored()))
	}
	f.expectFine()
}

func TestNoAllocationPerPoint(t *testing.T) {
	text := []byte(strings.TrimSpace(long(1)))
	var l line
	if n := testing.AllocsPerRun(50, func() {
		if err := l.parse(text); err != nil || len(l.values) != 1000 {
			t.Fatal(len(l.values), err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzImport sends anything. Points must be there as often as the answer says, and a
// valid request must pass afterwards.
func FuzzImport(f *testing.F) {
	f.Add(ofVmctl)
	f.Add(row(`{"__name__":"a"}`, `null,"inf",-1e-3`, "1,-2,3") + "\n{")
	f.Fuzz(func(t *testing.T, body string) {
		s := openDefault(t)
		w := s.post(body)
		switch w.Code {
		case 204:
		case 400:
			got := failureOf(t, w)
			if got.Error.Message == "" || len(got.Error.Rejected) == 0 {
				t.Errorf("%s", w.Body)
			}
			if len(s.stored()) > got.Error.Accepted {
				t.Errorf("%d points stored: %s", len(s.stored()), w.Body)
			}
		default:
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		s.expectFine()
	})
}

// FuzzLine holds the scanner to the JSON library: what it accepts is valid there, but for
// words that JSON does not have.
func FuzzLine(f *testing.F) {
	f.Add(row(`{"__name__":"a","b":"\u00fc"}`, `1,2.5e3,"NaN"`, "1,2,3"))
	f.Add(`{"metric":{},"x":[{"y":null},true],"values":[0],"timestamps":[0]}`)
	f.Fuzz(func(t *testing.T, text string) {
		var l line
		if json.Valid([]byte(text)) {
			if err := l.parse([]byte(text)); errors.Is(err, errJSON) {
				t.Fatalf("valid JSON refused: %q", text)
			}
			return
		}
		_ = l.parse([]byte(text))
	})
}

func BenchmarkImport(b *testing.B) {
	h := newHandler(intake.New(open(b, sydradb.Options{}, intake.DefaultLimits()).db, intake.DefaultLimits(), nil))
	text := []byte(strings.TrimSpace(long(1)))
	j := job{handler: h, parser: new(parser), lines: newLines(&web.Input{ReadCloser: http.NoBody})}
	b.ReportAllocs()
	for b.Loop() {
		request := h.intake.Begin(protocol)
		j.add(request, text)
		if request.Len() != 1000 {
			b.Fatal(request.Errors())
		}
		request.End()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1000), "ns/point")
}

// Series that never change compress a thousand times and more, and are stored all the same;
// what has hardly a point in it is not even read to its end.
func TestWellCompressed(t *testing.T) {
	const perLine = 3000
	line := `{"metric":{"__name__":"constant"},"values":[` + strings.Repeat(",1.00000000000000000000000000000000000", perLine)[1:] + `],"timestamps":[`
	for i := range int64(perLine) {
		line += fmt.Sprint(ms+i, ",")
	}
	line = line[:len(line)-1] + "]}\n"
	for name, tt := range map[string]struct {
		line string
		want int
	}{
		"points": {line, http.StatusNoContent},
		"blanks": {strings.Repeat(" ", len(line)-1) + "\n", http.StatusRequestEntityTooLarge},
	} {
		z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			t.Fatal(err)
		}
		const parts = 3
		part := z.EncodeAll([]byte(strings.Repeat(tt.line, 28<<20/len(line)+1)), nil)
		if parts*len(part) > 48<<10 { // of 84 MiB, 64 are free, and this buys 12 at the ratio
			t.Fatalf("%s: %d bytes are too many for a test", name, parts*len(part))
		}
		f := openDefault(t)
		if w := f.send("", "zstd", bytes.NewReader(bytes.Repeat(part, parts))); w.Code != tt.want {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if got := len(f.stored()); tt.want == http.StatusNoContent && got != perLine {
			t.Errorf("%s: %d points are stored", name, got)
		}
	}
}
