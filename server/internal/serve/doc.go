// Package serve is the server: it puts the parts together and runs them.
//
//	settings -> log -> HTTP, listening -> database, opening -> endpoints -> ... -> drain
//
// It listens before the database is open, so that a supervisor can ask how far it is; what
// has no database yet is answered with 503. When its context ends, the server takes no
// more requests, finishes those under way and closes the database. What a part does is
// the part's own business: here is only which there are, with which settings, and in
// which order they start and stop. Command sydradb calls [Run] for its command serve.
package serve
