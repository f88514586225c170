package web

import (
	"bytes"
	"errors"
	"io"
	"math/bits"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// encoding is a Content-Encoding that is understood.
type encoding uint8

const (
	identity encoding = iota
	gzipped
	zstandard
	snappied // one block, as remote write has it
)

// maxWindow is how far back a zstd stream may refer, in bytes: what its specification
// recommends that decoders support.
const maxWindow = 8 << 20

// encodingOf returns the encoding of the body of r.
func encodingOf(r *http.Request) (encoding, error) {
	name := strings.Join(r.Header.Values("Content-Encoding"), ",")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "", "identity":
		return identity, nil
	case "gzip", "x-gzip":
		return gzipped, nil
	case "zstd":
		return zstandard, nil
	case "snappy":
		return snappied, nil
	}
	return 0, &Error{Status: 415, Code: "unsupported_encoding", Message: "Content-Encoding " + quote(name) + " is not supported: use gzip, zstd, snappy or none"}
}

// decoders are readers of compressed bodies, kept for reuse.
type decoders struct {
	limits Limits
	gzip   sync.Pool // of *gzip.Reader
	zstd   sync.Pool // of *zstd.Decoder, for streams
	whole  sync.Pool // of *zstd.Decoder, for bodies in memory
}

func (d *decoders) takeGzip(r io.Reader) (*gzip.Reader, error) {
	if z, ok := d.gzip.Get().(*gzip.Reader); ok {
		return z, z.Reset(r)
	}
	return gzip.NewReader(r)
}

func (d *decoders) takeZstd(r io.Reader) (*zstd.Decoder, error) {
	if z, ok := d.zstd.Get().(*zstd.Decoder); ok {
		return z, z.Reset(r)
	}
	// Without concurrency no goroutines outlive the request.
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
}

func (d *decoders) keepZstd(z *zstd.Decoder) {
	if z.Reset(nil) == nil {
		d.zstd.Put(z)
	}
}

func (d *decoders) takeWhole() (*zstd.Decoder, error) {
	if z, ok := d.whole.Get().(*zstd.Decoder); ok {
		return z, nil
	}
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(uint64(d.limits.DecodedBytes)))
}

// decode returns the body that wire is the compressed form of.
func (s *Server) decode(wire []byte, kind encoding) (*Body, error) {
	decoded := &Body{room: &s.bodies}
	var err error
	switch kind {
	case gzipped:
		err = s.gunzip(decoded, wire)
	case zstandard:
		err = s.unzstd(decoded, wire)
	case snappied:
		err = s.unsnappy(decoded, wire)
	}
	if err == nil {
		return decoded, nil
	}
	decoded.Release()
	var own *Error
	if errors.As(err, &own) {
		return nil, own
	}
	return nil, damaged(kind, err)
}

func damaged(kind encoding, err error) *Error {
	name := [...]string{gzipped: "gzip", zstandard: "zstd", snappied: "snappy"}[kind]
	return &Error{Status: 400, Code: CodeBadRequest, Message: "the body is not valid " + name + "; nothing more of it was stored", Err: err}
}

func (s *Server) tooLargeDecoded() *Error {
	return tooLarge("the body without its compression", s.limits.DecodedBytes)
}

// fillDecoded is fill with the limit of decoded bytes.
func (s *Server) fillDecoded(decoded *Body, r io.Reader, wire int) error {
	err := decoded.fill(r.Read, 4*wire, s.limits.DecodedBytes)
	var own *Error
	if errors.As(err, &own) && own.Code == CodeTooLarge {
		return s.tooLargeDecoded()
	}
	return err
}

func (s *Server) gunzip(decoded *Body, wire []byte) error {
	z, err := s.decoders.takeGzip(bytes.NewReader(wire))
	if err != nil {
		return err
	}
	defer s.decoders.gzip.Put(z)
	return s.fillDecoded(decoded, z, min(len(wire), 1<<20))
}

// unzstd decodes at once what says how long it is, and can be believed, and the rest as a
// stream: room is made for what comes, not for what may.
func (s *Server) unzstd(decoded *Body, wire []byte) error {
	var h zstd.Header
	if err := h.Decode(wire); err != nil {
		return err
	}
	if h.HasFCS && h.FrameContentSize > uint64(s.limits.DecodedBytes) {
		return s.tooLargeDecoded()
	}
	if !h.HasFCS || h.FrameContentSize > 64*uint64(len(wire))+1<<20 || !isOneFrame(wire, &h) {
		z, err := s.decoders.takeZstd(bytes.NewReader(wire))
		if err != nil {
			return err
		}
		defer s.decoders.keepZstd(z)
		return s.fillDecoded(decoded, z, min(len(wire), 1<<20))
	}
	if err := decoded.grow(int(h.FrameContentSize)); err != nil {
		return err
	}
	z, err := s.decoders.takeWhole()
	if err != nil {
		return err
	}
	defer s.decoders.whole.Put(z)
	data, err := z.DecodeAll(wire, decoded.data)
	if err != nil {
		return err
	}
	decoded.data = data
	return decoded.grow(0) // the padding
}

// isOneFrame reports whether nothing follows the zstd frame that a body begins with:
// decoding many small ones at once would move what is there for each of them.
func isOneFrame(wire []byte, h *zstd.Header) bool {
	const (
		blockHeader = 3
		repeated    = 1 // the type of a block that is one byte, many times
	)
	at := h.HeaderSize
	for at+blockHeader <= len(wire) {
		block := int(wire[at]) | int(wire[at+1])<<8 | int(wire[at+2])<<16
		size := block >> 3
		if block>>1&3 == repeated {
			size = 1
		}
		at += blockHeader + size
		if last := block&1 != 0; last {
			if h.HasCheckSum {
				at += 4
			}
			return at == len(wire)
		}
	}
	return false
}

// maxSnappyRatio is beyond what the format can do: 64 bytes for 3.
const maxSnappyRatio = 32

func (s *Server) unsnappy(decoded *Body, wire []byte) error {
	n, err := s2.DecodedLen(wire)
	if err != nil {
		return err
	}
	if int64(n) > s.limits.DecodedBytes {
		return s.tooLargeDecoded()
	}
	if n > maxSnappyRatio*len(wire) {
		return errors.New("it claims more bytes than it can hold")
	}
	if err := decoded.grow(n); err != nil {
		return err
	}
	decoded.data, err = s2.Decode(decoded.data[:n], wire)
	return err
}

// buffers keeps the memory of bodies for the next ones, by powers of two of their size.
var buffers [maxKeptBits + 1]sync.Pool // of *[]byte

// The sizes of buffers that are kept: 4 KiB to 4 MiB.
const (
	minKeptBits = 12
	maxKeptBits = 22
)

// bufferSize returns the capacity that a buffer for n bytes has.
func bufferSize(n int) int {
	if size := max(bits.Len(uint(n-1)), minKeptBits); size <= maxKeptBits {
		return 1 << size
	}
	return n
}

// takeBuffer returns an empty buffer with room for n bytes.
func takeBuffer(n int) []byte {
	capacity := bufferSize(n)
	if capacity <= 1<<maxKeptBits {
		if kept, ok := buffers[bits.Len(uint(capacity))-1].Get().(*[]byte); ok {
			return (*kept)[:0]
		}
	}
	return make([]byte, 0, capacity)
}

func keepBuffer(b []byte) {
	size := bits.Len(uint(cap(b))) - 1
	if size >= minKeptBits && size <= maxKeptBits && cap(b) == 1<<size {
		b = b[:0]
		buffers[size].Put(&b)
	}
}

// sizeText returns a number of bytes as people write it.
func sizeText(n int64) string {
	for _, unit := range []struct {
		bytes int64
		name  string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= unit.bytes && n%unit.bytes == 0 {
			return strconv.FormatInt(n/unit.bytes, 10) + " " + unit.name
		}
	}
	return strconv.FormatInt(n, 10) + " bytes"
}

// quote quotes at most 64 bytes of what a client sent.
func quote(text string) string { return strconv.Quote(text[:min(len(text), 64)]) }
