#!/usr/bin/env bash
# Federates two servers behind stock Thanos, see e2e/thanos_test.go. Arguments go to "go test".
#
# Thanos has its own module, tools/thanos, that pins it and all it is made of. Building it
# takes minutes and some GB of modules and cache, once: the program is kept below .cache.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOTOOLCHAIN=local GOFLAGS="${GOFLAGS:+$GOFLAGS }-buildvcs=false"

version=$(GOWORK=off go -C tools/thanos list -m -f '{{.Version}}' github.com/thanos-io/thanos)
programs=$PWD/.cache/thanos/$version
if [ ! -x "$programs/thanos" ]; then
	echo "building thanos $version: this takes some minutes"
	# The tags are those of Thanos' own build; without slicelabels it does not even run.
	GOWORK=off nice go -C tools/thanos build -trimpath -tags slicelabels,netgo \
		-ldflags "-s -w -X github.com/prometheus/common/version.Version=${version#v}" \
		-o "$programs/thanos" github.com/thanos-io/thanos/cmd/thanos
fi

go build -o bin/sydradb ./server/cmd/sydradb

export SYDRADB_BIN=$PWD/bin/sydradb E2E_PROGRAMS=$programs GOWORK=off
cd e2e
exec go test -count=1 -timeout "${E2E_TIMEOUT:-5m}" -tags thanos -run '^TestThanos' "$@" .
