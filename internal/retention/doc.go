// Package retention decides what is too old. A rule gives the points of a namespace, here
// a class, a time to live; a sweep turns the rules into horizons, one per class, below
// which points are hidden, and into files that can go.
//
// It is arithmetic alone: it knows no clock, opens no file and keeps nothing but the state
// of a Guard. One sweep, as the engine composes it:
//
//	Guard.Judge   may this clock be believed, and is it time?
//	Targets       the horizons that the rules ask for now
//	Limit         how far towards them one sweep goes
//	              (the engine writes the horizons into MANIFEST)
//	Plan          the files that lie wholly below, and the packs to be rewritten
//	Guard.Swept
//
// A horizon is a least timestamp: points at it and above it are kept. Those of all classes
// are in one map, as MANIFEST has it: a class without a horizon of its own has that of "",
// and everything is kept of a class where neither is there.
//
// Invariants, each with a test:
//
//	R1  No horizon moves back, whatever the rules and the clock say.
//	R2  A class that gets a horizon of its own starts from the one it had.
//	R3  A sweep that the guard let pass on a wrong clock hides at most one day of hours,
//	    or a tenth of all bytes, and comes at most once an hour.
//	R4  No horizon runs ahead of all data: a clock that is years ahead does not make the
//	    writes of tomorrow too old.
//	R5  A file goes if all that it holds is hidden, and not before.
//
// All functions are pure and safe for concurrent use; a Guard belongs to one goroutine.
// Called by the engine's upkeep.
package retention
