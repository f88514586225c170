#!/usr/bin/env bash
# Tests the built binary with real programs, see e2e/doc.go.
#
#   scripts/e2e.sh                    all tests
#   scripts/e2e.sh -run Vmagent -v    arguments go to "go test"
#
# Prometheus, promtool, vmagent and vmctl are taken from PATH or, where missing, from the
# packages of Debian 12. Those are only unpacked below .cache: nothing is installed, no
# service starts and no rights are needed.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOTOOLCHAIN=local GOFLAGS="${GOFLAGS:+$GOFLAGS }-buildvcs=false"
programs=$PWD/.cache/e2e

# unpack PACKAGE PROGRAM... makes the programs available in $programs/usr/bin.
unpack() {
	local package=$1 program missing=false dir
	shift
	for program in "$@"; do
		[ -x "$programs/usr/bin/$program" ] || command -v "$program" >/dev/null || missing=true
	done
	$missing || return 0
	command -v apt-get >/dev/null || { echo "scripts/e2e.sh: no $* in PATH, and no apt-get to get the package $package with" >&2; exit 1; }
	dir=$(mktemp -d)
	if ! (cd "$dir" && apt-get -qq download "$package" 2>/dev/null); then
		apt-get -qq update # a fresh image has no lists of packages
		(cd "$dir" && apt-get -qq download "$package")
	fi
	mkdir -p "$programs"
	dpkg-deb --extract "$dir"/*.deb "$programs"
	rm -r "$dir"
}

unpack prometheus prometheus promtool
unpack victoria-metrics vmagent vmctl

go build -o bin/sydradb ./server/cmd/sydradb

export SYDRADB_BIN=$PWD/bin/sydradb E2E_PROGRAMS=$programs/usr/bin GOWORK=off
cd e2e
exec go test -count=1 -timeout "${E2E_TIMEOUT:-5m}" "$@" .
