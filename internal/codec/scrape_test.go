package codec

import (
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"testing"
	"time"
)

// scrapeFile holds the metrics of one machine, as node_exporter shows them, 365 scrapes in a
// row: for each series its name and its points, as
//
//	length u32, name, count u32, count timestamps i64, count values f64
const scrapeFile = "testdata/node_exporter.bin.gz"

// The columns that are encoded, and what their values may take a point on average.
const scrapePoints = 360

var scrapeBytes = map[Policy]float64{Fast: 0.24, Balanced: 0.18}

// TestScrape holds the values of a real scrape to their bytes, and with -v says how long
// they took.
func TestScrape(t *testing.T) {
	file, err := os.Open(scrapeFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	timestamps, values, err := scraped(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(values) < 600 {
		t.Fatalf("%d series", len(values))
	}
	points := float64(len(values) * scrapePoints)
	for _, v := range variants {
		e, d := Encoder{Policy: v.policy}, Decoder{}
		columns := make([][]byte, len(values))
		begin := time.Now()
		for i := range values {
			columns[i], _ = e.AppendValues(nil, v.id, values[i])
		}
		encoding := time.Since(begin)
		valueBytes, timestampBytes := 0, 0
		got, gotTS := make([]float64, scrapePoints), make([]int64, scrapePoints)
		begin = time.Now()
		for _, c := range columns {
			if _, err := d.Values(got, v.id, c); err != nil {
				t.Fatal(err)
			}
		}
		decoding := time.Since(begin)
		for i, c := range columns {
			valueBytes += len(c)
			if _, err := d.Values(got, v.id, c); err != nil || !sameBits(got, values[i]) {
				t.Fatalf("%v: series %d differs, error %v", v, i, err)
			}
			encoded := v.timestamps(t, timestamps[i])
			timestampBytes += len(encoded)
			if _, err := d.Timestamps(gotTS, v.id, encoded, timestamps[i][0]); err != nil || !slices.Equal(gotTS, timestamps[i]) {
				t.Fatalf("%v: timestamps of series %d differ, error %v", v, i, err)
			}
		}
		each := float64(valueBytes) / points
		t.Logf("%-13v %4d series: values %.3f B/point, encoding %.1f ns/point, decoding %.2f; timestamps, each by itself, %.3f B/point",
			v, len(values), each, float64(encoding.Nanoseconds())/points, float64(decoding.Nanoseconds())/points, float64(timestampBytes)/points)
		if most := scrapeBytes[v.policy]; v.id == 2 && each > most {
			t.Errorf("%v: values take %.3f bytes a point, more than %.2f", v, each, most)
		}
	}
}

// scraped returns the first points of each series that has enough.
func scraped(data []byte) (timestamps [][]int64, values [][]float64, err error) {
	next := func(size uint64) ([]byte, error) {
		if size > uint64(len(data)) {
			return nil, fmt.Errorf("%w: %d bytes wanted, %d left", io.ErrUnexpectedEOF, size, len(data))
		}
		out := data[:size]
		data = data[size:]
		return out, nil
	}
	for len(data) > 0 {
		head, err := next(4)
		if err != nil {
			return nil, nil, err
		}
		if _, err := next(uint64(binary.LittleEndian.Uint32(head))); err != nil {
			return nil, nil, err
		}
		if head, err = next(4); err != nil {
			return nil, nil, err
		}
		count := binary.LittleEndian.Uint32(head)
		points, err := next(16 * uint64(count))
		if err != nil {
			return nil, nil, err
		}
		if count < scrapePoints {
			continue
		}
		ts, v := make([]int64, scrapePoints), make([]float64, scrapePoints)
		for i := range ts {
			ts[i] = int64(binary.LittleEndian.Uint64(points[8*i:]))
			v[i] = math.Float64frombits(binary.LittleEndian.Uint64(points[8*(int(count)+i):]))
		}
		timestamps, values = append(timestamps, ts), append(values, v)
	}
	return timestamps, values, nil
}
