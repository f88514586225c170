//go:build peers

package all

import (
	"github.com/sydradb/sydradb/bench/engine"
	"github.com/sydradb/sydradb/bench/engine/prometheus"
)

var peers = []*engine.Kind{prometheus.Kind}
