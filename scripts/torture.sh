#!/usr/bin/env bash
# The long run of everything that "make test" does briefly: power cuts, failing operations,
# models, flipped bits, kills of the real binary, full disks, fuzzing, coverage, a soak.
# Half an hour of fuzzing for each group of decoders and an hour of soak are in it, so it takes
# hours.
#
#   scripts/torture.sh              all parts
#   scripts/torture.sh crash kill   these parts only
#   scripts/torture.sh --list       the parts, and what is done of each
#   scripts/torture.sh --again ...  forgets what was done of the parts before
#
# Each part is cut into slices, and each slice that passed is written to
# .torture/<part>.done with the commit it ran on: a run that was interrupted, or failed,
# goes on with the slice that it was at, also when a commit came in between; the list says on
# which commits slices ran. One that skipped a test, or found none, has not passed. What a slice
# printed is in .torture/<part>.<n>.log.
set -uo pipefail
cd "$(dirname "$0")/.."

STATE=${SYDRADB_TORTURE:-$PWD/.torture}

# run_part N is slice N, from 0, of a part; slices_part is how many there are.
slices_crash=20 # of 50,000 power cuts
run_crash() {
	SYDRADB_CRASHES=50000 SYDRADB_SEED=$(($1 * 1000000)) engine '^TestCrash$'
}

slices_faults=10 # of 5,000 faults, and as many that the workload goes on after
run_faults() {
	SYDRADB_FAULTS=5000 SYDRADB_SEED=$(($1 * 1000000)) engine '^Test(Faults|FaultsGoOn)$'
}

slices_model=10 # of 5,000 scripts, and 500 in several settings
run_model() {
	SYDRADB_SEEDS=5000 SYDRADB_SEED=$(($1 * 1000000)) engine '^Test(Model|ModelSettings)$'
}

slices_flips=10 # of 100,000 flipped bits: each of some databases, and all other damage
run_flips() {
	SYDRADB_FLIPS=100000 SYDRADB_SEED=$(($1 * 1000000)) engine '^TestSweep$'
}

slices_cover=1
run_cover() { scripts/cover.sh; }

slices_kill=10 # of 40 processes of the real binary, at any moment and at the n-th system call
run_kill() {
	SYDRADB_KILLS=40 SYDRADB_SEED=$(($1 + 1)) SYDRADB_TORTURE=$(realpath "$STATE") go test -vet=off -count 1 -v \
		-parallel 4 -run '^Test(Kill|KillIngest|KillAtCall|FailedSync|SlowSync)$' -timeout 1h ./server/internal/torture
}

engine() { go test -vet=off -count 1 -v -run "$1" -timeout 2h ./internal/engine; }

# Half an hour for each group of decoders, in two slices.
slices_fuzz_codecs=2
run_fuzz_codecs() { fuzz ./internal/{codec,aggregate}; }
slices_fuzz_files=2
run_fuzz_files() { fuzz . ./internal/{base,catalog,engine,frame,manifest,objectstore,segment,tags,tombstone,v0,wal}; }
slices_fuzz_protocols=2
run_fuzz_protocols() { fuzz ./server/internal/{influx,ingest,lineproto,literal,ndjson,otlp,remotewrite,vmimport}; }
slices_fuzz_requests=2
run_fuzz_requests() { fuzz ./server/internal/{auth,config,native,prom,serve,web}; }

fuzz() { FUZZ_BUDGET=900 scripts/fuzz.sh "$@"; }

slices_disk=5 # of 5 full disks, with everything that may happen to a server meanwhile
run_disk() {
	SYDRADB_DISKS=5 SYDRADB_SEED=$(($1 + 1)) SYDRADB_TORTURE=$(realpath "$STATE") go test -vet=off -count 1 -v \
		-run '^Test(FullDisk|DiskBecomesReadOnly)$' -timeout 20m ./server/internal/torture
}

slices_soak=1
run_soak() { SYDRADB_TORTURE=$(realpath "$STATE") scripts/soak.sh 1h; }

PARTS=(crash faults model flips kill cover fuzz_codecs fuzz_files fuzz_protocols fuzz_requests disk soak)

# slice_done PART N reports whether that slice has passed.
slice_done() { grep -qs "^$2 " "$STATE/$1.done"; }

# left_out LOG prints the first line of a log that says that something was not tested.
left_out() { grep -m 1 -E 'SKIPPED:|^ *--- SKIP: |no tests to run' "$1"; }

# list prints how many slices of each part are done, and how many of those ran on the files that
# HEAD has; then the other commits, each with its number. One with changes ends in -dirty.
list() {
	local part slices done here others commit tree head
	head=$(git rev-parse -q --verify 'HEAD^{tree}')
	for part in "${PARTS[@]}"; do
		slices=slices_$part done=0 here=0
		local -A elsewhere=()
		while read -r _ commit _; do
			done=$((done + 1))
			tree=$(git rev-parse -q --verify "$commit^{tree}" 2>/dev/null)
			if [ -n "$tree" ] && [ "$tree" = "$head" ]; then
				here=$((here + 1))
			else
				elsewhere[$commit]=$((${elsewhere[$commit]:-0} + 1))
			fi
		done < <(sort -k1,1n -u "$STATE/$part.done" 2>/dev/null)
		printf '%-16s %2d of %2d' "$part" "$done" "${!slices}"
		if [ "$done" -gt 0 ]; then printf ', %2d on HEAD' "$here"; fi
		for commit in "${!elsewhere[@]}"; do printf ', %d on %s' "${elsewhere[$commit]}" "$commit"; done
		printf '\n'
	done
}

again=false parts=()
for argument; do
	case $argument in
	--list) list; exit ;;
	--again) again=true ;;
	*) parts+=("$argument") ;;
	esac
done
[ ${#parts[@]} -gt 0 ] || parts=("${PARTS[@]}")
mkdir -p "$STATE"
for part in "${parts[@]}"; do
	declare -F "run_$part" >/dev/null || { echo "no part $part; there are: ${PARTS[*]}" >&2; exit 2; }
	if $again; then rm -f "$STATE/$part.done"; fi
done

status=0
for part in "${parts[@]}"; do
	slices=slices_$part
	for ((n = 0; n < ${!slices}; n++)); do
		slice_done "$part" "$n" && continue
		log=$STATE/$part.$n.log
		begin=$SECONDS
		commit=$(git describe --always --dirty --exclude '*') # as it is now: it may change meanwhile
		if ! "run_$part" "$n" >"$log" 2>&1; then
			echo "$part, slice $n: FAILED, see $log"
			tail -n 20 "$log"
			status=1
			break # with the next part
		elif missing=$(left_out "$log"); then
			echo "$part, slice $n: FAILED, did not test everything, see $log"
			echo "$missing"
			status=1
			break
		fi
		echo "$n ${commit:-unknown} $((SECONDS - begin)) s" >>"$STATE/$part.done"
		echo "$part, slice $n: passed in $((SECONDS - begin)) s"
	done
done
list
exit $status
