// Package tags is the inverted index: it finds the series that have, or lack, certain
// tags. The name of a series is the tag base.NameKey. It also says how many values
// tags take.
//
// It is not the registry of series: it knows ordinals and pair numbers, and keeps no
// strings but those of the dictionary that it shares with the catalog. Nothing of it
// must be on disk; it is built again from the catalog at each open. tags.json is a
// snapshot for people and other programs.
//
// Invariants:
//
//	T1  A posting list holds each ordinal once, in rising order.
//	T2  At most one pair of a key holds an ordinal, so the lists of a key's pairs are
//	    disjoint. Whoever calls Add guarantees it: series have unique keys.
//	T3  all holds exactly the ordinals of some list, and those added without pairs.
//	    Whoever calls Remove guarantees it: it tells all pairs that Add was told of.
//
// Index is safe for concurrent use; a Query belongs to one goroutine. Regular
// expressions are evaluated by Prepare, without any lock, so that Select is short.
// Input that cannot be understood is an error, never a panic. The engine is the only
// user.
package tags
