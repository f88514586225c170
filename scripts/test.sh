#!/usr/bin/env bash
# Runs everything that CI runs, stage by stage, and ends with the seconds of each.
#
#   scripts/test.sh              all stages
#   scripts/test.sh vet race     these stages only
#
# A stage that fails does not stop the ones after it; the exit status is 1 then.
# No stage leaves anything in the working tree.
set -uo pipefail
cd "$(dirname "$0")/.."

# A clone that belongs to another user, or has no .git, must build too.
export GOFLAGS="${GOFLAGS:+$GOFLAGS }-buildvcs=false"
# One toolchain, the one that is installed.
export GOTOOLCHAIN=local

STATICCHECK=honnef.co/go/tools/cmd/staticcheck@v0.8.2
MODULES=(./... ./server/... ./bench/...) # the modules that go.work binds
TIMEOUT=300s                 # for the tests of one package

# without_prometheus prints the packages of the server that do not link Prometheus: those
# that do take minutes to compile, so they are vetted and tested once, and only here.
# internal/lint says which they are.
without_prometheus() {
	go list ./server/... | grep -Ev '/server/(internal/(prom|otlp|serve)|cmd/sydradb)$'
}

stage_format() {
	local bad
	bad=$(gofmt -l .) || return 1
	[ -z "$bad" ] || { echo "not formatted by gofmt:"; echo "$bad"; return 1; }
}

stage_tidy() { scripts/tidy.sh --check; }

stage_vet() {
	go vet "${MODULES[@]}" && go vet -tags plant ./internal/{plant,engine}
}

stage_staticcheck() { go run "$STATICCHECK" ./... ./bench/... $(without_prometheus); }

# The race detector makes tests five to ten times slower: they leave out their heavy
# parts under it (a constant raceEnabled, set by build tags, tells them).
stage_race() { go test -vet=off -race -timeout "$TIMEOUT" ./...; }

# Crash enumeration, the seeds of the model test and all else, at full size.
stage_test() { go test -vet=off -timeout "$TIMEOUT" ./...; }

# The crash tests must notice each of the bugs built in behind the tag "plant".
stage_plant() { scripts/plant.sh; }

# The binary that the tests of package torture run is built before them: compiling it counts
# against no timeout then, is not done twice, and a new path each time keeps "go test" from
# showing the outcome for another binary. Beside it are the databases of these tests: what they
# leave behind is kept if one failed or ran out of time, and goes otherwise. What was not tested
# here is said.
stage_server() {
	local dir status=0
	dir=$(mktemp -d "${TMPDIR:-/tmp}/sydradb-server-XXXXXX") && chmod 755 "$dir" || return 1 # a test runs as nobody
	go build -o "$dir/sydradb" ./server/cmd/sydradb &&
		SYDRADB_BINARY=$dir/sydradb SYDRADB_TORTURE=${SYDRADB_TORTURE:-$dir} \
			go test -vet=off -v -timeout "$TIMEOUT" ./server/... >"$dir/log" 2>&1 || status=1
	if [ $status = 0 ]; then
		grep -E '^(ok|\?)[[:space:]]|SKIPPED: ' "$dir/log"
		rm -rf "$dir"
	elif [ -e "$dir/log" ]; then
		grep -vE '^ *(=== |--- (PASS|SKIP)|PASS$)' "$dir/log"
		echo "the binary, the whole log and what tests left behind: $dir"
	else
		rm -rf "$dir" # nothing was built
	fi
	return $status
}

# A small race of this engine alone. The peers, behind the tag of that name, are vetted
# and built by "make bench-compare": compiling them takes longer than all of this.
stage_bench() { go test -vet=off -timeout "$TIMEOUT" ./bench/...; }

# Fuzzing compiles all that stands behind a target once more, instrumented, for longer than
# it then runs: the decoders of bytes from disk and network that little stands behind. The
# seeds of all targets run with the tests, and "make fuzz" does them all.
stage_fuzz() {
	FUZZ_BUDGET=20 scripts/fuzz.sh ./internal/{codec,catalog,manifest,objectstore,segment,tombstone,wal} \
		./server/internal/lineproto
}

# The library and most of the server are built for macOS, which shares nearly all files with
# Linux, and vetted for Windows, tests included. Nothing runs there; "make cross" does all of
# both, and the race measures on Linux only.
stage_darwin() { GOOS=darwin go build ./... $(without_prometheus); }
stage_windows() { GOOS=windows go vet ./... $(without_prometheus); }

ALL=(format tidy vet staticcheck race test plant server bench fuzz darwin windows)
stages=("$@")
[ $# -gt 0 ] || stages=("${ALL[@]}")
for name in "${stages[@]}"; do
	declare -F "stage_$name" >/dev/null || { echo "no stage $name; there are: ${ALL[*]}" >&2; exit 2; }
done

summary=() passed=0 failed=0
for name in "${stages[@]}"; do
	echo "--- stage $name"
	begin=$SECONDS
	if "stage_$name"; then
		verdict=ok passed=$((passed + 1))
	else
		verdict=FAILED failed=$((failed + 1))
	fi
	summary+=("$(printf '%-12s %4d s  %s' "$name" $((SECONDS - begin)) "$verdict")")
done

echo
echo "seconds per stage"
printf '%s\n' "${summary[@]}"
printf '%-12s %4d s\n' total "$SECONDS"
echo "stages: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
