package otlp

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	// maxDepth bounds values within values: the decoder calls itself for each, and a
	// stack that overflows ends the process.
	maxDepth = 64
	// perByte, spare and most bound the memory that the decoder takes for a body.
	perByte = 16
	spare   = 1 << 20
	most    = 256 << 20
)

var (
	errWire  = errors.New("not a valid protocol buffer message")
	errDeep  = errors.New("nested too deeply: 64 levels are allowed")
	errHeavy = errors.New("made of too many parts for its size")
)

// kind is a message of OTLP metrics.
type kind uint8

// The messages that hold others; all else is passed over.
const (
	kindNone kind = iota
	kindRequest
	kindResourceMetrics
	kindResource
	kindEntity
	kindScopeMetrics
	kindScope
	kindMetric
	kindNumbers // Gauge and Sum
	kindHistogram
	kindExponential
	kindSummary
	kindNumberPoint
	kindHistogramPoint
	kindExponentialPoint
	kindSummaryPoint
	kindExemplar
	kindQuantile
	kindKeyValue
	kindAnyValue
	kindArrayValue
	kindKeyValueList
)

// maxField is the greatest number of a field that holds a message.
const maxField = 12

// fields are the messages that stand in the fields of another.
type fields [maxField + 1]kind

// shape is what a message looks like.
type shape struct {
	bytes  int // that the decoder takes for it, rounded up
	fields fields
}

// shapes are those of opentelemetry-proto, by kind.
var shapes = [...]shape{
	kindRequest:          {0, fields{1: kindResourceMetrics}},
	kindResourceMetrics:  {160, fields{1: kindResource, 2: kindScopeMetrics}},
	kindResource:         {0, fields{1: kindKeyValue, 3: kindEntity}},
	kindEntity:           {120, fields{}},
	kindScopeMetrics:     {160, fields{1: kindScope, 2: kindMetric}},
	kindScope:            {0, fields{3: kindKeyValue}},
	kindMetric:           {136, fields{5: kindNumbers, 7: kindNumbers, 9: kindHistogram, 10: kindExponential, 11: kindSummary, 12: kindKeyValue}},
	kindNumbers:          {56, fields{1: kindNumberPoint}},
	kindHistogram:        {56, fields{1: kindHistogramPoint}},
	kindExponential:      {56, fields{1: kindExponentialPoint}},
	kindSummary:          {56, fields{1: kindSummaryPoint}},
	kindNumberPoint:      {136, fields{7: kindKeyValue, 5: kindExemplar}},
	kindHistogramPoint:   {216, fields{9: kindKeyValue, 8: kindExemplar}},
	kindExponentialPoint: {264, fields{1: kindKeyValue, 11: kindExemplar}},
	kindSummaryPoint:     {136, fields{7: kindKeyValue, 6: kindQuantile}},
	kindExemplar:         {120, fields{7: kindKeyValue}},
	kindQuantile:         {24, fields{}},
	kindKeyValue:         {56, fields{2: kindAnyValue}},
	kindAnyValue:         {32, fields{5: kindArrayValue, 6: kindKeyValueList}},
	kindArrayValue:       {24, fields{1: kindAnyValue}},
	kindKeyValueList:     {24, fields{1: kindKeyValue}},
}

// weigh checks that a request in protocol buffers can be decoded with bounded memory
// and stack.
func weigh(body []byte) error {
	left := min(perByte*len(body)+spare, most)
	return weighMessage(body, kindRequest, 0, &left)
}

func weighMessage(b []byte, k kind, depth int, left *int) error {
	if depth > maxDepth {
		return errDeep
	}
	if *left -= shapes[k].bytes; *left < 0 {
		return errHeavy
	}
	for len(b) > 0 {
		number, wireType, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errWire
		}
		b = b[n:]
		if wireType != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, wireType, b); n < 0 {
				return errWire
			}
			b = b[n:]
			continue
		}
		content, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return errWire
		}
		if child := k.child(number); child != kindNone {
			if err := weighMessage(content, child, depth+1, left); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	return nil
}

// deprecatedScopes is where an old version of the protocol had the ScopeMetrics of a
// ResourceMetrics; the decoder still reads them.
const deprecatedScopes = 1000

// child returns the message that stands in a field of k.
func (k kind) child(field protowire.Number) kind {
	switch {
	case field <= maxField:
		return shapes[k].fields[field]
	case field == deprecatedScopes && k == kindResourceMetrics:
		return kindScopeMetrics
	}
	return kindNone
}

// objectBytes is what the decoder takes for an object of JSON, more or less.
const objectBytes = 136

// weighJSON is weigh for JSON. It need not be valid: the decoder will say so.
func weighJSON(body []byte) error {
	left := min(perByte*len(body)+spare, most)
	depth := 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			for i++; i < len(body) && body[i] != '"'; i++ {
				if body[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth > 3*maxDepth { // a value in an array is an array in two objects
				return errDeep
			}
			if left -= objectBytes; left < 0 {
				return errHeavy
			}
		case '}', ']':
			depth--
		}
	}
	return nil
}
