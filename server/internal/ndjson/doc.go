// Package ndjson has the endpoint /api/v1/ingest, which takes points as lines of JSON:
//
//	{"series":"weather.room1","ts":1694300000,"value":24.2,"tags":{"k":"v"}}
//
// with "fields", an object, for several values at one time, and "series_id" for series that
// are known by their number. Lines that cannot be stored are told with number and reason,
// and the others are kept.
//
// The parser is that of the command ingest. The handler is safe for concurrent use; each
// request takes a parser with the series that it knows from a few that are kept.
package ndjson
