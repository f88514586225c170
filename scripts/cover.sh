#!/usr/bin/env bash
# Holds the packages that keep data safe to nine of ten statements covered by their own
# tests: the log, MANIFEST, segments, the catalog, and what opens and repairs a database.
set -euo pipefail
cd "$(dirname "$0")/.."

LEAST=90 # percent

# Of the engine: creating, opening, replaying, cleaning up, checking and repairing.
RECOVERY='/internal/engine/(create|open|load|clean|format|readonly|lifecycle|check[a-z_]*|repair[a-z_]*)\.go$'

profile=$(mktemp)
trap 'rm -f "$profile"' EXIT
go test -vet=off -timeout 20m -coverprofile "$profile" ./internal/{wal,manifest,segment,catalog,engine} >&2

# A line of the profile is "file:from,to statements times".
awk -v least="$LEAST" -v recovery="$RECOVERY" '
	NR > 1 {
		file = $1
		sub(/:.*/, "", file)
		group = file
		sub(/\/[^\/]*$/, "", group)
		sub(/.*\//, "", group)
		count(group)
		if (file ~ recovery) count("engine, recovery")
	}
	function count(group) {
		all[group] += $2
		if ($3 > 0) covered[group] += $2
	}
	END {
		n = split("catalog;engine;engine, recovery;manifest;segment;wal", groups, ";")
		for (i = 1; i <= n; i++) {
			group = groups[i]
			if (all[group] == 0) { # a package that was renamed, files that were
				printf "%-18s no statements: is it elsewhere now?\n", group
				low = 1
				continue
			}
			percent = 100 * covered[group] / all[group]
			printf "%-18s %5.1f %% of %d statements\n", group, percent, all[group]
			if (percent < least) low = 1
		}
		exit low
	}' "$profile"
