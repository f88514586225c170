package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Input is an opened file or pipe with compression undone.
type Input struct {
	Name string
	// Size is the number of bytes of the file as it is stored, -1 if not known.
	Size int64

	r      io.Reader
	closer []func() error
	read   atomic.Int64
}

// Open opens the file at path.
func Open(path string) (*Input, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	in, err := NewInput(path, f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	in.closer = append(in.closer, f.Close)
	return in, nil
}

// NewInput wraps a file that is open, such as standard input, and does not close it.
// gzip and zstd are recognised by their first bytes; NewInput waits for these.
func NewInput(name string, f *os.File) (*Input, error) {
	in := &Input{Name: name, Size: -1}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s is a directory", name)
	}
	if info.Mode().IsRegular() {
		in.Size = info.Size()
	}
	return in, in.decompress(f)
}

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// maxWindow bounds the memory that a zstd file can ask for; it is what zstd --ultra
// needs without --long.
const maxWindow = 128 << 20

func (in *Input) decompress(f io.Reader) error {
	// A short buffer: on a pipe, what it holds is what is there, and no more is waited for.
	raw := bufio.NewReaderSize(&countingReader{f, &in.read}, 64<<10)
	head, err := raw.Peek(len(zstdMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", in.Name, err)
	}
	in.r = raw
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		z, err := gzip.NewReader(raw)
		if err != nil {
			return fmt.Errorf("%s: gzip: %w", in.Name, err)
		}
		in.r = z
		in.closer = append(in.closer, z.Close)
	case bytes.HasPrefix(head, zstdMagic):
		z, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return fmt.Errorf("%s: zstd: %w", in.Name, err)
		}
		in.r = z
		in.closer = append(in.closer, func() error { z.Close(); return nil })
	}
	return nil
}

type countingReader struct {
	r io.Reader
	n *atomic.Int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// Read reads the contents. The error names the file.
func (in *Input) Read(b []byte) (int, error) {
	n, err := in.r.Read(b)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%s: %w", in.Name, err)
	}
	return n, err
}

// BytesRead returns how much of the file, as it is stored, was read. It may be called
// from any goroutine.
func (in *Input) BytesRead() int64 { return in.read.Load() }

// Close closes what Open opened.
func (in *Input) Close() error {
	var errs []error
	for _, c := range in.closer {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}
