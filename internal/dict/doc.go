// Package dict interns the tags of series: every distinct pair of key and value is
// stored once and stands behind a dense number from then on. The name of a series is
// the pair of base.NameKey and the name, so that names are found like tags.
//
// The registry of series holds lists of pair numbers instead of strings, and the tag
// index has its postings under them. The dictionary knows neither of the two, does
// no I/O and has no form on disk: it is filled again from the catalog at each open,
// and numbers mean nothing outside the process.
//
// Invariants:
//
//	D1  Numbers of pairs are dense from 0, in the order of first interning.
//	D2  A pair keeps its number and its bytes for ever; nothing is removed. Who wants
//	    the memory of pairs that no series has any more makes a new dictionary.
//	D3  No two pairs are equal.
//
// Strings handed out share memory with the dictionary and are never copied. All
// methods are safe for concurrent use; none calls out while it holds the lock.
// Tables are free of pointers, so that millions of pairs cost the garbage collector
// nothing.
package dict
