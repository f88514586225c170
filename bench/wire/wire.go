// Package wire makes the bodies of write requests from the devops load, as the clients of
// each protocol make them: line protocol, and Prometheus' remote write of both versions.
//
// It sends nothing. What does not change from one request to the next, which is all that
// names series, is made once, so that a client is faster than the server that it loads.
// A Writer belongs to one goroutine.
package wire

import (
	"fmt"

	"github.com/klauspost/compress/gzip"

	"github.com/sydradb/sydradb/bench/engine"
	"github.com/sydradb/sydradb/bench/workload"
)

// Format is a protocol and how its requests look.
type Format struct {
	Name   string
	Title  string
	Header map[string]string // of each request
	Each   int               // series in a request by default

	gzipped bool
	encoder func(first, limit int) encoder
}

// encoder makes a body of the points of some consecutive series, one for each.
type encoder interface {
	// encode appends the body to dst, or uses the memory of dst for it.
	encode(dst []byte, points []engine.Point) ([]byte, error)
}

// The series of 500 hosts are 5,000, so one scrape of all of them is one request by line
// protocol. Prometheus sends 2,000 samples at a time.
const (
	eachLine   = 5000
	eachRemote = 2000
)

// Formats returns all formats.
func Formats() []Format {
	protobuf := func(content, version string) map[string]string {
		return map[string]string{
			"Content-Type": content, "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": version,
		}
	}
	text := map[string]string{"Content-Type": "text/plain; charset=utf-8"}
	zipped := map[string]string{"Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip"}
	return []Format{
		{Name: "line", Title: "line protocol", Header: text, Each: eachLine, encoder: newLines},
		{Name: "line-gzip", Title: "line protocol, gzip", Header: zipped, Each: eachLine, encoder: newLines, gzipped: true},
		{
			Name: "remote1", Title: "remote write 1.0", Each: eachRemote, encoder: newRemote1,
			Header: protobuf("application/x-protobuf", "0.1.0"),
		},
		{
			Name: "remote2", Title: "remote write 2.0", Each: eachRemote, encoder: newRemote2,
			Header: protobuf("application/x-protobuf;proto=io.prometheus.write.v2.Request", "2.0.0"),
		},
	}
}

// Named returns the format with a name.
func Named(name string) (Format, error) {
	for _, f := range Formats() {
		if f.Name == name {
			return f, nil
		}
	}
	return Format{}, fmt.Errorf("no format %q", name)
}

// Writer makes the requests of a whole load, scrape after scrape.
type Writer struct {
	source workload.Source
	parts  []part
	scrape []engine.Point
	at     int // next of parts
	plain  []byte
	zip    *gzip.Writer
}

// part is the series of a request.
type part struct {
	first, limit int
	encoder      encoder
}

// NewWriter begins the requests of load in a format, each of at most so many series. By
// line protocol they are whole lines.
func NewWriter(f Format, load *workload.Workload, each int) (*Writer, error) {
	if each < len(workload.DevOpsFields) {
		return nil, fmt.Errorf("%d series a request are less than a line", each)
	}
	each -= each % len(workload.DevOpsFields)
	w := &Writer{source: load.Open()}
	for first := 0; first < load.Series; first += each {
		limit := min(first+each, load.Series)
		w.parts = append(w.parts, part{first, limit, f.encoder(first, limit)})
	}
	w.at = len(w.parts)
	if f.gzipped {
		w.zip, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed)
	}
	return w, nil
}

// Parts returns how many requests a scrape is, each of them of the same series every time.
func (w *Writer) Parts() int { return len(w.parts) }

// Next returns the next body, in the memory of dst if that is large enough, and how many
// points are in it: none at the end.
func (w *Writer) Next(dst []byte) (body []byte, points int, err error) {
	if w.at == len(w.parts) {
		w.scrape, w.at = w.source.Next(w.scrape[:0]), 0
		if len(w.scrape) == 0 {
			w.at = len(w.parts)
			return dst[:0], 0, nil
		}
	}
	p := &w.parts[w.at]
	w.at++
	some := w.scrape[p.first:p.limit]
	if w.zip == nil {
		body, err = p.encoder.encode(dst[:0], some)
		return body, len(some), err
	}
	if w.plain, err = p.encoder.encode(w.plain[:0], some); err != nil {
		return nil, 0, err
	}
	out := appender{dst[:0]}
	w.zip.Reset(&out)
	if _, err = w.zip.Write(w.plain); err == nil {
		err = w.zip.Close()
	}
	return out.data, len(some), err
}

// appender collects what is written.
type appender struct{ data []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.data = append(a.data, p...)
	return len(p), nil
}
