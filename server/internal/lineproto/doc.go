// Package lineproto reads InfluxDB line protocol:
//
//	weather,room=kitchen temp=24.2,open=f 1694300000000000000
//
// Each field is a point of a series of its own: weather_temp{room="kitchen"}, and just
// weather{room="kitchen"} for a field called value. Booleans become 0 and 1, strings are
// refused, integers beyond 2^53 are rounded and counted.
//
//	body -> Parser.Next -> line known by its text?  fields by position, numbers eight digits at a time
//	                    -> else: tokens, unescaping, Resolver.Series, and the Table learns the text
//
// A Table maps the bytes of measurement and tags, as they were written, to the series of
// the fields that were seen behind them. Clients write the same text again and again, so
// that nearly all lines need one look-up and no unescaping, sorting or allocation. What the
// fast path does not expect, it leaves to the other one, line by line; both read a line in
// the same way.
//
// Accepted is exactly what the decoder of github.com/influxdata/line-protocol/v2 accepts,
// which the tests compare with. After a line that is not understood, reading goes on behind
// the next line end.
//
// The package knows no HTTP and no limits but those of its Options. A Table is safe for
// concurrent use: all requests share one, and look-ups take no lock. A Parser is for one
// goroutine.
package lineproto
