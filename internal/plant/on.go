//go:build plant

package plant

import "os"

var name = os.Getenv("SYDRADB_PLANT")

// Bug reports whether the named bug is switched on.
func Bug(bug string) bool { return name == bug }
