//go:build !peers

package all

import "github.com/sydradb/sydradb/bench/engine"

var peers []*engine.Kind
