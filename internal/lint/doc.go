// Package lint holds the house rules of docs/STYLE.md as tests: which package may
// import which, who may touch the operating system, how long files and functions may
// grow, that exported symbols are documented, that the documents show what the code
// writes.
//
// It is no replacement for go vet and staticcheck, which run beside it, and it has
// no code but its tests. Each rule is a function from a parsed file to complaints,
// and is itself tested on a snippet that breaks it. Where a rule has exceptions they
// are a list with a reason each; an entry that is no longer needed fails the test, so
// that the lists can only shrink.
package lint
