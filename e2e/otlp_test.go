package e2e

import (
	"errors"
	"fmt"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
)

// The official Go SDK exports counters, gauges and histograms over HTTP, to each of the
// paths that we take them at.
func TestOpenTelemetry(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/v1/metrics", "/api/v1/otlp/v1/metrics"} {
		for _, compression := range []otlpmetrichttp.Compression{otlpmetrichttp.NoCompression, otlpmetrichttp.GzipCompression} {
			t.Run(fmt.Sprintf("%s/%d", path[1:], compression), func(t *testing.T) {
				s := serve(t)
				export(t, otlpmetrichttp.WithEndpoint(s.address), otlpmetrichttp.WithInsecure(),
					otlpmetrichttp.WithURLPath(path), otlpmetrichttp.WithCompression(compression),
					otlpmetrichttp.WithHeaders(map[string]string{"Authorization": "Bearer " + token}))
				checkExport(t, s)
			})
		}
	}
}

// export records with a counter, an up-down counter, a gauge and a histogram, and exports
// them twice.
func export(t *testing.T, options ...otlpmetrichttp.Option) {
	t.Helper()
	ctx := t.Context()
	exporter, err := otlpmetrichttp.New(ctx, options...)
	if err != nil {
		t.Fatal(err)
	}
	provider := sdk.NewMeterProvider(
		sdk.WithReader(sdk.NewPeriodicReader(exporter)),
		sdk.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "shop"), attribute.String("service.instance.id", "one"),
			attribute.String("deployment.environment.name", "test"))))
	meter := provider.Meter("e2e")
	attrs := metric.WithAttributes(attribute.String("http.route", "/cart"))

	requests, err1 := meter.Int64Counter("http.server.requests", metric.WithDescription("Requests served."))
	active, err2 := meter.Int64UpDownCounter("sessions.active")
	temperature, err3 := meter.Float64Gauge("room.temperature", metric.WithUnit("Cel"))
	latency, err4 := meter.Float64Histogram("http.server.duration", metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(0.1, 0.5, 1))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		requests.Add(ctx, 3, attrs)
		active.Add(ctx, int64(1-2*(i%2)), attrs)
		temperature.Record(ctx, 20.5+float64(i), attrs)
		latency.Record(ctx, 0.25*float64(i), attrs)
	}
	if err := provider.ForceFlush(ctx); err != nil {
		t.Fatal(err)
	}
	requests.Add(ctx, 12, attrs)
	if err := provider.Shutdown(ctx); err != nil { // exports once more
		t.Fatal(err)
	}
}

// checkExport asks for what export sent.
func checkExport(t *testing.T, s *server) {
	t.Helper()
	at := now()
	value := func(expr, want string) {
		t.Helper()
		got := s.mustQuery(t, expr, at)
		if len(got) != 1 {
			t.Errorf("%s: %d series, want one: %v", expr, len(got), got)
		}
		for key, samples := range got {
			if samples[0].V != want {
				t.Errorf("%s is %s, want %s (%s)", expr, samples[0].V, want, key)
			}
		}
	}
	const match = `{job="shop",instance="one",http_route="/cart"`
	value(`http_server_requests_total`+match+`}`, "42")
	value(`sessions_active`+match+`}`, "0")
	value(`room_temperature_celsius`+match+`}`, "29.5")
	value(`http_server_duration_seconds_count`+match+`}`, "10")
	value(`http_server_duration_seconds_sum`+match+`}`, "11.25")
	value(`http_server_duration_seconds_bucket`+match+`,le="0.5"}`, "3")
	value(`http_server_duration_seconds_bucket`+match+`,le="+Inf"}`, "10")
	value(`histogram_quantile(0.2, http_server_duration_seconds_bucket)`, "0.30000000000000004")
	value(`target_info{job="shop",instance="one",deployment_environment_name="test"}`, "1")
}
