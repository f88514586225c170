#!/usr/bin/env bash
# Runs every fuzz target of the workspace for a few seconds each.
#
#   scripts/fuzz.sh                      about a minute for all targets together
#   FUZZTIME=10m scripts/fuzz.sh         that long for each target
#   scripts/fuzz.sh ./internal/wal       the targets of these packages only
#
# Each package is compiled once, with coverage instrumentation, and its binary then
# runs target by target: "go test -fuzz" would link anew for each. What a target finds
# on the way stays in the build cache; an input that fails is written to
# testdata/fuzz/<target>/ beside the test, and is to be committed with the fix.
set -euo pipefail
cd "$(dirname "$0")/.."

BUDGET=${FUZZ_BUDGET:-40} # seconds shared by all targets unless FUZZTIME is given
packages=("$@")
[ $# -gt 0 ] || packages=(./... ./server/...)

# Only test files that declare a target are compiled.
all=$(go list -f '{{.Dir}}' "${packages[@]}")
mapfile -t dirs < <(while read -r dir; do
	if grep -qsE '^func Fuzz' "$dir"/*_test.go; then echo "$dir"; fi
done <<<"$all")
[ ${#dirs[@]} -gt 0 ] || { echo "no fuzz target found" >&2; exit 1; }

bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
corpus=$(go env GOCACHE)/fuzz/sydradb

jobs=() # "dir binary target"
for i in "${!dirs[@]}"; do
	(cd "${dirs[i]}" && go test -vet=off -c -fuzz=Fuzz -o "$bin/$i.test" .)
	for target in $(cd "${dirs[i]}" && "$bin/$i.test" -test.list '^Fuzz'); do
		jobs+=("${dirs[i]} $bin/$i.test $target")
	done
done
# Shrinking what is found is bounded by tries: the default of a minute for each new
# input would eat a run of a few seconds whole.
each=${FUZZTIME:-$((BUDGET / ${#jobs[@]} > 1 ? BUDGET / ${#jobs[@]} : 1))s}
echo "${#jobs[@]} targets in ${#dirs[@]} packages, $each each; compiled in $SECONDS s"

# Before Go 1.27 the fuzzer now and then reports the end of its time as the failure of
# a target, "context deadline exceeded" and no input (golang/go#75804): no finding.
ended() { grep -q '^    context deadline exceeded$' <<<"$1" && ! grep -q 'Failing input' <<<"$1"; }

status=0
for job in "${jobs[@]}"; do
	read -r dir binary target <<<"$job"
	package=.${dir#"$PWD"}
	echo "$package $target"
	if out=$(cd "$dir" && "$binary" -test.run='^$' -test.fuzz="^$target\$" -test.fuzztime="$each" \
		-test.fuzzminimizetime=100x -test.fuzzcachedir="$corpus/$package" -test.timeout=0 2>&1) || ended "$out"; then
		grep -E '^fuzz: elapsed' <<<"$out" | tail -1 || true
	else
		echo "$out"
		status=1
	fi
done
exit $status
