package web

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Input is the body of a request that is read as it comes in.
type Input struct {
	io.ReadCloser
	room  *budget
	taken int64 // of room
	body  *body // nil: the request has none
}

// A stream that is maxRatio times as long as what was sent of it, beyond freeBytes and pointBytes
// for each point that was found in it, only costs time. Points count since those of many series
// that never change, written at the same times, compress a thousand times and more.
const (
	maxRatio   = 256
	freeBytes  = 64 << 20
	pointBytes = 64
)

// Found tells that there were n points in what was read: it is data, however well it was
// compressed.
func (in *Input) Found(n int) {
	if in.body != nil {
		in.body.points += int64(n)
	}
}

// Take counts n more bytes that the reader holds while it waits for the client, until
// Close. The error, if there is no room for them, is for [Fail].
func (in *Input) Take(n int64) error {
	if in.taken+n > in.room.max { // nor will it fit later
		return tooLarge("what has to be kept of the body", in.room.max)
	}
	if !in.room.take(n) {
		return noRoom()
	}
	in.taken += n
	return nil
}

// Close gives the memory of the body back. It is called once.
func (in *Input) Close() error {
	in.room.give(in.taken)
	in.taken = 0
	return in.ReadCloser.Close()
}

// Stream returns the body of a request without its compression, of any length: a sender
// may take as long as it likes, as long as it keeps up the least rate and never stops for
// longer than BodyTimeout. Errors, those of Read as well, are for [Fail], as those of
// [ReadBody] are. While Read waits for the client the request gives its slot to others.
func Stream(w http.ResponseWriter, r *http.Request) (*Input, error) {
	c := callOf(r)
	if c.body == nil && c.query == nil {
		c.limitBody(w, r)
	}
	kind, err := encodingOf(r)
	if err != nil {
		return nil, err
	}
	in := &Input{room: &c.server.bodies, body: c.body}
	if c.body == nil {
		in.ReadCloser = io.NopCloser(bytes.NewReader(nil))
		return in, nil
	}
	c.body.endless = true
	switch kind {
	case gzipped:
		z, err := c.server.decoders.takeGzip(c.body)
		if err != nil {
			return nil, c.body.blame(kind, err)
		}
		in.ReadCloser = &gzipStream{z, c}
	case zstandard:
		// A decoder keeps what its stream may refer to.
		if err := in.Take(min(maxWindow, c.server.limits.WireBytes)); err != nil {
			return nil, err
		}
		z, err := c.server.decoders.takeZstd(c.body)
		if err != nil {
			in.room.give(in.taken)
			return nil, c.body.blame(kind, err)
		}
		in.ReadCloser = &zstdStream{z, c}
	case snappied: // a block is decoded as a whole
		whole, err := ReadBody(w, r)
		if err != nil {
			return nil, err
		}
		in.ReadCloser = &wholeStream{bytes.NewReader(whole.Bytes()), whole}
	default:
		in.ReadCloser = c.body
	}
	return in, nil
}

// blame returns what a decoder of the body complains about: the way here, if that failed
// first.
func (b *body) blame(kind encoding, err error) error {
	if b.err != nil && b.err != io.EOF {
		return b.err
	}
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	return damaged(kind, err)
}

// unpacked counts what comes out of a decoder of the body, and returns what is wrong with it.
func (b *body) unpacked(kind encoding, n int, err error) error {
	b.decoded += int64(n)
	switch {
	case err != nil && err != io.EOF:
		return b.blame(kind, err)
	case b.decoded > freeBytes+pointBytes*b.points+maxRatio*b.received:
		return &Error{Status: 413, Code: CodeTooLarge, Message: "the body without its compression is more than " + strconv.Itoa(maxRatio) + " times as long, with hardly a point in it; nothing more of it was stored"}
	}
	return err
}

type gzipStream struct {
	*gzip.Reader
	call *call
}

func (s *gzipStream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	return n, s.call.body.unpacked(gzipped, n, err)
}

func (s *gzipStream) Close() error {
	s.call.server.decoders.gzip.Put(s.Reader)
	s.Reader = new(gzip.Reader) // which a late Read may try
	return nil
}

type zstdStream struct {
	*zstd.Decoder
	call *call
}

func (s *zstdStream) Read(p []byte) (int, error) {
	n, err := s.Decoder.Read(p)
	return n, s.call.body.unpacked(zstandard, n, err)
}

func (s *zstdStream) Close() error {
	s.call.server.decoders.keepZstd(s.Decoder)
	s.Decoder = new(zstd.Decoder) // which a late Read may try
	return nil
}

type wholeStream struct {
	io.Reader
	whole *Body
}

func (s *wholeStream) Close() error {
	s.Reader = bytes.NewReader(nil)
	s.whole.Release()
	return nil
}
