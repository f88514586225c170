// Package influx has the endpoints that clients of InfluxDB expect: /write and
// /api/v2/write, which take line protocol, /ping, and of /query what clients ask before
// they write. The same stand below /influx, where some clients look for them.
//
// Every request writes to the one database that there is: the parameters db, rp, bucket and
// org are accepted and mean nothing, since names and tags say all about a series. Queries
// are those of PromQL; InfluxQL and Flux are refused with a text that says so.
//
// A line that cannot be stored never costs the others. They are stored, and the answer is
// 400 with the lines and reasons: clients take 4xx for final and send the request no more.
// Integers that no float can hold are rounded, and counted in the answer's header
// X-SydraDB-Rounded.
//
// The package parses no line itself, that is lineproto's, and knows no tokens, sizes of
// bodies or compressions, which are web's. Its handlers are safe for concurrent use and
// share one table of known series.
package influx
