package ingest

import "bytes"

// maxRecord is the longest record that is read: a series' key alone may take 1 MiB.
const maxRecord = 4 << 20

// The longest record of several lines. One that goes on, or that ends in the midst of
// its quotes, is taken for a line with a stray quote: it is cut at its first line end,
// for the parser to refuse, and the lines behind it count for themselves.
const (
	maxQuoted      = 1 << 20
	maxQuotedLines = 256
)

// records cuts the bytes of a file into records. Blank lines are passed over.
type records struct {
	format Format
	comma  byte // of CSV
	first  int  // number of the first line of the last record, from 1
	line   int  // number of its last line

	buf      []byte
	pos      int  // of the next record in buf
	begun    bool // the first bytes were seen
	ended    bool // no more bytes will come
	skipping bool // the record at pos is longer than maxRecord
}

var (
	newline       = []byte{'\n'}
	byteOrderMark = []byte("\ufeff")
)

// add gives the next bytes of the file. It copies them and moves what is left of the
// last ones, so records returned before are no longer valid.
func (r *records) add(b []byte) {
	r.buf = append(r.buf[:copy(r.buf, r.buf[r.pos:])], b...)
	r.pos = 0
	if !r.begun && len(r.buf) >= len(byteOrderMark) {
		r.begun = true
		if bytes.HasPrefix(r.buf, byteOrderMark) {
			r.pos = len(byteOrderMark)
		}
	}
}

// end says that no more bytes will come: what is left is the last record.
func (r *records) end() { r.ended = true }

// next returns the next whole record without its line end, which is valid until add
// is called. ok is false if there is none yet. tooLong means that a record was
// dropped because of its length.
func (r *records) next() (record []byte, tooLong, ok bool) {
	for {
		rest := r.buf[r.pos:]
		n, lines := r.recordEnd(rest)
		if n == 0 && r.ended && (len(rest) > 0 || r.skipping) {
			n, lines = len(rest), 1
		} else if n == 0 {
			if len(rest) > maxRecord {
				r.skipping = true
				r.pos = len(r.buf)
			}
			return nil, false, false
		}
		r.pos += n
		r.first = r.line + 1
		r.line += lines
		if r.skipping || n > maxRecord {
			r.skipping = false
			return nil, true, true
		}
		if record = trimLineEnd(rest[:n]); len(bytes.TrimSpace(record)) > 0 {
			return record, false, true
		}
	}
}

func trimLineEnd(b []byte) []byte {
	b = bytes.TrimSuffix(b, newline)
	return bytes.TrimSuffix(b, []byte{'\r'})
}

// recordEnd returns the length of the first record of b with its line end, 0 if it is
// not whole, and its number of lines. A line end inside quotes is part of a record in
// CSV and line protocol. What is skipped ends with its line, whatever the quotes say.
func (r *records) recordEnd(b []byte) (n, lines int) {
	line := bytes.IndexByte(b, '\n') + 1
	if line == 0 || r.skipping || r.format == NDJSON || bytes.IndexByte(b[:line], '"') < 0 {
		return line, 1
	}
	within := b[:min(len(b), maxQuoted)]
	stray := false
	if r.format == CSV {
		n, lines, stray = csvRecordEnd(within, r.comma)
	} else {
		n, lines, stray = influxRecordEnd(within, line)
	}
	if stray || n == 0 && (r.ended || len(b) >= maxQuoted) {
		return line, 1
	}
	return n, lines
}

// csvRecordEnd knows quotes at the start of a cell only: one elsewhere is an error of
// its line, which must not swallow those after it. stray means that the quotes of the
// record make no sense beyond its first line.
func csvRecordEnd(b []byte, comma byte) (n, lines int, stray bool) {
	const (
		start  = iota // of a cell
		plain         // in a cell without quotes, or one with an error
		quoted        // between quotes
		closed        // after a quote between quotes: the closing one, or half of two
	)
	state := start
	for i, c := range b {
		switch {
		case state == quoted && c == '"':
			state = closed
		case state == quoted:
			if c == '\n' {
				if lines++; lines == maxQuotedLines {
					return 0, 0, true
				}
			}
		case c == '\n':
			return i + 1, lines + 1, false
		case c == comma:
			state = start
		case c == '"' && (state == start || state == closed):
			state = quoted
		case c == '\r' && state == closed: // before a line end
		case lines > 0 && (state == closed || c == '"'):
			return 0, 0, true
		default:
			state = plain
		}
	}
	return 0, 0, false
}

// influxRecordEnd knows quotes in the fields only, which begin after the first space
// that is not escaped. lineEnd is where the first line ends; for stray see csvRecordEnd.
func influxRecordEnd(b []byte, lineEnd int) (n, lines int, stray bool) {
	if b[0] == '#' || bytes.TrimLeft(b, " \t")[0] == '#' {
		return lineEnd, 1, false
	}
	fields, quoted := false, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\' && i+1 < len(b) && b[i+1] != '\n':
			i++
		case c == '"' && fields:
			quoted = !quoted
		case c == '\n' && quoted:
			if lines++; lines == maxQuotedLines {
				return 0, 0, true
			}
		case c == '\n':
			return i + 1, lines + 1, false
		case c == ' ':
			fields = fields || i > 0
		}
	}
	return 0, 0, false
}
