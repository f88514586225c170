package vmimport

import (
	"bufio"
	"io"
)

const (
	// maxLine bounds a line, in bytes.
	maxLine = 10 << 20
	// readAhead is what is read at a time.
	readAhead = 64 << 10
)

// lines cuts a stream into lines.
type lines struct {
	in     *bufio.Reader
	long   []byte // a line that does not fit into the buffer of in
	number int    // of the last line
}

func newLines(r io.Reader) *lines { return &lines{in: bufio.NewReaderSize(r, readAhead)} }

// next returns the next line without its end, valid until the next call; whole is false for
// one that is too long, of which only the beginning is returned. At the end the error is
// io.EOF. A line that an error cuts short is not returned.
func (l *lines) next() (text []byte, whole bool, err error) {
	text, err = l.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		text, whole, err = l.collect(text)
	} else {
		whole = true
	}
	if err != nil && (err != io.EOF || len(text) == 0) {
		return nil, false, err
	}
	l.number++
	if n := len(text); n > 0 && text[n-1] == '\n' {
		text = text[:n-1]
	}
	return text, whole, nil
}

// collect reads the rest of a line.
func (l *lines) collect(begin []byte) (text []byte, whole bool, err error) {
	l.long = append(l.long[:0], begin...)
	whole = true
	for {
		part, err := l.in.ReadSlice('\n')
		if whole = whole && len(l.long)+len(part) <= maxLine; whole {
			l.long = append(l.long, part...)
		}
		if err != bufio.ErrBufferFull {
			return l.long, whole, err
		}
	}
}
