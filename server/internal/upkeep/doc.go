// Package upkeep is what an operator asks of an open database besides points: writing
// out memory, merging, letting points expire, deleting, copying, looking where the
// series come from. Each function does one such thing and returns what to tell about
// it, in a form that is also its JSON.
//
//	sydradb compact              -> cli    -> upkeep.Compact -> text
//	sydradb compact --url URL    -> client -> HTTP -> native -> upkeep.Compact -> JSON -> text
//
// So the command line says the same about a directory and about a running server. The
// package opens nothing, prints nothing, logs nothing and keeps no state; its functions
// may be called concurrently, as those of the database may.
package upkeep
