// Package native is SydraDB's own HTTP API, as opposed to those of other databases that
// the server speaks as well: queries by series and by tags, statistics, and what an
// operator asks of a running database.
//
//	/api/v1/query/range    points or windows of one series, as version 0 answered them
//	/api/v1/query/find     ids of series by tags, as version 0 answered them
//	/api/v1/query/select   points or windows of a selector, line by line
//	/api/v1/query/series   series of a selector, line by line
//	/api/v1/stats          counters and sizes, and what has the most series
//	/api/v1/admin/...      flush, compact, retain, delete, snapshot
//
// Points are sent while they are read. An error before the first of them is answered as
// such; after that the connection is cut, so that no client takes a part for the whole,
// and select and series say in a last line why.
//
// Points come in by package ndjson. What the server answers, package client reads. The
// handlers are safe for concurrent use; package serve mounts them.
package native
