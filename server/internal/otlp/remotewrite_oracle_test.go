package otlp

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"iter"
	"maps"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/metadata"
	"github.com/sydradb/sydradb/server/internal/remotewrite"
)

// Package remotewrite reads messages by itself and does not link Prometheus. These tests
// hold it to Prometheus' decoders; they are here because this package links them anyway.

var rewrite = flag.Bool("rewrite", false, "write the captured messages anew")

const (
	writeType1 = "application/x-protobuf"
	writeType2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
)

// decoded is a TimeSeries of either version, as Prometheus decodes it.
type decoded struct {
	labels                [][2]string
	broken                bool // references that point nowhere
	samples               []prompb.Sample
	histograms, exemplars int
}

func decode1(body []byte) ([]decoded, error) {
	var request prompb.WriteRequest
	if err := request.Unmarshal(body); err != nil {
		return nil, err
	}
	var out []decoded
	for _, ts := range request.Timeseries {
		d := decoded{samples: ts.Samples, histograms: len(ts.Histograms), exemplars: len(ts.Exemplars)}
		for _, l := range ts.Labels {
			d.labels = append(d.labels, [2]string{l.Name, l.Value})
		}
		out = append(out, d)
	}
	return out, nil
}

func decode2(body []byte) ([]decoded, error) {
	var request writev2.Request
	if err := request.Unmarshal(body); err != nil {
		return nil, err
	}
	for series := range parts(body, 5) {
		for refs := range parts(series, 1) {
			if len(refs) > 0 && refs[len(refs)-1] >= 0x80 {
				return nil, errCut
			}
		}
	}
	var out []decoded
	for _, ts := range request.Timeseries {
		d := decoded{histograms: len(ts.Histograms), exemplars: len(ts.Exemplars), broken: len(ts.LabelsRefs)%2 != 0}
		for _, s := range ts.Samples {
			d.samples = append(d.samples, prompb.Sample{Value: s.Value, Timestamp: s.Timestamp})
		}
		for refs := range slices.Chunk(ts.LabelsRefs, 2) {
			if d.broken = d.broken || int(refs[0]) >= len(request.Symbols) || int(refs[1]) >= len(request.Symbols); d.broken {
				break
			}
			d.labels = append(d.labels, [2]string{request.Symbols[refs[0]], request.Symbols[refs[1]]})
		}
		out = append(out, d)
	}
	return out, nil
}

// errCut tells of references that end within a number. Prometheus takes the rest of it from
// the bytes behind them, which no message may ask for.
var errCut = errors.New("references end within a number")

// parts returns the fields of a message with a number and of the type of bytes, as
// Prometheus finds them. It must have read the message without an error.
func parts(b []byte, field int32) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		varint := func() (v uint64) {
			for shift := 0; ; shift += 7 {
				c := b[0]
				b = b[1:]
				if v |= uint64(c&0x7f) << shift; c < 0x80 {
					return v
				}
			}
		}
		for depth := 0; len(b) > 0; {
			tag := varint()
			switch tag & 7 {
			case 0:
				varint()
			case 1:
				b = b[8:]
			case 2:
				n := varint()
				part := b[:n]
				if b = b[n:]; depth == 0 && int32(tag>>3) == field && !yield(part) {
					return
				}
			case 3:
				depth++
			case 4:
				depth--
			case 5:
				b = b[4:]
			}
		}
	}
}

var errLabels = errors.New("labels")

// store does slowly what remotewrite does.
func store(t *testing.T, request *intake.Request, all []decoded) {
	invalid := &intake.Refusal{Reason: intake.Invalid, Err: errLabels}
	for _, d := range all {
		request.Refuse(&intake.Refusal{Reason: intake.NativeHistogram, Err: errLabels}, d.histograms, 0, nil)
		request.Refuse(&intake.Refusal{Reason: intake.Exemplar, Err: errLabels}, d.exemplars, 0, nil)
		if len(d.samples) == 0 {
			continue
		}
		name, tags, seen := "", []sydradb.Tag(nil), map[string]bool{}
		for _, l := range d.labels {
			d.broken = d.broken || seen[l[0]]
			seen[l[0]] = true
			if l[0] == "__name__" {
				name = l[1]
			} else {
				tags = append(tags, sydradb.Tag{Key: l[0], Value: l[1]})
			}
		}
		times := make([]int64, len(d.samples))
		timely, newest := false, int64(math.MinInt64)
		for i, s := range d.samples {
			times[i] = s.Timestamp * 1e6
			if s.Timestamp > math.MaxInt64/1_000_000 {
				times[i] = math.MaxInt64
			} else if s.Timestamp < -math.MaxInt64/1_000_000 {
				times[i] = math.MinInt64
			}
			if request.CheckTime(times[i]) == nil {
				timely, newest = true, max(newest, times[i])
			}
		}
		var why *intake.Refusal
		if d.broken || name == "" {
			why = invalid
		}
		var series *sydradb.Series
		if why == nil && timely {
			var err error
			if series, err = request.Series(name, tags, newest); err != nil && !errors.As(err, &why) {
				t.Fatal(err)
			}
		}
		for i, s := range d.samples {
			if late := request.CheckTime(times[i]); late != nil && (series != nil || why == nil) {
				request.Refuse(late, 1, 0, nil)
			} else if why != nil {
				request.Refuse(why, 1, 0, nil)
			} else {
				request.Add(series, times[i], s.Value)
			}
		}
	}
	if err := request.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// contents returns all points, as "series ns bits".
func contents(t testing.TB, db *sydradb.DB) []string {
	t.Helper()
	it, err := db.Query(t.Context(), sydradb.Query{Start: sydradb.MinTime, End: sydradb.MaxTime})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	var out []string
	for it.Next() {
		b := it.Block()
		for i, ts := range b.Times {
			out = append(out, fmt.Sprintf("%v %d %#x", b.Series, ts, math.Float64bits(b.Values[i])))
		}
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// observer keeps the counts of requests.
type observer struct {
	accepted int
	rejected map[intake.Reason]int
}

func (o *observer) Observe(_ string, accepted int, rejected map[intake.Reason]int) {
	o.accepted = accepted
	o.rejected = maps.Clone(rejected)
	maps.DeleteFunc(o.rejected, func(_ intake.Reason, n int) bool { return n == 0 })
}

// compare sends a message twice, and stores what Prometheus makes of it elsewhere.
func compare(t *testing.T, contentType string, decode func([]byte) ([]decoded, error), body []byte) {
	all, err := decode(body)
	if err != nil && err != errCut {
		return // remotewrite passes over histograms and exemplars without a look inside
	}
	ours, theirs := dbtest.Open(t, sydradb.Options{}), dbtest.Open(t, sydradb.Options{})
	var counted, expected observer
	h := remotewrite.Routes(intake.New(ours, intake.DefaultLimits(), &counted), metadata.New(0))[0].Handler
	request := intake.New(theirs, intake.DefaultLimits(), &expected).Begin("oracle")
	store(t, request, all)
	request.End()
	for range 2 {
		r := httptest.NewRequest("POST", "/api/v1/write", bytes.NewReader(snappy.Encode(nil, body)))
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Content-Encoding", "snappy")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if err == errCut {
			if w.Code != 400 || !strings.Contains(w.Body.String(), "protocol buffer") {
				t.Fatalf("%v: %d %s", err, w.Code, w.Body)
			}
			continue
		}
		if w.Code != 204 && (w.Code != 400 || strings.Contains(w.Body.String(), "protocol buffer")) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if counted.accepted != expected.accepted || !maps.Equal(counted.rejected, expected.rejected) {
			t.Fatalf("accepted %d, rejected %v; Prometheus: %d, %v", counted.accepted, counted.rejected, expected.accepted, expected.rejected)
		}
	}
	if got, want := contents(t, ours), contents(t, theirs); !slices.Equal(got, want) {
		t.Fatalf("stored\n%s\nPrometheus:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const staleNaN = 0x7ff0000000000002

const writeMS = 1_700_000_000_000

// message1 is a request as Prometheus sends it.
func message1(t testing.TB) []byte {
	label := func(name, value string) prompb.Label { return prompb.Label{Name: name, Value: value} }
	target := []prompb.Label{label("instance", "localhost:9090"), label("job", "prometheus")}
	series := func(name string, samples ...prompb.Sample) prompb.TimeSeries {
		return prompb.TimeSeries{Labels: append([]prompb.Label{label("__name__", name)}, target...), Samples: samples}
	}
	request := prompb.WriteRequest{
		Timeseries: []prompb.TimeSeries{
			series("up", prompb.Sample{Value: 1, Timestamp: writeMS}, prompb.Sample{Value: 0, Timestamp: writeMS + 15000}),
			series("gone", prompb.Sample{Value: math.Float64frombits(staleNaN), Timestamp: writeMS}),
			series("go_memstats_alloc_bytes", prompb.Sample{Value: 2.7182818284590452e7, Timestamp: writeMS}),
			{
				Labels:    append([]prompb.Label{label("__name__", "requests_total"), label("code", "200")}, target...),
				Samples:   []prompb.Sample{{Value: 1027, Timestamp: writeMS}},
				Exemplars: []prompb.Exemplar{{Labels: []prompb.Label{label("trace_id", "abc")}, Value: 1, Timestamp: writeMS}},
			},
		},
		Metadata: []prompb.MetricMetadata{
			{Type: prompb.MetricMetadata_GAUGE, MetricFamilyName: "go_memstats_alloc_bytes", Help: "Bytes in use.", Unit: "bytes"},
			{Type: prompb.MetricMetadata_COUNTER, MetricFamilyName: "requests_total", Help: "Requests."},
		},
	}
	body, err := request.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// message2 is the same in 2.0, with a native histogram.
func message2(t testing.TB) []byte {
	symbols := writev2.NewSymbolTable()
	series := func(typ writev2.Metadata_MetricType, help, unit string, labels ...string) writev2.TimeSeries {
		labels = append(labels, "instance", "localhost:9090", "job", "prometheus")
		ts := writev2.TimeSeries{Metadata: writev2.Metadata{Type: typ, HelpRef: symbols.Symbolize(help), UnitRef: symbols.Symbolize(unit)}}
		for _, l := range labels {
			ts.LabelsRefs = append(ts.LabelsRefs, symbols.Symbolize(l))
		}
		return ts
	}
	up := series(0, "", "", "__name__", "up")
	up.Samples = []writev2.Sample{{Value: 1, Timestamp: writeMS}, {Value: 0, Timestamp: writeMS + 15000}}
	gone := series(0, "", "", "__name__", "gone")
	gone.Samples = []writev2.Sample{{Value: math.Float64frombits(staleNaN), Timestamp: writeMS}}
	alloc := series(writev2.Metadata_METRIC_TYPE_GAUGE, "Bytes in use.", "bytes", "__name__", "go_memstats_alloc_bytes")
	alloc.Samples = []writev2.Sample{{Value: 2.7182818284590452e7, Timestamp: writeMS}}
	requests := series(writev2.Metadata_METRIC_TYPE_COUNTER, "Requests.", "", "__name__", "requests_total", "code", "200")
	requests.Samples = []writev2.Sample{{Value: 1027, Timestamp: writeMS, StartTimestamp: writeMS - 5000}}
	requests.Exemplars = []writev2.Exemplar{{LabelsRefs: []uint32{symbols.Symbolize("trace_id"), symbols.Symbolize("abc")}, Value: 1, Timestamp: writeMS}}
	latency := series(writev2.Metadata_METRIC_TYPE_HISTOGRAM, "Latency.", "seconds", "__name__", "latency_seconds")
	latency.Histograms = []writev2.Histogram{{Count: &writev2.Histogram_CountInt{CountInt: 3}, Sum: 1.5, Schema: 3, Timestamp: writeMS, PositiveDeltas: []int64{1, 1, -1}, PositiveSpans: []writev2.BucketSpan{{Offset: 1, Length: 3}}}}
	request := writev2.Request{Symbols: symbols.Symbols(), Timeseries: []writev2.TimeSeries{up, gone, alloc, requests, latency}}
	body, err := request.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// The messages that the tests of remotewrite take from files are what Prometheus encodes.
func TestCapturedMessages(t *testing.T) {
	for name, body := range map[string][]byte{"prometheus_1.0.snappy": message1(t), "prometheus_2.0.snappy": message2(t)} {
		path := filepath.Join("..", "remotewrite", "testdata", name)
		want := snappy.Encode(nil, body)
		if *rewrite {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		captured, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := snappy.Decode(nil, captured)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%s is not what Prometheus sends (%v): run with -rewrite", name, err)
		}
	}
	compare(t, writeType1, decode1, message1(t))
	compare(t, writeType2, decode2, message2(t))
}

// Of cut references Prometheus makes others, which is why it cannot judge them.
func TestCutReferences(t *testing.T) {
	body := []byte("\"\x00\"\b__name__\"\x01a*\x09\n\x02\x01\x82\x00\x12\x02\x10\x05")
	var request writev2.Request
	if err := request.Unmarshal(body); err != nil || !slices.Equal(request.Timeseries[0].LabelsRefs, []uint32{1, 2}) {
		t.Errorf("Prometheus reads %v, %v", request, err)
	}
	if _, err := decode2(body); err != errCut {
		t.Errorf("the references count as whole: %v", err)
	}
	compare(t, writeType2, decode2, body)
}

func FuzzRemoteWrite1(f *testing.F) {
	f.Add(message1(f))
	f.Fuzz(func(t *testing.T, body []byte) { compare(t, writeType1, decode1, body) })
}

func FuzzRemoteWrite2(f *testing.F) {
	f.Add(message2(f))
	f.Fuzz(func(t *testing.T, body []byte) { compare(t, writeType2, decode2, body) })
}
