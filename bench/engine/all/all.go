// Package all lists the engines of the race: this one, and with the build tag peers
// those that it is compared with.
package all

import (
	"fmt"
	"strings"

	"github.com/sydradb/sydradb/bench/engine"
	"github.com/sydradb/sydradb/bench/engine/sydra"
)

// Kinds returns the engines in the order of the report.
func Kinds() []*engine.Kind { return append([]*engine.Kind{sydra.Kind}, peers...) }

// Named returns the engines of a list of names that commas separate, all of them for "".
func Named(list string) ([]*engine.Kind, error) {
	if list == "" {
		return Kinds(), nil
	}
	var out []*engine.Kind
	for name := range strings.SplitSeq(list, ",") {
		k := find(name)
		if k == nil {
			return nil, fmt.Errorf("no engine %q in this program; peers need the build tag of that name", name)
		}
		out = append(out, k)
	}
	return out, nil
}

func find(name string) *engine.Kind {
	for _, k := range Kinds() {
		if k.Name == name || strings.HasPrefix(k.Name, name) && len(name) >= 3 {
			return k
		}
	}
	return nil
}
