#!/usr/bin/env bash
# Shows that the tests would notice the bugs they are made for: builds them with the tag
# "plant" and runs, for each bug that internal/plant names, the test that is to fail on it.
# If that one passes, the other tests for crashes, faults and damage have their turn; a bug
# that gets past all of them is an error. That they find nothing without a bug, so that
# they do not just cry wolf, is what they show in every run without the tag.
#
#   scripts/plant.sh             all bugs
#   scripts/plant.sh BUG...      these only
set -euo pipefail
cd "$(dirname "$0")/.."

# What else may find a bug of a package, cheap tests first.
export REST_engine='TestCrashInUpkeep TestModel TestCrash TestFaultsGoOn TestFaults TestModelSettings TestSnapshotCrash TestClockFaults'
export REST_fsys=. REST_objectstore=.

# try BUG PACKAGE TEST runs a test that should fail and says how it did.
try() {
	local out
	if out=$(cd "internal/$2" && SYDRADB_PLANT=$1 "$bin/$2.test" -test.run "^($3)\$" -test.skip /shortened -test.failfast -test.timeout 120s 2>&1); then
		return 1
	fi
	# A test that is only slow, on a machine that is, has found nothing.
	! grep -q '^panic: test timed out' <<<"$out" && grep -qE -- '^(--- FAIL: Test|panic: )' <<<"$out" || { echo "$out"; return 1; }
	echo "$1: $3: $(grep -E -m1 '_test\.go:[0-9]+: .*(:|not|want)' <<<"$out" | sed -E 's/^ +//; s/\{(Options|Sync):.*\}: //' | cut -c1-160)"
}

# catch BUG PACKAGE TEST says which test finds a bug.
catch() {
	local test rest=REST_$2
	try "$1" "$2" "$3" && return
	for test in ${!rest}; do
		if try "$1" "$2" "$test"; then
			echo "$1: $3 does not find it; correct internal/plant"
			return 1
		fi
	done
	echo "$1: NOT FOUND by any test"
	return 1
}
export -f try catch

# name, package and test of each bug
bugs=$(sed -nE 's/^\t[A-Z][A-Za-z]+ += "([a-z-]+)" +\/\/ ([a-z]+) (Test[A-Za-z]+)$/\1 \2 \3/p' internal/plant/doc.go)
[ "$(grep -c . <<<"$bugs")" = "$(grep -c '= "' internal/plant/doc.go)" ] ||
	{ echo "internal/plant has a bug without a test"; exit 1; }
if [ $# -gt 0 ]; then
	bugs=$(grep -E "^($(IFS='|'; echo "$*")) " <<<"$bugs") || { echo "no such bug"; exit 2; }
fi

bin=$(mktemp -d)
export bin
trap 'rm -rf "$bin"' EXIT
for package in $(cut -d' ' -f2 <<<"$bugs" | sort -u); do
	go test -vet=off -tags plant -c -o "$bin/$package.test" "./internal/$package"
done
# A test keeps one core busy, mostly.
xargs -P 2 -L 1 bash -c 'catch "$@"' catch <<<"$bugs" || exit 1
