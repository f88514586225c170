#!/usr/bin/env bash
# A tour in a few seconds: ingest a real recording, find series by tag, read points,
# draw a chart. Everything happens in a temporary directory.
set -euo pipefail
bin=$(realpath "${1:?usage: scripts/demo.sh BINARY}")
cd "$(dirname "$0")/.."

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
PATH=$(dirname "$bin"):$PATH

bold='' plain=''
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi

say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
run() { # shows a command as a person would type it, then runs it
	printf '$ sydradb'
	for word in "$@"; do
		case $word in
		*[\{\ ]*) printf " '%s'" "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	echo
	sydradb --data-dir "$dir/data" "$@"
}

say 'Six minutes of a real machine: 28,835 points of 79 series, as InfluxDB line protocol'
run ingest demo/node.lp.zst --format influx --precision ms

say 'Which series carry the tag mode=user?'
run find mode=user

say 'What was the load of the machine, at first?'
run query 'node_load1{host="edge-1"}' --start 1795319162 --end 1795319530 --limit 5

say 'And over the whole time, as a picture'
run query 'node_load1{host="edge-1"}' --start 1795319162 --end 1795319530 --format chart

say 'Write what is in memory to segment files, then verify every checksum'
run flush
run check

say 'What is in there now?'
run stats
