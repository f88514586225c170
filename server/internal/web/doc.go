// Package web is the HTTP frame that all endpoints of the server share: it accepts
// connections, matches routes, and holds requests to their limits, so that an endpoint
// gets only requests that may be served now, with bodies it can take, and answers errors
// with one call.
//
// A request passes, in this order: recovery from panics, security headers, its token and
// scope, the protection against requests that other sites make a browser send, a slot,
// and then the handler of its route. [Fail] answers errors in the style of the route;
// [ReadBody] and [Stream] undo compression and stop slow or oversized senders.
//
// The package knows no endpoint and opens no database. Before there is one, [Server]
// answers 503 to everything but the routes mounted already. A Server and all functions
// are safe for concurrent use; a request's own values belong to its goroutine.
package web
