package e2e

import (
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
	s := serve(t)
	for i, path := range []string{"/v1/metrics", "/api/v1/otlp/v1/metrics"} {
		t.Run(path[1:], func(t *testing.T) { testExporter(t, s, path, fmt.Sprintf("shop%d", i), i == 1) })
	}
}

func testExporter(t *testing.T, s *server, path, service string, zipped bool) {
	ctx := t.Context()
	options := []otlpmetrichttp.Option{
		otlpmetrichttp.WithEndpoint(s.address), otlpmetrichttp.WithInsecure(), otlpmetrichttp.WithURLPath(path),
		otlpmetrichttp.WithHeaders(map[string]string{"Authorization": "Bearer " + token}),
	}
	if zipped {
		options = append(options, otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression))
	}
	exporter, err := otlpmetrichttp.New(ctx, options...)
	if err != nil {
		t.Fatal(err)
	}
	provider := sdk.NewMeterProvider(
		sdk.WithReader(sdk.NewPeriodicReader(exporter)),
		sdk.WithResource(resource.NewSchemaless(
			attribute.String("service.name", service), attribute.String("service.instance.id", "one"))))
	meter := provider.Meter("e2e")
	attrs := metric.WithAttributes(attribute.String("http.route", "/cart"))

	requests, err1 := meter.Int64Counter("http.server.requests", metric.WithDescription("Requests served."))
	active, err2 := meter.Int64UpDownCounter("sessions.active")
	temperature, err3 := meter.Float64Gauge("room.temperature", metric.WithUnit("Cel"))
	latency, err4 := meter.Float64Histogram("http.server.duration", metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(0.1, 0.5, 1))
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10 {
		requests.Add(ctx, 3, attrs)
		active.Add(ctx, int64(1-2*(i%2)), attrs)
		temperature.Record(ctx, 20.5+float64(i), attrs)
		latency.Record(ctx, 0.2*float64(i), attrs)
	}
	if err := provider.ForceFlush(ctx); err != nil {
		t.Fatal(err)
	}
	requests.Add(ctx, 12, attrs)
	if err := provider.Shutdown(ctx); err != nil { // flushes once more
		t.Fatal(err)
	}

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
	match := fmt.Sprintf(`{job=%q,instance="one",http_route="/cart"`, service)
	value(`http_server_requests_total`+match+`}`, "42")
	value(`sessions_active`+match+`}`, "0")
	value(`room_temperature_celsius`+match+`}`, "29.5")
	value(`http_server_duration_seconds_count`+match+`}`, "10")
	value(`http_server_duration_seconds_sum`+match+`}`, "9")
	value(`http_server_duration_seconds_bucket`+match+`,le="0.5"}`, "3")
	value(`http_server_duration_seconds_bucket`+match+`,le="+Inf"}`, "10")
	value(fmt.Sprintf(`histogram_quantile(0.25, http_server_duration_seconds_bucket{job=%q})`, service), "0.4")
	value(fmt.Sprintf(`count(target_info{job=%q})`, service), "1")
}
