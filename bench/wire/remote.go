package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/klauspost/compress/s2"

	"github.com/sydradb/sydradb/bench/engine"
	"github.com/sydradb/sydradb/bench/workload"
)

// Keys of protobuf fields: number << 3 | wire type, which is 0 for varints, 1 for eight
// bytes, 2 for bytes with their length before them.
const (
	seriesKey1     = 1<<3 | 2 // WriteRequest.timeseries
	labelKey1      = 1<<3 | 2 // TimeSeries.labels
	labelNameKey1  = 1<<3 | 2 // Label.name
	labelValueKey1 = 2<<3 | 2 // Label.value

	symbolKey2   = 4<<3 | 2 // Request.symbols
	seriesKey2   = 5<<3 | 2 // Request.timeseries
	refsKey2     = 1<<3 | 2 // TimeSeries.labels_refs
	metadataKey2 = 5<<3 | 2 // TimeSeries.metadata
	typeKey2     = 1 << 3   // Metadata.type
	typeGauge    = 2

	sampleKey    = 2<<3 | 2 // TimeSeries.samples, in both versions
	valueKey     = 1<<3 | 1 // Sample.value
	timestampKey = 2 << 3   // Sample.timestamp, in milliseconds
)

// remote writes a message for each series, with one sample.
type remote struct {
	head   []byte   // of the request
	key    byte     // of a series
	series [][]byte // what comes before the sample
	tail   []byte   // what comes after it
	plain  []byte
	one    []byte
}

// hosts is any devops load: it describes each series alike.
var hosts = workload.Load(1, 1)

// labels returns the labels of a series in order of their names.
func labels(series int) []engine.Tag {
	name, tags := hosts.Describe(series, []engine.Tag{{Key: "__name__"}})
	tags[0].Value = name
	slices.SortFunc(tags, func(a, b engine.Tag) int { return strings.Compare(a.Key, b.Key) })
	return tags
}

func newRemote1(first, limit int) encoder {
	e := &remote{key: seriesKey1}
	var one []byte
	for i := first; i < limit; i++ {
		var message []byte
		for _, l := range labels(i) {
			one = appendBytes(one[:0], labelNameKey1, l.Key)
			one = appendBytes(one, labelValueKey1, l.Value)
			message = appendBytes(message, labelKey1, one)
		}
		e.series = append(e.series, message)
	}
	return e
}

func newRemote2(first, limit int) encoder {
	e := &remote{key: seriesKey2}
	symbols := map[string]uint64{"": 0}
	e.head = appendBytes(nil, symbolKey2, "")
	refer := func(dst []byte, s string) []byte {
		n, found := symbols[s]
		if !found {
			n = uint64(len(symbols))
			symbols[s] = n
			e.head = appendBytes(e.head, symbolKey2, s)
		}
		return binary.AppendUvarint(dst, n)
	}
	for i := first; i < limit; i++ {
		var refs []byte
		for _, l := range labels(i) {
			refs = refer(refer(refs, l.Key), l.Value)
		}
		e.series = append(e.series, appendBytes(nil, refsKey2, refs))
	}
	e.tail = appendBytes(nil, metadataKey2, []byte{typeKey2, typeGauge})
	return e
}

// appendBytes appends a field of bytes.
func appendBytes[T string | []byte](dst []byte, key byte, value T) []byte {
	dst = append(dst, key)
	dst = binary.AppendUvarint(dst, uint64(len(value)))
	return append(dst, value...)
}

func (e *remote) encode(dst []byte, points []engine.Point) ([]byte, error) {
	if len(points) != len(e.series) {
		return nil, fmt.Errorf("%d points for %d series", len(points), len(e.series))
	}
	e.plain = append(e.plain[:0], e.head...)
	for i, series := range e.series {
		p := &points[i]
		e.one = e.one[:0]
		if p.Value != 0 { // as in every message, a 0 is left out
			e.one = append(e.one, valueKey)
			e.one = binary.LittleEndian.AppendUint64(e.one, math.Float64bits(p.Value))
		}
		e.one = append(e.one, timestampKey)
		e.one = binary.AppendUvarint(e.one, uint64(p.TS))
		e.plain = append(e.plain, e.key)
		e.plain = binary.AppendUvarint(e.plain, uint64(len(series)+2+len(e.one)+len(e.tail)))
		e.plain = append(e.plain, series...)
		e.plain = append(e.plain, sampleKey, byte(len(e.one)))
		e.plain = append(e.plain, e.one...)
		e.plain = append(e.plain, e.tail...)
	}
	return s2.EncodeSnappy(dst[:cap(dst)], e.plain), nil
}
