// Package aggregate turns points into one value per window and function: sum, average,
// increase and the like, over fixed steps or sliding windows, of one series or of a group.
//
// It is arithmetic alone. It reads no file and knows no database: the engine walks the
// files, hands over columns of points, or the statistics of a block where they will do,
// and collects the values. docs/aggregation.md defines every function exactly; the tests
// hold a naive reference to that page and this package to the reference.
//
//	Windows   which windows there are, and which of them a time lies in
//	Series    points of one series -> a row for each window that has some
//	Group     rows of several series -> rows of all of them together
//
// Inside, times are cut into panes: a pane is the longest stretch of time whose points
// are all in the same windows. A partial is what has to be known of the points of a pane,
// and no more than the functions asked for need. With fixed steps a pane is a window. A
// sliding window is several panes in a row, put together by two stacks: each pane is
// merged a constant number of times however many windows it is in, and nothing is ever
// subtracted, so that what has left a window has left no rounding error behind.
//
// Invariants, each with a test:
//
//	A1  How the points are cut into columns and summaries changes no count, min, max,
//	    first or last, and no other result by more than its rounding.
//	A2  A window without points has no row, and takes no time.
//	A3  A sum is right to the last bits unless what cancels is 10^16 times as large, and overflows only if its
//	    result does; so do averages, deviations and increases.
//	A4  Nothing is allocated per point or per call, only for the rows and panes that are
//	    kept, and that memory is used again after Reset.
//
// A Series and a Group belong to one goroutine each; Windows and Function are values.
// Called by the engine's queries.
package aggregate
