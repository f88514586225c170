package web

// openFileLimit returns that no limit of open files is known.
func openFileLimit() (limit int, ok bool) { return 0, false }
