package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/frame"
	"github.com/sydradb/sydradb/internal/fsys"
)

// readAhead is how many bytes are fetched at once, at least.
const readAhead = 256 << 10

// fileReader reads one file from its start to its end, in large pieces. What it hands
// out is valid until the next call.
type fileReader struct {
	file fsys.File
	path string
	size int64
	buf  []byte // what stands at offset at; its capacity serves the next file too
	at   int64
	tmp  []byte // of sum
}

// open turns to another file.
func (r *fileReader) open(fs fsys.FS, path string) error {
	f, err := fs.Open(path)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	size, err := f.Size()
	if err != nil {
		return fmt.Errorf("open log %s: %w", path, errors.Join(err, f.Close()))
	}
	*r = fileReader{file: f, path: path, size: size, buf: r.buf[:0], tmp: r.tmp}
	return nil
}

func (r *fileReader) close() error { return r.file.Close() }

// peek returns n bytes at offset off, fewer only at the end of the file.
func (r *fileReader) peek(off int64, n int) ([]byte, error) {
	n = int(min(int64(n), r.size-off))
	if skip := off - r.at; skip < 0 || skip+int64(n) > int64(len(r.buf)) {
		kept := 0
		if skip >= 0 && skip < int64(len(r.buf)) {
			kept = copy(r.buf, r.buf[skip:])
		}
		r.buf, r.at = r.buf[:kept], off
		if err := r.fill(max(n, readAhead, n+n/4)); err != nil {
			return nil, err
		}
	}
	start := off - r.at
	return r.buf[start : start+int64(n)], nil
}

// fill extends buf to n bytes, fewer only at the end of the file.
func (r *fileReader) fill(n int) error {
	n = int(min(int64(n), r.size-r.at))
	kept := len(r.buf)
	if n > cap(r.buf) {
		grown := make([]byte, n)
		copy(grown, r.buf)
		r.buf = grown
	}
	r.buf = r.buf[:n]
	return r.readAt(r.buf[kept:], r.at+int64(kept))
}

// readAt fills p. The file was as long as it has to be when it was opened.
func (r *fileReader) readAt(p []byte, off int64) error {
	n, err := r.file.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read log %s at %d: %w", r.path, off, err)
}

// flaw is what is wrong with the bytes where a record should be.
type flaw struct {
	cause error
	// sealed: the checksum matches. So the bytes are those that somebody wrote, whole,
	// and no torn write can have made them.
	sealed bool
}

// record reads the record at off and returns the offset behind it. Exactly one of the
// record, the flaw and the error is meant; the error is one of reading.
func (r *fileReader) record(off int64) (rec Record, end int64, bad *flaw, err error) {
	head, err := r.peek(off, lenSize)
	if err != nil {
		return rec, 0, nil, err
	}
	n, err := frame.PayloadLen(head)
	if err != nil {
		return rec, 0, &flaw{cause: err}, nil
	}
	end = off + int64(n) + frame.Overhead
	if end > r.size {
		return rec, 0, &flaw{cause: frame.ErrShort}, nil
	}
	whole, err := r.peek(off, n+frame.Overhead)
	if err != nil {
		return rec, 0, nil, err
	}
	payload, _, err := frame.Next(whole)
	if err != nil {
		return rec, 0, &flaw{cause: err}, nil
	}
	rec, err = parse(payload)
	if err != nil {
		return rec, end, &flaw{cause: err, sealed: true}, nil
	}
	rec.File, rec.Offset = r.path, off
	return rec, end, nil, nil
}

// find looks from off on for the first record that is whole and that wanted accepts.
// What costs little is tested first: length, type, then wanted, which should refuse
// most numbers; the checksum comes last. Bytes made to look like records could still
// cost their square, so find gives up, with errDoubt, when it has summed too much.
func (r *fileReader) find(off int64, wanted func(lsn, durable base.LSN) bool) (rec Record, found bool, err error) {
	budget := sumAtLeast + sumPerByte*(r.size-off)
	for off+minFrame <= r.size {
		window, err := r.peek(off, readAhead)
		if err != nil {
			return rec, false, err
		}
		for i := 0; i+minFrame <= len(window); i++ {
			if !knownType(window[i+lenSize]) {
				continue
			}
			n := int64(binary.LittleEndian.Uint32(window[i:]))
			at := off + int64(i)
			if n < recordHeader || n > frame.MaxPayload || at+n+frame.Overhead > r.size {
				continue
			}
			rec, err := parse(window[i+lenSize : i+lenSize+recordHeader])
			if err != nil || !wanted(rec.LSN, rec.Durable) {
				continue
			}
			if budget -= n; budget < 0 {
				return rec, false, errDoubt
			}
			good, err := r.sum(at+lenSize, n)
			if err != nil || good {
				rec.File, rec.Offset, rec.Body = r.path, at, nil
				return rec, good, err
			}
		}
		off += int64(len(window)) - minFrame + 1
	}
	return rec, false, nil
}

const (
	sumAtLeast = 1 << 30
	sumPerByte = 64
)

var errDoubt = errors.New("too many bytes look like records to tell a torn write from damage")

// sum reports whether the n bytes at off match the checksum behind them. It leaves buf
// alone.
func (r *fileReader) sum(off, n int64) (bool, error) {
	var crc uint32
	if r.tmp == nil {
		r.tmp = make([]byte, readAhead)
	}
	for n > 0 {
		p := r.tmp[:min(n, readAhead)]
		if err := r.readAt(p, off); err != nil {
			return false, err
		}
		crc = crc32.Update(crc, crc32.IEEETable, p)
		off, n = off+int64(len(p)), n-int64(len(p))
	}
	var want [4]byte
	err := r.readAt(want[:], off)
	return err == nil && crc == binary.LittleEndian.Uint32(want[:]), err
}
