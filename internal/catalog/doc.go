// Package catalog is the registry of series: it knows, for each series, its ordinal,
// its id, its name and its tags, and finds one by any of them. It also keeps the
// CATALOG file, in which the registry survives the log.
//
// It is not the tag index, which finds series by single tags, and it knows nothing
// of points. Names and tags are held as lists of pair numbers of a dictionary that
// catalog and index share.
//
// Invariants:
//
//	C1  An ordinal, once given, stands for the same series as long as the process
//	    runs, or for nothing once that is dead. A series' id and tags never change, and
//	    its name changes at most once: a series known by its id alone takes the name
//	    that hashes to it.
//	C2  No two series have the same id, and no two have the same name and tags.
//	C3  A series' id is the hash of its key, or, where that id was taken, a later one;
//	    the latter are listed under the hash of their key. So a series is found by its
//	    key alone, whichever others are known.
//	C4  A series that no log record has introduced is marked as unlogged, until
//	    SetLogged or Register.
//	C5  Where log or file give one id, or one key, to two ordinals, the series of the
//	    lower one was dead when the higher one was given.
//
// A series dies when its caller says that nothing names it any more (Kill). What it took
// goes when the caller replaces the catalog by a copy of the living over a new dictionary
// (Renew), and the file by a new generation with their ordinals only (CreateFile, Append).
//
// Catalog is safe for concurrent use; File belongs to one goroutine at a time. Errors
// about what callers pass match ErrInvalid, damaged bytes are base.CorruptionError,
// and nothing of what is read from disk makes the package panic. The layout of the
// file stands in format.go. The engine is the only user.
package catalog
