// Package prom serves the Prometheus HTTP API, PromQL and remote read over a database, by
// Prometheus' own packages.
package prom
