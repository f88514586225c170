package wire

import (
	"fmt"
	"strconv"

	"github.com/sydradb/sydradb/bench/engine"
	"github.com/sydradb/sydradb/bench/workload"
)

// lines writes a line for each host, with all of its fields:
//
//	cpu,hostname=host_0,region=...,... usage_user=58i,usage_system=2i,... 1451606400000000000
type lines struct {
	heads  []string // of each host, up to the space before the fields
	fields [len(workload.DevOpsFields)]string
}

// newLines returns the encoder of whole hosts.
func newLines(first, limit int) encoder {
	per := len(workload.DevOpsFields)
	e := &lines{}
	for host := first / per; host < limit/per; host++ {
		head := workload.DevOpsMeasurement
		for _, t := range workload.DevOpsHost(host) {
			head += "," + t.Key + "=" + t.Value
		}
		e.heads = append(e.heads, head)
	}
	for i, field := range workload.DevOpsFields {
		before := byte(',')
		if i == 0 {
			before = ' '
		}
		e.fields[i] = string(before) + field + "="
	}
	return e
}

func (e *lines) encode(dst []byte, points []engine.Point) ([]byte, error) {
	per := len(e.fields)
	if len(points) != per*len(e.heads) {
		return nil, fmt.Errorf("%d points for %d lines", len(points), len(e.heads))
	}
	for i, head := range e.heads {
		some := points[per*i : per*(i+1)]
		dst = append(dst, head...)
		for j := range e.fields {
			dst = append(dst, e.fields[j]...)
			dst = strconv.AppendInt(dst, int64(some[j].Value), 10)
			dst = append(dst, 'i')
		}
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, some[0].TS, 10)
		dst = append(dst, "000000\n"...)
	}
	return dst, nil
}
