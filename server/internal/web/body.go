package web

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// body is the body of a request as it comes in: it ends when the sender is too slow.
// While it waits, the request gives its slot to others.
type body struct {
	inner    io.ReadCloser
	call     *call
	control  *http.ResponseController
	header   http.Header // of the answer
	received int64
	decoded  int64 // of a stream, without its compression
	points   int64 // found in it
	waited   time.Duration
	endless  bool // only the rate counts
	err      error
}

// limitBody puts a body with limits in place of that of r.
func (c *call) limitBody(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	c.body = &body{inner: r.Body, call: c, control: http.NewResponseController(w), header: w.Header()}
	r.Body = c.body
	// Holds for handlers that do not read, too: what is left is skipped at the end.
	_ = c.body.control.SetReadDeadline(time.Now().Add(c.server.limits.BodyGrace)) // not with a recorder of tests
}

// Read implements io.Reader. The request has its slot afterwards.
func (b *body) Read(p []byte) (int, error) {
	b.call.slot.release()
	n, err := b.read(p)
	if taking := b.call.slot.acquire(b.call.ctx); taking != nil && (err == nil || err == io.EOF) {
		b.err, err = taking, taking
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error { return b.inner.Close() }

// read reads without regard to the slot.
func (b *body) read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	began := time.Now()
	// What was sent quickly buys no endless wait.
	left := min(b.allowed()-b.waited, b.call.server.limits.BodyTimeout)
	if left <= 0 {
		return 0, b.tooSlow()
	}
	_ = b.control.SetReadDeadline(began.Add(left)) // not with a recorder of tests
	n, err := b.inner.Read(p)
	b.waited += time.Since(began)
	b.received += int64(n)
	switch {
	case err == nil:
	case err == io.EOF:
		b.err = err
		// The server goes on to read, to notice when the client leaves.
		_ = b.control.SetReadDeadline(time.Time{})
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = b.tooSlow()
	default:
		err = &Error{Status: 400, Code: CodeBadRequest, Message: "the body ended early", Err: err}
		b.err = err
	}
	return n, err
}

// allowed returns how long the request may have waited for its body by now.
func (b *body) allowed() time.Duration {
	limits := &b.call.server.limits
	allowed := max(limits.BodyGrace, time.Duration(float64(b.received)/float64(limits.BodyRate)*float64(time.Second)))
	if !b.endless {
		allowed = min(allowed, limits.BodyTimeout)
	}
	return allowed
}

// tooSlow ends the body and, after the answer, the connection.
func (b *body) tooSlow() error {
	b.header.Set("Connection", "close")
	// Not 408: agents take that for their fault, and drop what they could send again.
	b.err = &Error{Status: 503, Code: codeSlowBody, Message: "the body came in too slowly, or stopped; nothing more of it was stored, send it again", Err: os.ErrDeadlineExceeded}
	return b.err
}

// Body is the whole body of a request, without its compression.
type Body struct {
	data  []byte
	room  *budget
	taken int64 // of room
}

// padding is how many bytes can be read behind a body, for loops that look at eight
// or sixteen bytes at a time.
const padding = 16

// Bytes returns the body. It is valid until Release; 16 bytes behind its length can be
// read, too.
func (b *Body) Bytes() []byte { return b.data }

// Release gives the memory of the body back. It may be called more than once.
func (b *Body) Release() {
	if b == nil || b.room == nil {
		return
	}
	keepBuffer(b.data)
	b.room.give(b.taken)
	b.data, b.room, b.taken = nil, nil, 0
}

// grow makes room for n more bytes and the padding. The error is an *Error.
func (b *Body) grow(n int) error {
	need := len(b.data) + n + padding
	if need <= cap(b.data) {
		return nil
	}
	taken := int64(bufferSize(need))
	if !b.room.take(taken) {
		return noRoom()
	}
	bigger := append(takeBuffer(need), b.data...)
	keepBuffer(b.data)
	b.room.give(b.taken)
	b.data, b.taken = bigger, taken
	return nil
}

func noRoom() *Error {
	return &Error{Status: 503, Code: CodeOverloaded, Message: "too many large requests at a time; nothing more of this one was stored, sending it again later is safe", RetryAfter: 10 * time.Second}
}

// ReadBody reads the whole body of a request and undoes its Content-Encoding: gzip,
// zstd or snappy. Errors are for [Fail]: an [*Error] with 413 for a body beyond the
// limits, 415 for another encoding, 400 for one that is damaged, 408 for a slow one, 503
// when all memory for bodies is in use. The caller calls Release when it is done with
// the bytes.
func ReadBody(w http.ResponseWriter, r *http.Request) (*Body, error) {
	c := callOf(r)
	if c.body == nil && c.query == nil {
		c.limitBody(w, r)
	}
	encoding, err := encodingOf(r)
	if err != nil {
		return nil, err
	}
	wire, err := c.collect(r, c.server.limits.WireBytes)
	if err != nil {
		return nil, err
	}
	if err := c.slot.acquire(c.ctx); err != nil {
		wire.Release()
		return nil, err
	}
	if encoding == identity {
		return wire, nil
	}
	defer wire.Release()
	return c.server.decode(wire.data, encoding)
}

// collect reads what is left of the body of r, without a slot, as it is sent.
func (c *call) collect(r *http.Request, limit int64) (*Body, error) {
	c.slot.release()
	collected := &Body{room: &c.server.bodies}
	if r.Body == nil || r.ContentLength == 0 {
		return collected, collected.grow(0)
	}
	if r.ContentLength > limit {
		return nil, tooLarge("the body", limit)
	}
	read := r.Body.Read
	if c.body != nil {
		read = c.body.read
	}
	// What a client announces is no reason to make room for it, but up to here.
	const trusted = 256 << 10
	step := 16 << 10
	if r.ContentLength > 0 {
		step = int(min(r.ContentLength, trusted)) + 1
		limit = r.ContentLength // net/http gives no more
	}
	err := collected.fill(read, step, limit)
	if err != nil {
		collected.Release()
		return nil, err
	}
	return collected, nil
}

// fill appends what read gives until its end, or until there are more than limit bytes.
// It makes room for step bytes first, and then for as many as there are.
func (b *Body) fill(read func([]byte) (int, error), step int, limit int64) error {
	for {
		if len(b.data)+padding >= cap(b.data) {
			more := min(int64(max(step, len(b.data))), limit+1-int64(len(b.data)))
			if err := b.grow(int(more)); err != nil {
				return err
			}
		}
		n, err := read(b.data[len(b.data) : cap(b.data)-padding])
		b.data = b.data[:len(b.data)+n]
		if int64(len(b.data)) > limit {
			return tooLarge("the body", limit)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// collectQuery reads the body of a query, a form in most cases, before it gets its slot.
func (c *call) collectQuery(r *http.Request) error {
	if c.body == nil {
		return nil
	}
	collected, err := c.collect(r, c.server.limits.QueryBytes)
	if err != nil {
		return err
	}
	c.query, c.body = collected, nil
	r.Body = io.NopCloser(bytes.NewReader(collected.data))
	return nil
}

func tooLarge(what string, limit int64) *Error {
	return &Error{Status: 413, Code: CodeTooLarge, Message: what + " is larger than " + sizeText(limit) + "; nothing of it was stored, send it in smaller parts"}
}
