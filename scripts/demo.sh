#!/usr/bin/env bash
# A server with data in it, in the foreground, in a few seconds: stores a real recording,
# moved in time so that it ends now, serves it, and shows what to try. Ctrl-C ends it.
#
#   scripts/demo.sh BINARY [DIRECTORY]     the data; default ./demo-data
#
# Ports: 8080 or the next one that is free; SYDRADB_DEMO_PORT is where the search begins.
set -euo pipefail
bin=$(realpath "${1:?usage: scripts/demo.sh BINARY [DIRECTORY]}")
shown=${1#./}
data=${2:-demo-data}
recording=$(dirname "$(realpath "$0")")/../demo/node.lp.zst
recorded=1795319526 # second that the recording ends in
first=${SYDRADB_DEMO_PORT:-8080}
export -n SYDRADB_DEMO_PORT # no setting of the server, which would warn of it

bold='' plain=''
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi

scratch=$(mktemp -d)
server=''
finish() {
	trap '' INT TERM # the server got the signal, too; wait for it
	if [ -n "$server" ]; then
		kill -TERM "$server" 2>/dev/null || true
		wait "$server" || true
		printf '\nThe data are in %s. Serve them again with:\n    %s serve --data-dir %s\n' "$data" "$shown" "$data"
	fi
	rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 0' INT TERM

# Through a database that goes away: export gives one point a line, with its time in
# nanoseconds at the end. The shift is whole seconds, so that no digit is lost in awk.
"$bin" ingest "$recording" --format influx --precision ms --data-dir "$scratch/recording" 2>/dev/null
"$bin" export --format influx --data-dir "$scratch/recording" |
	awk -v shift="$(($(date +%s) - recorded - 1))" '{
		cut = length($NF) - 9
		$NF = sprintf("%.0f", substr($NF, 1, cut) + shift) substr($NF, cut + 1)
		print
	}' |
	"$bin" ingest --format influx --data-dir "$data" 2>"$scratch/report" || { cat "$scratch/report" >&2; exit 1; }
points=$(sed -n 's/^ingested \([0-9]*\) points.*/\1/p' "$scratch/report")

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
port=$first
last=$((port + 50))
while listening "$port"; do
	port=$((port + 1))
	[ "$port" -le "$last" ] || { echo "no free port from $first to $last" >&2; exit 1; }
done
url=http://localhost:$port

# Only what is given here counts, not a sydradb.toml that lies around.
: >"$scratch/sydradb.toml"
"$bin" serve --config "$scratch/sydradb.toml" --listen "127.0.0.1:$port" --data-dir "$data" --log-level warn \
	2> >(while IFS= read -r line; do
		case $line in
		"serving on "*) : >"$scratch/ready" ;;
		*) printf '%s\n' "$line" >&2 ;;
		esac
	done) &
server=$!
until [ -e "$scratch/ready" ]; do
	kill -0 "$server" 2>/dev/null || { server=''; exit 1; }
	sleep 0.05
done

cat <<END

${bold}SydraDB serves $points points, six minutes of a real machine: $url/${plain}

Try, in another terminal:

  ${bold}write a point${plain}
    curl $url/api/v1/ingest -d '{"series":"room_temp","ts":'\$(date +%s)',"value":21.5,"tags":{"room":"hall"}}'

  ${bold}query it with PromQL${plain}
    curl $url/api/v1/query -d 'query=room_temp'

  ${bold}draw the load of that machine${plain}
    $shown query 'node_load1{host="edge-1"}' --url $url --last 1h --format chart

Ctrl-C ends it.
END
wait "$server"
