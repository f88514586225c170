package workload

import (
	"bytes"
	_ "embed" // the recorded scrapes
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/sydradb/sydradb/bench/engine"
)

// scraped holds what a node_exporter said 365 times, a second apart, series after series:
//
//	name length  u32   little-endian, as all that follows
//	name         bytes, such as node_cpu_seconds_total{cpu="0",mode="idle"}
//	count        u32
//	times        count x i64, Unix milliseconds
//	values       count x f64
//
//go:embed testdata/node_exporter.bin.zst
var scraped []byte

// recorded is one series of it.
type recorded struct {
	name   string
	tags   []engine.Tag
	times  []int64
	values []float64
}

var records = sync.OnceValues(func() ([]recorded, error) {
	r, err := zstd.NewReader(bytes.NewReader(scraped))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []recorded
	for {
		one, err := readRecord(r)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("node_exporter, series %d: %w", len(out), err)
		}
		out = append(out, one)
	}
})

// readRecord reads a series. The error is io.EOF after the last one.
func readRecord(r io.Reader) (recorded, error) {
	var one recorded
	var size uint32
	if err := binary.Read(r, binary.LittleEndian, &size); err != nil {
		return one, err
	}
	name := make([]byte, size)
	if _, err := io.ReadFull(r, name); err != nil {
		return one, err
	}
	var err error
	if one.name, one.tags, err = parseSeries(string(name)); err != nil {
		return one, err
	}
	if err := binary.Read(r, binary.LittleEndian, &size); err != nil {
		return one, err
	}
	one.times, one.values = make([]int64, size), make([]float64, size)
	if err := binary.Read(r, binary.LittleEndian, one.times); err != nil {
		return one, err
	}
	return one, binary.Read(r, binary.LittleEndian, one.values)
}

// parseSeries splits name{key="value",...}.
func parseSeries(text string) (string, []engine.Tag, error) {
	name, rest, braces := strings.Cut(text, "{")
	var tags []engine.Tag
	for braces && rest != "}" {
		key, quoted, found := strings.Cut(strings.TrimPrefix(rest, ","), "=")
		prefix, err := strconv.QuotedPrefix(quoted)
		if err != nil || !found {
			return "", nil, errors.New("not a series: " + text)
		}
		value, err := strconv.Unquote(prefix)
		if err != nil {
			return "", nil, err
		}
		tags = append(tags, engine.Tag{Key: key, Value: value})
		rest = quoted[len(prefix):]
	}
	return name, tags, nil
}

// node is the recorded data, or its first series if a number is given.
func node(series int) (*Workload, error) {
	data, err := records()
	if err != nil {
		return nil, err
	}
	if series > 0 {
		data = data[:series]
	}
	w := &Workload{Name: "node", Series: len(data)}
	w.Start, w.End = data[0].times[0], data[0].times[0]
	for _, r := range data {
		w.Points += int64(len(r.times))
		w.Start = min(w.Start, r.times[0])
		w.End = max(w.End, r.times[len(r.times)-1]+1)
	}
	w.Title = fmt.Sprintf("%d series of a node_exporter, %d points 1 s apart", w.Series, w.Points)
	w.describe = func(i int, tags []engine.Tag) (string, []engine.Tag) {
		return data[i].name, append(tags, data[i].tags...)
	}
	w.source = func() Source { return &replay{data: data} }
	return w, nil
}

// replay is the stream of recorded series, scrape by scrape.
type replay struct {
	data []recorded
	step int
}

// Next implements Source.
func (r *replay) Next(points []engine.Point) []engine.Point {
	for i, s := range r.data {
		if r.step < len(s.times) {
			points = append(points, engine.Point{TS: s.times[r.step], Value: s.values[r.step], Series: int32(i)})
		}
	}
	r.step++
	return points
}
