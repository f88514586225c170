// Package prom serves the Prometheus HTTP API, PromQL and remote read over a database. The
// language, its engine and the forms of the answers are Prometheus' own packages; what is
// here is the storage they read, the limits they are held to, and the answers that
// Prometheus would take from parts that this server has not (scrape targets, rules).
//
// Points are stored in nanoseconds and shown in milliseconds, rounded down; of the points
// of one millisecond the last one shows. The name of a series is its label __name__. Native
// histograms, exemplars and start timestamps are not stored and so never in an answer.
//
// In one way this is not Prometheus as it is set up by default: queries that group by
// __name__ what is made of series of several names are answered, and keep the names, where
// Prometheus finds that it cannot tell the series apart.
//
// A query over a limit (text, steps of a subquery, series, samples read or held) is answered
// with 422, one that takes too long with 503, and one that cannot be understood, or has more
// than 11,000 steps, with 400. Damaged or failing storage is 500.
//
// Everything that changes with Prometheus' releases is in api_prometheus.go.
//
// An [API] is safe for concurrent use. A querier, what it selects and its iterators belong
// to the goroutine of a query, and hold files of the database until the querier is closed.
// The package only reads, but for the admin routes; package serve mounts its routes.
package prom
