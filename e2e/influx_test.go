package e2e

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	influx "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api/write"
	influx1 "github.com/influxdata/influxdb1-client/v2"
)

// clientBase is the time of the first point that the clients write, with a nanosecond part
// for the precisions to cut off.
var clientBase = time.Unix(1_700_000_000, 123_456_789)

// clientPoints is how many points a client writes: enough for several batches.
const clientPoints = 250

// reading is the value of point i: of all of them, line protocol has to keep each bit.
func reading(i int) float64 {
	return []float64{21.5, -0.1, 1e-300, 0.1 + 0.2, math.MaxFloat64 / 1000, 0, math.Pi}[i%7] * float64(i+1) / 3
}

// wantReadings is what PromQL answers for the points after the precision has cut off what
// it does. A query shows milliseconds.
func wantReadings(precision time.Duration) []sample {
	var out []sample
	for i := range clientPoints {
		at := clientBase.Add(time.Duration(i) * time.Second).Truncate(precision)
		out = append(out, sample{at.UnixMilli(), valueText(reading(i))})
	}
	return out
}

// fieldsOf are the fields of point i: a float, an integer and a boolean.
func fieldsOf(i int) map[string]any {
	return map[string]any{"temp": reading(i), "count": int64(i), "open": i%2 == 0}
}

// checkReadings asks for what a client wrote under a measurement.
func checkReadings(t *testing.T, s *server, measurement string, precision time.Duration) {
	t.Helper()
	end := clientBase.Add((clientPoints + 1) * time.Second).UnixMilli()
	ask := func(field string) result {
		return s.mustQuery(t, fmt.Sprintf(`%s_%s[%ds]`, measurement, field, clientPoints+10), end)
	}
	key := func(field string) string {
		return labelText(map[string]string{"__name__": measurement + "_" + field, "room": `kitchen, "south"`})
	}
	want := wantReadings(precision)
	if err := compare(result{key("temp"): want}, ask("temp"), 0); err != nil {
		t.Error(err)
	}
	counts, open := make([]sample, len(want)), make([]sample, len(want))
	for i, w := range want {
		counts[i] = sample{w.T, strconv.Itoa(i)}
		open[i] = sample{w.T, strconv.Itoa(1 - i%2)}
	}
	if err := compare(result{key("count"): counts}, ask("count"), 0); err != nil {
		t.Error(err)
	}
	if err := compare(result{key("open"): open}, ask("open"), 0); err != nil {
		t.Error(err)
	}
}

var precisions = []struct {
	name string
	unit time.Duration
}{
	{"ns", time.Nanosecond}, {"us", time.Microsecond}, {"ms", time.Millisecond}, {"s", time.Second},
}

// The official client of InfluxDB 2, writing point by point and in batches.
func TestInfluxClient2(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for i, p := range precisions {
		zipped := i%2 == 0
		client := influx.NewClientWithOptions(s.url, token,
			influx.DefaultOptions().SetPrecision(p.unit).SetUseGZip(zipped).SetBatchSize(60).SetFlushInterval(100))
		t.Cleanup(client.Close)
		if ok, err := client.Ping(t.Context()); err != nil || !ok {
			t.Fatalf("ping: %v %v", ok, err)
		}
		if health, err := client.Health(t.Context()); err != nil || health.Status != "pass" {
			t.Fatalf("health: %v %v", health, err)
		}
		if ready, err := client.Ready(t.Context()); err != nil {
			t.Logf("ready: %v %v", ready, err) // of its /ready the client wants a JSON that ours is not
		}
		points := func(measurement string) (out []*write.Point) {
			for i := range clientPoints {
				out = append(out, influx.NewPoint(measurement, map[string]string{"room": `kitchen, "south"`}, fieldsOf(i), clientBase.Add(time.Duration(i)*time.Second)))
			}
			return out
		}
		t.Run("blocking/"+p.name, func(t *testing.T) {
			m := "blocking_" + p.name
			if err := client.WriteAPIBlocking("org", "bucket").WritePoint(t.Context(), points(m)...); err != nil {
				t.Fatal(err)
			}
			checkReadings(t, s, m, p.unit)
		})
		t.Run("batching/"+p.name, func(t *testing.T) {
			m := "batching_" + p.name
			writer := client.WriteAPI("org", "bucket")
			errs := make(chan error, 1)
			go func(failed <-chan error) { // until the client is closed; who reads none makes it wait
				for err := range failed {
					select {
					case errs <- err:
					default:
					}
				}
			}(writer.Errors())
			for _, point := range points(m) {
				writer.WritePoint(point)
			}
			writer.Flush()
			select {
			case err := <-errs:
				t.Fatal(err)
			default:
			}
			checkReadings(t, s, m, p.unit)
		})
	}
	t.Run("refused", func(t *testing.T) {
		client := influx.NewClient(s.url, token)
		t.Cleanup(client.Close)
		err := client.WriteAPIBlocking("org", "bucket").WriteRecord(t.Context(), "refused value=1\nrefused oh dear\n")
		if err == nil || !strings.Contains(err.Error(), "oh dear") {
			t.Errorf("a bad line: %v", err)
		}
		client = influx.NewClient(s.url, "wrong")
		t.Cleanup(client.Close)
		if err := client.WriteAPIBlocking("org", "bucket").WriteRecord(t.Context(), "refused value=1"); err == nil {
			t.Error("a wrong token writes")
		}
	})
}

// The official client of InfluxDB 1.
func TestInfluxClient1(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for i, p := range precisions {
		encoding := influx1.DefaultEncoding
		if i%2 == 1 {
			encoding = influx1.GzipEncoding
		}
		client, err := influx1.NewHTTPClient(influx1.HTTPConfig{
			Addr: s.url, Username: "any", Password: token, WriteEncoding: encoding, Timeout: 20 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close() })
		if _, version, err := client.Ping(10 * time.Second); err != nil || version == "" {
			t.Fatalf("ping: %q %v", version, err)
		}
		if resp, err := client.Query(influx1.NewQuery(`CREATE DATABASE "db"`, "", "")); err != nil || resp.Error() != nil {
			t.Fatalf("create database: %v %v", resp, err)
		}
		t.Run(p.name, func(t *testing.T) {
			// "us" is checked by this client and then not known to what writes the times, "u"
			// the other way round: of the four it cannot write microseconds.
			if p.name == "us" {
				t.Skip("the client does not know this precision")
			}
			batch, err := influx1.NewBatchPoints(influx1.BatchPointsConfig{Database: "db", Precision: p.name})
			if err != nil {
				t.Fatal(err)
			}
			m := "old_" + p.name
			for i := range clientPoints {
				point, err := influx1.NewPoint(m, map[string]string{"room": `kitchen, "south"`}, fieldsOf(i), clientBase.Add(time.Duration(i)*time.Second))
				if err != nil {
					t.Fatal(err)
				}
				batch.AddPoint(point)
			}
			if err := client.Write(batch); err != nil {
				t.Fatal(err)
			}
			checkReadings(t, s, m, p.unit)
		})
	}
}
