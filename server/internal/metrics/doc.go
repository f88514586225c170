// Package metrics is what the server says about itself at /metrics, for Prometheus and
// for those who scrape like it: points by protocol and reason, requests by handler, and
// the counters and sizes of the database, read when somebody asks.
//
//	intake --Observe--------> Metrics <--gather-- /metrics
//	web ----ObserveRequest-->    |
//	                             +--when gathered--> sydradb.DB.Stats, node.Status, web.Load
//
// All metrics are in a registry of their own, none in a global one. Labels have a fixed,
// small set of values: nothing that a client sends becomes one. docs/metrics.md explains
// each metric; a test holds the page to the registry.
//
// A Metrics is safe for concurrent use. Observing points allocates nothing.
package metrics
