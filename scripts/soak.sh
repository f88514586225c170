#!/usr/bin/env bash
# One server under mixed load for a long time: does its memory grow, do files or goroutines
# leak, is each answer right?
#
#   scripts/soak.sh [DURATION]    default: SYDRADB_SOAK, else 1h; at least 10s
#
# The report goes to the file that SYDRADB_SOAK_REPORT names, default soak.txt in the directory
# that SYDRADB_TORTURE names, default .torture; the samples to the same with .csv behind it.
# Runs shorter than half an hour are too short to tell whether memory grows: they report,
# compare answers, and look for leaks at the end. The load is paced: most of a machine stays free.
set -euo pipefail
cd "$(dirname "$0")/.."

export SYDRADB_SOAK=${1:-${SYDRADB_SOAK:-1h}}
export SYDRADB_TORTURE=${SYDRADB_TORTURE:-$PWD/.torture} # for what a failure leaves behind
export SYDRADB_SOAK_REPORT=${SYDRADB_SOAK_REPORT:-$SYDRADB_TORTURE/soak.txt}
mkdir -p "$SYDRADB_TORTURE" "$(dirname "$SYDRADB_SOAK_REPORT")"
status=0
go test -vet=off -count 1 -v -timeout 0 -run '^TestSoak$' ./server/internal/torture || status=$?
echo "report: $SYDRADB_SOAK_REPORT"
exit "$status"
