package ingest

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
)

// Database is what a Job needs of a *sydradb.DB, which may be another thing that stores
// points.
type Database interface {
	Resolver
	// Write stores a batch. Besides the errors of a DB it may return a *DeclinedError.
	Write(ctx context.Context, b *sydradb.Batch) error
	Horizon(name string) int64
}

// DeclinedError means that a batch was stored but for some of its points, which the
// database did not take and never will.
type DeclinedError struct {
	Points int
	Why    []string // explanations of the first of them, for people
}

// Error counts the points and has the first explanation.
func (e *DeclinedError) Error() string {
	text := fmt.Sprintf("%d points were not taken", e.Points)
	if len(e.Why) > 0 {
		text += ", the first because of " + e.Why[0]
	}
	return text
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
	Refused int64 // records, fields of them, or points, that were not taken
	Expired int64 // those of Refused that became too old between parser and database
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
	// Declined, if set, is called for each chunk of which the database did not take all
	// points, before Committed and from the same goroutine.
	Declined func(*DeclinedError)

	now       Progress // what was read, committed or not
	committer *committer
	chunk     *chunk

	horizons map[*sydradb.Series]int64 // of the series of this chunk: asked for once
}

// chunk is some points on their way and what was read up to their end.
type chunk struct {
	points   []point
	bytes    int
	progress Progress
}

type point struct {
	series *sydradb.Series
	ts     int64
	value  float64
}

// Run reads in to its end. When ctx ends, or the input fails, the whole records read
// so far are committed, and Run returns the error. After an error of ctx a goroutine may still
// wait in in.Read, so in must not be closed.
func (j *Job) Run(ctx context.Context, in *Input) error {
	if j.committer == nil {
		j.committer = newCommitter(j.DB, j.Committed, j.Declined)
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
	points, expired, declined, err := j.committer.close()
	done := j.now
	done.Points = points
	done.Refused, done.Expired = done.Refused+expired+declined, expired
	return done, err
}

// commit hands the chunk over and takes an empty one, which may have to be waited for.
func (j *Job) commit() {
	if len(j.chunk.points) == 0 {
		return
	}
	j.now.Points += int64(len(j.chunk.points))
	j.chunk.progress = j.now
	j.committer.full <- j.chunk
	j.chunk = <-j.committer.free
	j.chunk.bytes, j.chunk.points = 0, j.chunk.points[:0]
	clear(j.horizons)
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

// Add implements Points. A point that retention would not keep is refused here, where
// the line can be named.
func (f *fileRun) Add(s *sydradb.Series, ts int64, value float64) error {
	horizon, known := f.horizons[s]
	if !known {
		horizon = f.DB.Horizon(s.Name())
		if f.horizons == nil {
			f.horizons = make(map[*sydradb.Series]int64)
		}
		f.horizons[s] = horizon
	}
	if ts < horizon {
		return fmt.Errorf("%w: points before %s have expired", sydradb.ErrTooOld, literal.AppendClock(nil, horizon))
	}
	f.chunk.points = append(f.chunk.points, point{s, ts, value})
	return nil
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
			o = f.parser.Parse(record, f)
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
		if len(f.chunk.points) >= chunkPoints || f.chunk.bytes >= chunkBytes {
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
