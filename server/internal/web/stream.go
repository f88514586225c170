package web

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Stream returns the body of a request without its compression, of any length: a sender
// may take as long as it likes, as long as it keeps up the least rate. Errors, those of
// Read as well, are for [Fail], as those of [ReadBody] are. Close gives the memory back.
// While Read waits for the client the request gives its slot to others.
func Stream(w http.ResponseWriter, r *http.Request) (io.ReadCloser, error) {
	c := callOf(r)
	if c.body == nil && c.query == nil {
		c.limitBody(w, r)
	}
	kind, err := encodingOf(r)
	if err != nil {
		return nil, err
	}
	if c.body == nil {
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	c.body.endless = true
	switch kind {
	case gzipped:
		z, err := c.server.decoders.takeGzip(c.body)
		if err != nil {
			return nil, c.body.blame(kind, err)
		}
		return &gzipStream{z, c}, nil
	case zstandard:
		z, err := c.server.decoders.takeZstd(c.body)
		if err != nil {
			return nil, c.body.blame(kind, err)
		}
		return &zstdStream{z, c}, nil
	case snappied: // a block is decoded as a whole
		whole, err := ReadBody(w, r)
		if err != nil {
			return nil, err
		}
		return &wholeStream{bytes.NewReader(whole.Bytes()), whole}, nil
	}
	return c.body, nil
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

type gzipStream struct {
	*gzip.Reader
	call *call
}

func (s *gzipStream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = s.call.body.blame(gzipped, err)
	}
	return n, err
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
	if err != nil && err != io.EOF {
		err = s.call.body.blame(zstandard, err)
	}
	return n, err
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
