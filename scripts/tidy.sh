#!/usr/bin/env bash
# Tidies go.mod and go.sum of the modules; with --check only says what would change.
#
#   scripts/tidy.sh            all three modules
#   scripts/tidy.sh --check    the root and the server
#
# The others import the root module, which go.work binds to them. Their go.mod does not
# require the root: outside the workspace no version of it is published, and every
# build would ask the proxy for one. "go mod tidy" ignores workspaces and would fail
# on that import, so these are tidied through a copy of their go.mod that has the
# requirement and a replace directive, and both are taken out again afterwards.
# At a release the requirement on the tagged root module goes in for good, and this
# script shrinks to calls of "go mod tidy".
#
# The bench is not checked: tidying wants the tests of everything that it requires, and
# those of its peers bring 1.7 GB of modules that nothing builds.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOWORK=off

ROOT=github.com/sydradb/sydradb
check=false others=(server bench)
if [ "${1:-}" = --check ]; then check=true others=(server); fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# tidy DIR COPY tidies the module in DIR as COPY.mod and COPY.sum say.
tidy() { (cd "$1" && go mod tidy -modfile="$2.mod"); }

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

cp go.mod "$work/root.mod"
cp go.sum "$work/root.sum"
tidy . "$work/root"
settle go.mod "$work/root.mod"
settle go.sum "$work/root.sum"

for dir in "${others[@]}"; do
	cp "$dir/go.mod" "$work/$dir.mod"
	cp "$dir/go.sum" "$work/$dir.sum"
	go mod edit -require="$ROOT@v0.0.0" -replace="$ROOT=$PWD" "$work/$dir.mod"
	tidy "$dir" "$work/$dir"
	go mod edit -dropreplace="$ROOT" -droprequire="$ROOT" "$work/$dir.mod"
	go mod edit -fmt "$work/$dir.mod"
	settle "$dir/go.mod" "$work/$dir.mod"
	settle "$dir/go.sum" "$work/$dir.sum"
done
exit $status
