package codec

// Decoder decodes columns. It holds the tables for the codecs of id 2, 35 KiB, and
// allocates nothing. The zero value is ready. It is not safe for concurrent use.
type Decoder struct {
	stream stream
	chunk  [packedBlock + maxOrder]int64
}

// Timestamps fills dst from the start of src and returns what follows in src. The length
// of dst says how many timestamps there are, and start is the one that the encoder was
// given first. The error is ErrUnknown, wrapped, or a *base.CorruptionError; what dst holds
// is then undefined.
func (d *Decoder) Timestamps(dst []int64, id byte, src []byte, start int64) (rest []byte, err error) {
	least, err := MinTimestampBytes(id, len(dst))
	if err != nil {
		return nil, err
	}
	if len(src) < least {
		return nil, damaged(len(src), "timestamps", len(dst), errShort)
	}
	if id == TimestampsDelta2 {
		return decodeDelta2(dst, src, start)
	}
	if len(dst) == 0 {
		return src, nil
	}
	return d.decoded(src, "timestamps", len(dst), d.decodeTimestamps2(dst, src))
}

// Values fills dst from the start of src and returns what follows in src, see Timestamps.
func (d *Decoder) Values(dst []float64, id byte, src []byte) (rest []byte, err error) {
	least, err := MinValueBytes(id, len(dst))
	if err != nil {
		return nil, err
	}
	if len(src) < least {
		return nil, damaged(len(src), "values", len(dst), errShort)
	}
	if id == ValuesXOR {
		return decodeXOR(dst, src)
	}
	if len(dst) == 0 {
		return src, nil
	}
	return d.decoded(src, "values", len(dst), d.decodeValues2(dst, src))
}

// decoded returns what follows a column of id 2 in src, or says where it is damaged. It
// lets go of src.
func (d *Decoder) decoded(src []byte, what string, count int, err error) ([]byte, error) {
	at := d.stream.pos
	d.stream.cursor = cursor{}
	if err != nil {
		return nil, damaged(at, what, count, err)
	}
	return src[at:], nil
}
