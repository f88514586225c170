package vmimport

import (
	"bufio"
	"io"

	"github.com/sydradb/sydradb/server/internal/web"
)

const (
	// maxLine bounds a line, in bytes.
	maxLine = 10 << 20
	// readAhead is what is read at a time.
	readAhead = 64 << 10
)

// lines cuts a stream into lines.
type lines struct {
	body   *web.Input
	in     *bufio.Reader // of body
	long   []byte        // a line that does not fit into the buffer of in
	number int           // of the last line
}

func newLines(body *web.Input) *lines {
	return &lines{body: body, in: bufio.NewReaderSize(body, readAhead)}
}

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
	l.long = l.long[:0]
	if err := l.keep(begin); err != nil {
		return nil, false, err
	}
	whole = true
	for {
		part, err := l.in.ReadSlice('\n')
		if whole = whole && len(l.long)+len(part) <= maxLine; whole {
			if err := l.keep(part); err != nil {
				return nil, false, err
			}
		}
		if err != bufio.ErrBufferFull {
			return l.long, whole, err
		}
	}
}

// keep adds a part to the long line. Clients may stop in the middle of theirs, so what
// they all take is counted.
func (l *lines) keep(part []byte) error {
	if need := len(l.long) + len(part); need > cap(l.long) {
		bigger := min(max(need, 2*cap(l.long)), maxLine)
		if err := l.body.Take(int64(bigger - cap(l.long))); err != nil {
			return err
		}
		l.long = append(make([]byte, 0, bigger), l.long...)
	}
	l.long = append(l.long, part...)
	return nil
}
