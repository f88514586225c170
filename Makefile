# Everything a contributor needs. "make help" lists the targets.
# The scripts hold the work; this file only names it.

.DEFAULT_GOAL := help
BIN := bin/sydradb

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## serve a real recording at http://localhost:8080, and show what to try
	@scripts/demo.sh $(BIN)

.PHONY: build
build: ## build the binary, bin/sydradb
	go build -o $(BIN) ./server/cmd/sydradb

.PHONY: test
test: ## all that CI runs, with the seconds of each stage at the end
	@scripts/test.sh

.PHONY: lint
lint: ## the stages of "make test" that run no tests of the engine
	@scripts/test.sh format tidy vet staticcheck darwin windows
	go test ./internal/lint

.PHONY: cross
cross: ## build and vet everything for macOS and Windows, with staticcheck on all; slow the first time
	for os in darwin windows; do GOOS=$$os go build ./... ./server/... && GOOS=$$os go vet ./... ./server/... || exit 1; done
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./server/...

.PHONY: bench
bench: ## ingest, scans, flush, merge, replay and look-ups; three minutes
	go test -run '^$$' -bench . -benchtime 1x -timeout 30m .

.PHONY: bench-all
bench-all: ## the benchmarks of every package of the root module as well
	go test -run '^$$' -bench . -benchmem -timeout 60m ./...

BENCH_RUNS ?= 3

.PHONY: bench-compare
bench-compare: ## race other engines, write bench/RESULTS.md and charts; BENCH_ONLY=phase,... runs a part, writes nothing
	go vet -tags peers ./bench/...
	go build -tags peers -o bin/bench-compare ./bench/cmd/bench-compare
	bin/bench-compare -runs $(BENCH_RUNS) $(if $(BENCH_ONLY),-phase $(BENCH_ONLY),-out bench)

BENCH_PEERS ?=

.PHONY: bench-serve
bench-serve: build ## load the server over HTTP, ask it questions, write bench/SERVE.md; BENCH_PEERS=prometheus=/usr/bin/prometheus beside it
	go build -o bin/bench-serve ./bench/cmd/bench-serve
	bin/bench-serve -runs $(BENCH_RUNS) -peers '$(BENCH_PEERS)' -out bench

.PHONY: bench-report
bench-report: ## bench/RESULTS.md and charts once more, from bench/results.json
	go run ./bench/cmd/bench-compare -rewrite -out bench

.PHONY: e2e
e2e: ## Prometheus, promtool, vmagent, vmctl and the client libraries against the binary; two minutes
	@scripts/e2e.sh

.PHONY: e2e-thanos
e2e-thanos: ## two servers federated by Thanos, which it builds first, once, in some minutes
	@scripts/e2e-thanos.sh

.PHONY: e2e-collectors
e2e-collectors: ## Telegraf and the OpenTelemetry Collector against the binary; builds them first, once
	@scripts/e2e-collectors.sh

.PHONY: fuzz
fuzz: ## every fuzz target, a minute each (FUZZTIME=10m for longer)
	FUZZTIME=$${FUZZTIME:-60s} scripts/fuzz.sh

.PHONY: scale
scale: ## a million series, ten generations of 100,000, a year of 100 series; ten minutes
	SYDRADB_SCALE=full go test -vet=off -run '^TestScale' -v -timeout 60m ./internal/engine

.PHONY: cover
cover: ## that the tests of log, MANIFEST, segments, catalog and recovery cover nine statements of ten
	@scripts/cover.sh

.PHONY: torture
torture: ## a million power cuts, fuzzing and all else, for hours; goes on where it was interrupted; PARTS="crash fuzz_files" for some
	@scripts/torture.sh $(PARTS)

.PHONY: tidy
tidy: ## go.mod and go.sum of all modules
	@scripts/tidy.sh
