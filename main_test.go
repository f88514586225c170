package sydradb

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails if a database that was closed left a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
