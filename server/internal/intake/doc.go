// Package intake is what all write protocols share: from the points that a parser found in
// the body of a request to one batch in the database, and to the counts in the answer.
//
//	protocol -> Intake.Begin        a Request, from a pool
//	         -> Request.Series      what the protocol's cache does not know: label limits
//	         -> Request.Add         each point: time limits
//	         -> Request.Refuse      what the protocol itself cannot take
//	         -> Request.Commit      one atomic batch; nil once it is as durable as configured
//	         -> Request.Accepted, Rejected, Errors   for the answer
//	         -> Request.End         counted, and back to the pool
//
// A point that cannot be stored never costs the others: it is counted under its reason,
// and the first ten are explained. An error of Commit, in contrast, means that nothing of
// the request is stored.
//
// The package is no HTTP: it knows neither bodies nor status codes, and it parses nothing.
//
// An Intake is safe for concurrent use, a Request is for one goroutine. Requests keep their
// memory for the next one, unless they were large.
package intake
