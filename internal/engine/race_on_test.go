//go:build race

package engine

// raceEnabled reports whether the race detector is on: the heavy tests do less then.
const raceEnabled = true
