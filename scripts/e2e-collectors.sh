#!/usr/bin/env bash
# Tests the built binary with Telegraf and the OpenTelemetry Collector, see
# e2e/collectors_test.go. Arguments go to "go test".
#
# Both are built once, in some minutes, and kept below .cache. Telegraf is built with the
# few plugins that the test needs; the Collector comes as parts, which tools/otelcol puts
# together.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOTOOLCHAIN=local GOFLAGS="${GOFLAGS:+$GOFLAGS }-buildvcs=false"

TELEGRAF=v1.37.2
plugins=custom,inputs.cpu,inputs.mem,outputs.influxdb,outputs.influxdb_v2,serializers.influx

programs=$PWD/.cache/collectors/telegraf-$TELEGRAF
if [ ! -x "$programs/telegraf" ]; then
	echo "building telegraf $TELEGRAF: this takes some minutes"
	GOWORK=off GOBIN=$programs nice go install -trimpath -ldflags '-s -w' -tags "$plugins" \
		"github.com/influxdata/telegraf/cmd/telegraf@$TELEGRAF"
fi
GOWORK=off nice go -C tools/otelcol build -trimpath -ldflags '-s -w' -o "$programs/otelcol" .
go build -o bin/sydradb ./server/cmd/sydradb

export SYDRADB_BIN=$PWD/bin/sydradb E2E_PROGRAMS=$programs GOWORK=off
cd e2e
exec go test -count=1 -timeout "${E2E_TIMEOUT:-5m}" -tags collectors -run '^Test(Telegraf|OpenTelemetryCollector)' "$@" .
