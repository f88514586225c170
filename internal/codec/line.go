package codec

import "errors"

// Timestamps, codec 2: a stream of integers, or what is left of them beside a straight
// line. The two differ in bits 5-7 of the first byte, which are 0 in a stream.
//
//	0    1                                                    only the line:
//	+----+-------+-------+---+-----+------+-----+-----------+
//	| 32 | first | slope | G | gap | move | ... | residuals |
//	+----+-------+-------+---+-----+------+-----+-----------+
//
//	first, slope  zigzag varints
//	G             moves; varint
//	gap           how many timestamps after the one of the move before (after the first); varint
//	move          by how many slopes the line moves up from there on; zigzag varint
//	residuals     stream of integers
//
// Timestamp i is first + slope * (i + all moves up to i) + residual i, and all of that wraps
// around. A scrape that is a little late, always against the clock and not against the one
// before, varies half as much beside its line as its differences do; moves are scrapes that
// were missed. A column of no timestamps has no bytes.
//
// Written by Encoder, read by Decoder, pinned by testdata/timestamps2.golden.
const (
	lineByte     = 1 << 5
	leastForLine = 24
)

var errMoves = errors.New("moves do not fit the column")

func (e *Encoder) appendTimestamps2(dst []byte, ts []int64) []byte {
	if len(ts) == 0 {
		return dst
	}
	start := len(dst)
	dst = e.stream.append(dst, ts, e.coderFor(codedTimestamps))
	if e.Policy == Fast || len(ts) < leastForLine || dst[start]&3 == kindConstant {
		return dst
	}
	e.line.bytes = e.line.append(e.line.bytes[:0], ts, max(1, e.stream.header.factor), &e.stream, e.coderFor(codedTimestamps))
	if len(e.line.bytes) < len(dst)-start {
		dst = append(dst[:start], e.line.bytes...)
	}
	return dst
}

// decodeTimestamps2 fills dst, not empty, from the start of src and leaves the cursor
// behind.
func (d *Decoder) decodeTimestamps2(dst []int64, src []byte) error {
	s := &d.stream
	s.cursor = cursor{src: src}
	if len(dst) > MaxPoints {
		return errCount
	}
	if s.src[s.pos] == lineByte {
		s.pos++
		return d.decodeLine(dst)
	}
	if err := s.open(len(dst)); err != nil {
		return err
	}
	return s.next(dst)
}

func (d *Decoder) decodeLine(dst []int64) error {
	s := &d.stream
	at, err := s.varint()
	if err != nil {
		return err
	}
	slope, err := s.varint()
	if err != nil {
		return err
	}
	count, err := s.uvarint()
	if err != nil {
		return err
	}
	if count > uint64(len(dst)) {
		return errMoves
	}
	moves := s.cursor
	if err := skipMoves(&s.cursor, int(count), len(dst)); err != nil {
		return err
	}
	if err := s.open(len(dst)); err != nil {
		return err
	}
	if err := s.next(dst); err != nil {
		return err
	}
	for range count {
		gap, err := moves.uvarint()
		if err != nil {
			return err
		}
		move, err := moves.varint()
		if err != nil {
			return err
		}
		at = lay(dst[:gap], at, slope) + move*slope
		dst = dst[gap:]
	}
	lay(dst, at, slope)
	return nil
}

// skipMoves moves c behind the moves, which must be of a timestamp each.
func skipMoves(c *cursor, count, timestamps int) error {
	last := timestamps - 1
	for range count {
		gap, err := c.uvarint()
		if err != nil {
			return err
		}
		if gap > uint64(last) {
			return errMoves
		}
		last -= int(gap)
		if _, err := c.varint(); err != nil {
			return err
		}
	}
	return nil
}

// lay adds to the residuals the line that begins at at, and returns where it goes on.
func lay(residuals []int64, at, slope int64) int64 {
	for i := range residuals {
		residuals[i] += at
		at += slope
	}
	return at
}
