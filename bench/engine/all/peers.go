//go:build peers

package all

import (
	"github.com/sydradb/sydradb/bench/engine"
	"github.com/sydradb/sydradb/bench/engine/prometheus"
	"github.com/sydradb/sydradb/bench/engine/sqlite"
	"github.com/sydradb/sydradb/bench/engine/tstorage"
)

var peers = []*engine.Kind{prometheus.Kind, tstorage.Kind, sqlite.Kind}
