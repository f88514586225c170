// Package node is the database behind the server: it opens it while the server already
// answers, knows how it is, and says so.
//
//	starting -> ok <-> readonly     the disk is full; goes back by itself
//	            ok  -> failed       the disk did not keep what was written; until restart
//	         any    -> draining     the server stops
//
// Points are taken in the state ok alone, reads go on in readonly and failed; what makes
// room, to delete and to merge, goes on in readonly, too. The state
// comes from what writes run into ([Node.Report]) and from a look at the free space that
// [Node.Watch] takes regularly. The package knows nothing of points or queries. A Node is
// safe for concurrent use.
package node

// State is how the database is.
type State string

// The states.
const (
	Starting State = "starting"
	OK       State = "ok"
	ReadOnly State = "readonly"
	Failed   State = "failed"
	Draining State = "draining"
)

// States lists all states, for metrics.
func States() []State { return []State{Starting, OK, ReadOnly, Failed, Draining} }

// Recovery is how much of the log has been read at the start.
type Recovery struct {
	Done  int64 `json:"done"`  // bytes
	Total int64 `json:"total"` // bytes
}

// Status is what /ready answers.
type Status struct {
	State    State    `json:"state"`
	Reason   string   `json:"reason"` // "" while all is well; "disk_full"; else for people
	Recovery Recovery `json:"recovery"`
}
