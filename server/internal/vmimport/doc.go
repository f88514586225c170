// Package vmimport takes points as VictoriaMetrics exports them, at POST /api/v1/import: JSON
// lines, each with a part of a series. It is what vmctl writes.
//
//	{"metric":{"__name__":"room_temp","room":"kitchen"},"values":[21.5,null],"timestamps":[1700000000000,1700000010000]}
//
// Times are in milliseconds. Values may be NaN and infinities, as strings or bare, and
// null, which stands for NaN. The query parameter extra_label=name=value, any number of
// times, sets a label of all series.
//
// A body may have any length. It is stored in chunks of whole lines, each of them one
// atomic batch; a line has at most 10 MiB. The answer is 204 when everything is stored.
// Otherwise it is an error with a member committed_line: all lines up to this one are done
// with, stored or refused and counted. If the error is one after which sending again makes
// sense, it is enough to begin behind that line; sending all of it does no harm.
//
// Lines that cannot be used are counted as one point each, and explained, and the others
// are stored.
//
// The numbers of a line are read where they stand. A JSON library would take 80 bytes and
// more for each, 40 times the size of a line of small ones; one is used for the labels only.
// All of it is safe for concurrent use.
package vmimport
