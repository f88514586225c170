#!/usr/bin/env bash
# Shows that the crash and fault tests would notice the bugs they are made for: builds
# the engine's tests once with the tag "plant" and runs TestPlanted for each bug that
# internal/plant names. The test passes when the harness catches the bug, and fails
# when the bug gets past it. That it finds nothing without a bug, so that it does not
# just cry wolf, is what the same tests show when they run without the tag.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go test -vet=off -tags plant -c -o "$bin/plant.test" ./internal/engine

cd internal/engine
status=0
bugs=$(sed -nE 's/^\t[A-Z][A-Za-z]+ += "([a-z-]+)".*/\1/p' ../plant/doc.go)
[ -n "$bugs" ] || { echo "internal/plant names no bug"; exit 1; }
for bug in $bugs; do
	if out=$(SYDRADB_PLANT=$bug "$bin/plant.test" -test.v -test.run '^TestPlanted$' -test.timeout 120s 2>&1) &&
		grep -q -- '--- PASS: TestPlanted' <<<"$out"; then
		sed -nE "s/^ *plant_test.go:[0-9]+: /caught: /p" <<<"$out"
	else
		echo "$out"
		echo "$bug: NOT caught"
		status=1
	fi
done
exit $status
