#!/usr/bin/env bash
# Shows that the crash and fault tests would notice the bugs they are made for: builds
# the engine's tests once with the tag "plant" and runs TestPlanted for each bug that
# internal/plant names. The test passes when the harness catches the bug, and fails
# when the bug gets past it. Without a bug switched on it must find nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go test -vet=off -tags plant -c -o "$bin/plant.test" ./internal/engine

cd internal/engine
status=0
for bug in none $(sed -nE 's/^\t[A-Z][A-Za-z]+ += "([a-z-]+)".*/\1/p' ../plant/doc.go); do
	if out=$(SYDRADB_PLANT=${bug/none/} "$bin/plant.test" -test.v -test.run '^TestPlanted$' -test.timeout 120s 2>&1) &&
		grep -q -- '--- PASS: TestPlanted' <<<"$out"; then
		echo "$bug: as expected"
	else
		echo "$out"
		echo "$bug: NOT as expected"
		status=1
	fi
done
exit $status
