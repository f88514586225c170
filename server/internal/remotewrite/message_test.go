package remotewrite

import (
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// point is a sample of a test.
type point struct {
	ms    int64
	value float64
}

// tseries is a TimeSeries of a test.
type tseries struct {
	labels     []string // name, value, name, value, ...
	points     []point
	histograms int
	exemplars  int
	typ        uint64
	help, unit string
}

func message(b []byte, field protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), content)
}

func number(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func encodePoint(p point) (b []byte) {
	if bits := math.Float64bits(p.value); bits != 0 {
		b = protowire.AppendFixed64(protowire.AppendTag(b, 1, protowire.Fixed64Type), bits)
	}
	if p.ms != 0 {
		b = number(b, 2, uint64(p.ms))
	}
	return b
}

func encodeLabels(labels []string) (b []byte) {
	for l := range slices.Chunk(labels, 2) {
		b = message(b, 1, message(message(nil, 1, []byte(l[0])), 2, []byte(l[1])))
	}
	return b
}

// encode1 returns a WriteRequest.
func encode1(all []tseries) (b []byte) {
	for _, s := range all {
		ts := encodeLabels(s.labels)
		for _, p := range s.points {
			ts = message(ts, 2, encodePoint(p))
		}
		for range s.exemplars {
			ts = message(ts, 3, encodePoint(point{1, 1}))
		}
		for range s.histograms {
			ts = message(ts, 4, number(nil, 15, 1))
		}
		b = message(b, 1, ts)
	}
	for _, s := range all {
		if s.typ != 0 {
			m := message(number(nil, 1, s.typ), 2, []byte(s.labels[1]))
			b = message(b, 3, message(message(m, 4, []byte(s.help)), 5, []byte(s.unit)))
		}
	}
	return b
}

// symbols numbers strings for a test.
type symbols struct {
	list []string
	refs map[string]uint64
}

func newSymbols() *symbols { return &symbols{[]string{""}, map[string]uint64{"": 0}} }

func (s *symbols) ref(text string) uint64 {
	if n, found := s.refs[text]; found {
		return n
	}
	s.refs[text] = uint64(len(s.list))
	s.list = append(s.list, text)
	return s.refs[text]
}

// encode2 returns a Request.
func encode2(all []tseries) []byte {
	table := newSymbols()
	var series []byte
	for _, s := range all {
		var refs []byte
		for _, l := range s.labels {
			refs = protowire.AppendVarint(refs, table.ref(l))
		}
		ts := message(nil, 1, refs)
		for _, p := range s.points {
			ts = message(ts, 2, encodePoint(p))
		}
		for range s.histograms {
			ts = message(ts, 3, number(nil, 15, 1))
		}
		for range s.exemplars {
			ts = message(ts, 4, number(nil, 3, 1))
		}
		if s.typ != 0 {
			m := number(nil, 1, s.typ)
			ts = message(ts, 5, number(number(m, 3, table.ref(s.help)), 4, table.ref(s.unit)))
		} else {
			ts = message(ts, 5, nil)
		}
		series = message(series, 5, ts)
	}
	var b []byte
	for _, s := range table.list {
		b = message(b, 4, []byte(s))
	}
	return append(b, series...)
}

// devops returns what hosts send at a time: ten metrics with ten tags each, one point for
// each series.
func devops(hosts int, ms int64) (all []tseries) {
	metrics := []string{"user", "system", "idle", "nice", "iowait", "irq", "softirq", "steal", "guest", "guest_nice"}
	for h := range hosts {
		for i, m := range metrics {
			all = append(all, tseries{
				labels: []string{
					nameLabel, "cpu_usage_" + m, "arch", []string{"x64", "x86"}[h%2], "datacenter", fmt.Sprint("eu-west-1", h%3),
					"hostname", fmt.Sprint("host_", h), "os", "Ubuntu16.04LTS", "rack", fmt.Sprint(h * 7 % 100), "region", "eu-west-1",
					"service", fmt.Sprint(h % 20), "service_environment", "production", "service_version", "1", "team", "SF",
				},
				points: []point{{ms, float64(50 + i + h%13)}},
				typ:    2, help: "Processor time.",
			})
		}
	}
	return all
}
