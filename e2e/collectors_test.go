//go:build collectors

package e2e

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
)

// The SDK exports to a Collector, which hands on to us.
func TestOpenTelemetryCollector(t *testing.T) {
	t.Parallel()
	s := serve(t)
	address := freeAddress(t)
	config := page(t, "otelcol", "opentelemetry-collector.md", "localhost:8080", s.address) + `
  telemetry: {metrics: {level: none}}
receivers: {otlp: {protocols: {http: {endpoint: ` + strconv.Quote(address) + `}}}}
processors: {batch: {timeout: 100ms}}
`
	collector := start(t, tool(t, "otelcol"), "--config", "file:"+file(t, "config.yml", config))
	eventually(t, 20*time.Second, "the collector listens", func() error {
		if err := collector.alive(); err != nil {
			t.Fatal(err)
		}
		_, err := api{url: "http://" + address}.do(t.Context(), "POST", "/v1/metrics", strings.NewReader("{}"), "application/json")
		return err
	})
	export(t, otlpmetrichttp.WithEndpoint(address), otlpmetrichttp.WithInsecure())
	// It answers the SDK before it has handed on.
	eventually(t, 20*time.Second, "the collector hands on", func() error {
		got, err := s.query(t.Context(), "http_server_requests_total", now())
		for _, samples := range got {
			if samples[0].V == "42" {
				return err
			}
		}
		return errors.Join(err, fmt.Errorf("the counter is %v", got))
	})
	checkExport(t, s)
	collector.stop(t)
}

// Telegraf collects from the machine and writes by either of its outputs for InfluxDB.
func TestTelegraf(t *testing.T) {
	t.Parallel()
	for _, output := range []string{"telegraf_v1", "telegraf_v2"} {
		t.Run(output, func(t *testing.T) {
			s := serve(t)
			config := `
[agent]
  interval = "1s"
  flush_interval = "1s"
  hostname = "edge"
[[inputs.cpu]]
[[inputs.mem]]
` + page(t, output, "telegraf.md", "localhost:8080", s.address)
			telegraf := start(t, tool(t, "telegraf"), "--config", file(t, "telegraf.conf", config))
			want := []string{"cpu_usage_idle", "cpu_usage_user", "mem_available_percent", "mem_used"}
			eventually(t, 30*time.Second, "five seconds of points", func() error {
				got, err := s.query(t.Context(), `{host="edge"}[1m]`, now())
				if err != nil {
					return err
				}
				for _, name := range want {
					key := fmt.Sprintf(`__name__=%q host="edge" `, name)
					if strings.HasPrefix(name, "cpu") {
						key = fmt.Sprintf(`__name__=%q cpu="cpu-total" host="edge" `, name)
					}
					if len(got[key]) < 5 {
						return fmt.Errorf("%s: %d points", key, len(got[key]))
					}
				}
				return nil
			})
			telegraf.stop(t)
			for line := range strings.Lines(telegraf.output(1 << 20)) {
				if strings.Contains(line, " E! ") || strings.Contains(line, " [outputs.") {
					t.Errorf("telegraf complains: %s", line)
				}
			}
		})
	}
}
