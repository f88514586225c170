package otlp

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// request wraps number points, as they stand in a Gauge, in a whole request.
func request(points []byte) []byte {
	for _, field := range []protowire.Number{5, 2, 2, 1} { // gauge, metric, scope, resource
		wrapped := protowire.AppendTag(nil, field, protowire.BytesType)
		points = protowire.AppendBytes(wrapped, points)
	}
	return points
}

// What decoding a body takes is bounded by its size, and for large bodies by a fixed sum.
func TestWeighBounds(t *testing.T) {
	point := func(size int) []byte {
		content := bytes.Repeat(protowire.AppendFixed64(protowire.AppendTag(nil, 3, protowire.Fixed64Type), 1), size/9)
		return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), content)
	}
	const number = 136 // bytes that a point takes in memory
	for _, tt := range []struct {
		name  string
		size  int // of a point on the wire
		count int
		want  error
	}{
		{"small points, few of them", 0, spare / number / 2, nil},
		{"small points", 0, 2 * spare / number, errHeavy},
		{"plain points", 9, most/number - 100, nil},
		{"too many plain points", 9, most/number + 1, errHeavy},
	} {
		if err := weigh(request(bytes.Repeat(point(tt.size), tt.count))); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}
