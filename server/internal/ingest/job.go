package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sydradb/sydradb"
)

// Database is what a Job needs of a *sydradb.DB.
type Database interface {
	Resolver
	Write(ctx context.Context, b *sydradb.Batch) error
}

// The size of a chunk: large enough that its costs are spread over many points, small
// enough that little is lost of an interrupted run, and far from the limit of a batch.
const (
	chunkPoints = 5000
	chunkBytes  = 4 << 20

	// blockBytes is what is read at a time.
	blockBytes = 256 << 10
	// idleTime is how long an input may pause before what it brought is committed.
	idleTime = 200 * time.Millisecond
)

// Progress counts what a Job has done. Lines are those of all inputs one after the
// other, as if they were one file.
type Progress struct {
	Points  int64 // committed
	Refused int64 // records, or fields of them, that were not taken
	Rounded int64 // integers among the points that no float64 can hold exactly
	Lines   int64 // all lines up to here are committed or refused
}

// Job reads inputs and commits their points. Set the fields, then call Run for each
// input in turn, and Finish.
type Job struct {
	DB     Database
	Format Format // of the next input
	Parser ParserOptions

	// Committed is called after each chunk that the database has acknowledged, from
	// another goroutine than that of Run, but never twice at a time.
	Committed func(Progress)
	// RefusedLine is called for each record that was refused, or whose fields were,
	// with the line that it begins with, from the goroutine of Run.
	RefusedLine func(input string, line int, o Outcome)

	now       Progress // what was read, committed or not
	committer *committer
	chunk     *chunk
}

// chunk is a batch on its way and what was read up to its end.
type chunk struct {
	batch    sydradb.Batch
	bytes    int
	progress Progress
}

func (c *chunk) Add(s *sydradb.Series, ts int64, value float64) { c.batch.Add(s, ts, value) }

// Run reads in to its end. When ctx ends, or the input fails, the whole records read
// so far are committed, and Run returns the error. After an error of ctx a goroutine may still
// wait in in.Read, so in must not be closed.
func (j *Job) Run(ctx context.Context, in *Input) error {
	if j.committer == nil {
		j.committer = newCommitter(j.DB, j.Committed)
		j.chunk = <-j.committer.free
	}
	cache := NewCache(j.DB)
	f := &fileRun{
		Job:    j,
		name:   in.Name,
		cache:  cache,
		parser: NewParser(j.Format, cache, j.Parser),
		before: j.now.Lines,
		cut:    records{format: j.Format, comma: ','},
	}
	if c := j.Parser.CSV.Comma; c != 0 && c < 0x80 {
		f.cut.comma = byte(c)
	}
	return f.run(ctx, in)
}

// Finish commits what is left and returns what was done in all. It must be called
// once, also after an error of Run.
func (j *Job) Finish() (Progress, error) {
	if j.committer == nil {
		return j.now, nil
	}
	j.commit()
	points, err := j.committer.close()
	done := j.now
	done.Points = points
	return done, err
}

// commit hands the chunk over and takes an empty one, which may have to be waited for.
func (j *Job) commit() {
	if j.chunk.batch.Len() == 0 {
		return
	}
	j.now.Points += int64(j.chunk.batch.Len())
	j.chunk.progress = j.now
	j.committer.full <- j.chunk
	j.chunk = <-j.committer.free
	j.chunk.bytes = 0
	j.chunk.batch.Reset()
}

// UnusableError means that an input makes no sense as a whole, such as a CSV file whose
// header has no time.
type UnusableError struct {
	Input string
	Err   error
}

// Error names the input and the reason.
func (e *UnusableError) Error() string { return e.Input + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *UnusableError) Unwrap() error { return e.Err }

// fileRun is the state of one Run.
type fileRun struct {
	*Job
	name   string
	cache  *Cache
	parser Parser
	cut    records
	before int64 // lines of the inputs before this one
}

func (f *fileRun) run(ctx context.Context, in io.Reader) error {
	reader := newBlockReader(in)
	defer reader.stop()
	idle := time.NewTimer(idleTime)
	defer idle.Stop()
	for {
		idle.Reset(idleTime)
		select {
		case b := <-reader.blocks:
			f.cut.add(b.bytes)
			if b.err == io.EOF {
				f.cut.end() // after another error a rest without its line end is no record
			}
			if err := f.parse(); err != nil {
				return err
			}
			if b.err == io.EOF {
				return nil
			}
			if b.err != nil {
				f.commit()
				return b.err
			}
			reader.free <- b.bytes
		case <-idle.C:
			f.commit()
		case <-f.committer.failed:
			return f.committer.err
		case <-ctx.Done():
			f.commit()
			return ctx.Err()
		}
	}
}

// parse takes all whole records that are there.
func (f *fileRun) parse() error {
	for {
		record, tooLong, ok := f.cut.next()
		if !ok {
			return nil
		}
		var o Outcome
		if tooLong {
			o = refused(fmt.Errorf("longer than %d MiB", maxRecord>>20))
		} else {
			o = f.parser.Parse(record, f.chunk)
		}
		f.now.Lines = f.before + int64(f.cut.line)
		f.now.Refused += int64(o.Refused)
		f.now.Rounded += int64(o.Rounded)
		if o.Refused > 0 {
			f.RefusedLine(f.name, f.cut.first, o)
		}
		if err := f.parser.Err(); err != nil {
			return &UnusableError{f.name, err}
		}
		f.chunk.bytes += len(record) + f.cache.takeNewBytes()
		if f.chunk.batch.Len() >= chunkPoints || f.chunk.bytes >= chunkBytes {
			f.commit()
			if f.committer.hasFailed() {
				return f.committer.err
			}
		}
	}
}

// blockReader reads ahead of the parser, in a goroutine of its own, so that a pause of
// a pipe can be noticed.
type blockReader struct {
	blocks chan block
	free   chan []byte
	done   chan struct{}
}

// block is what one Read returned.
type block struct {
	bytes []byte
	err   error
}

func newBlockReader(in io.Reader) *blockReader {
	const blocks = 3 // one being filled, one parsed, one between
	r := &blockReader{
		blocks: make(chan block),
		free:   make(chan []byte, blocks),
		done:   make(chan struct{}),
	}
	for range blocks {
		r.free <- make([]byte, blockBytes)
	}
	go r.run(in)
	return r
}

func (r *blockReader) run(in io.Reader) {
	for {
		var buf []byte
		select {
		case buf = <-r.free:
		case <-r.done:
			return
		}
		n, err := in.Read(buf[:cap(buf)])
		if n == 0 && err == nil {
			r.free <- buf
			continue
		}
		select {
		case r.blocks <- block{buf[:n], err}:
		case <-r.done:
			return
		}
		if err != nil {
			return
		}
	}
}

// stop ends the goroutine as soon as its current Read returns, which for a pipe or a
// terminal may be never.
func (r *blockReader) stop() { close(r.done) }

// committer writes chunks in its own goroutine, so that the next chunk is parsed
// while the database works on this one.
type committer struct {
	db        Database
	committed func(Progress)
	full      chan *chunk
	free      chan *chunk
	ended     chan struct{}

	points int64         // acknowledged
	failed chan struct{} // closed when err is set
	err    error
}

func newCommitter(db Database, committed func(Progress)) *committer {
	const chunks = 3 // one being filled, one written, one between
	c := &committer{
		db:        db,
		committed: committed,
		full:      make(chan *chunk, chunks),
		free:      make(chan *chunk, chunks),
		ended:     make(chan struct{}),
		failed:    make(chan struct{}),
	}
	for range chunks {
		c.free <- &chunk{}
	}
	go c.run()
	return c
}

func (c *committer) run() {
	defer close(c.ended)
	for chunk := range c.full {
		if c.err == nil {
			if err := c.write(&chunk.batch); err != nil {
				c.err = err
				close(c.failed)
			} else {
				c.points = chunk.progress.Points
				if c.committed != nil {
					c.committed(chunk.progress)
				}
			}
		}
		c.free <- chunk
	}
}

// write stores the batch. A chunk that was read is always finished, so an interrupt
// does not reach it; a database that cannot keep up slows the input down.
func (c *committer) write(b *sydradb.Batch) error {
	for {
		err := c.db.Write(context.Background(), b)
		if !errors.Is(err, sydradb.ErrOverloaded) {
			return err
		}
	}
}

func (c *committer) hasFailed() bool {
	select {
	case <-c.failed:
		return true
	default:
		return false
	}
}

// close waits for all chunks and returns the number of points acknowledged.
func (c *committer) close() (int64, error) {
	close(c.full)
	<-c.ended
	return c.points, c.err
}
