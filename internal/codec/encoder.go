package codec

// Policy says what the codecs of id 2 spend on fewer bytes. All of them read alike.
type Policy byte

const (
	// Fast packs bits and cuts out runs. It is for what is written once and soon merged.
	Fast Policy = iota
	// Balanced also codes by frequency, where that saves an eighth, which makes reading
	// two or three times as slow, and looks for timestamps along a line. Writing takes
	// three to five times as long: it is for what merges write.
	Balanced
)

// Encoder encodes columns, and keeps the memory for it: some 100 bytes for each point of the longest column. The zero value is ready. It
// is not safe for concurrent use.
type Encoder struct {
	// Policy of the codecs of id 2; those of id 1 have none.
	Policy Policy

	stream   streamWriter
	decimals decimals
	line     lineWriter
	coder    *coder
}

// coderFor returns what codes by frequency, nil if that is not the policy.
func (e *Encoder) coderFor(percent int) *coder {
	if e.Policy == Fast {
		return nil
	}
	if e.coder == nil {
		e.coder = new(coder)
	}
	e.coder.percent = percent
	return e.coder
}

// AppendTimestamps appends ts to dst as codec id encodes them and returns the longer
// slice. The first timestamp need not be part of the encoding: a Decoder wants it as
// start. The error is ErrUnknown or ErrTooLong, wrapped; dst is returned as it was.
func (e *Encoder) AppendTimestamps(dst []byte, id byte, ts []int64) ([]byte, error) {
	switch id {
	case TimestampsDelta2:
		return appendDelta2(dst, ts), nil
	case TimestampsStream:
		if len(ts) > MaxPoints {
			return dst, tooLong(id, len(ts))
		}
		return e.appendTimestamps2(dst, ts), nil
	}
	return dst, unknownTimestamps(id)
}

// AppendValues appends v to dst as codec id encodes them and returns the longer slice, see
// AppendTimestamps.
func (e *Encoder) AppendValues(dst []byte, id byte, v []float64) ([]byte, error) {
	switch id {
	case ValuesXOR:
		return appendXOR(dst, v), nil
	case ValuesStream:
		if len(v) > MaxPoints {
			return dst, tooLong(id, len(v))
		}
		return e.appendValues2(dst, v), nil
	}
	return dst, unknownValues(id)
}
