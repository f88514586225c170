package config

// InvalidError is an error about settings that shows only when they are used: a
// certificate that is none, a tokens file that others may read.
type InvalidError struct{ Err error }

// Error returns the text of Err.
func (e *InvalidError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *InvalidError) Unwrap() error { return e.Err }
