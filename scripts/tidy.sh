#!/usr/bin/env bash
# Tidies go.mod and go.sum of both modules; with --check only says what would change.
#
# The server imports the root module, which go.work binds to it. Its go.mod does not
# require the root: outside the workspace no version of it is published, and every
# build would ask the proxy for one. "go mod tidy" ignores workspaces and would fail
# on that import, so the server is tidied through a copy of its go.mod that has the
# requirement and a replace directive, and both are taken out again afterwards.
# At a release the requirement on the tagged root module goes in for good, and this
# script shrinks to two calls of "go mod tidy".
set -euo pipefail
cd "$(dirname "$0")/.."
export GOWORK=off

ROOT=github.com/sydradb/sydradb
check=false
if [ "${1:-}" = --check ]; then check=true; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# tidy DIR COPY tidies the module in DIR as COPY.mod and COPY.sum say.
tidy() { (cd "$1" && go mod tidy -modfile="$2.mod"); }

cp go.mod "$work/root.mod"
cp go.sum "$work/root.sum"
tidy . "$work/root"

cp server/go.mod "$work/server.mod"
cp server/go.sum "$work/server.sum"
go mod edit -require="$ROOT@v0.0.0" -replace="$ROOT=$PWD" "$work/server.mod"
tidy server "$work/server"
go mod edit -dropreplace="$ROOT" -droprequire="$ROOT" "$work/server.mod"
go mod edit -fmt "$work/server.mod"

status=0
settle() { # settle FILE WANTED
	if cmp -s "$1" "$2"; then return; fi
	if $check; then
		echo "$1 is not tidy (run: make tidy):"
		diff "$1" "$2" || true
		status=1
	else
		cp "$2" "$1"
		echo "$1 tidied"
	fi
}
settle go.mod "$work/root.mod"
settle go.sum "$work/root.sum"
settle server/go.mod "$work/server.mod"
settle server/go.sum "$work/server.sum"
exit $status
