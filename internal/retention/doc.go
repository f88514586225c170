// Package retention says which data is too old, and when a clock may be believed.
package retention
