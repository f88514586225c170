package ingest

import (
	"context"
	"errors"

	"github.com/sydradb/sydradb"
)

// committer writes chunks in its own goroutine, so that the next chunk is parsed
// while the database works on this one.
type committer struct {
	db        Database
	committed func(Progress)
	refused   func(*DeclinedError)
	full      chan *chunk
	free      chan *chunk
	ended     chan struct{}

	batch    sydradb.Batch
	points   int64         // acknowledged
	expired  int64         // left out
	declined int64         // not taken by the database
	failed   chan struct{} // closed when err is set
	err      error
}

func newCommitter(db Database, committed func(Progress), refused func(*DeclinedError)) *committer {
	const chunks = 3 // one being filled, one written, one between
	c := &committer{
		db:        db,
		committed: committed,
		refused:   refused,
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
			if err := c.write(chunk); err != nil {
				c.err = err
				close(c.failed)
			} else {
				c.acknowledge(chunk.progress)
			}
		}
		c.free <- chunk
	}
}

// acknowledge reports a chunk that was written. p counts the points that expired since
// they were read, or were declined, as committed.
func (c *committer) acknowledge(p Progress) {
	p.Points -= c.expired + c.declined
	p.Refused, p.Expired = p.Refused+c.expired+c.declined, c.expired
	c.points = p.Points
	if c.committed != nil {
		c.committed(p)
	}
}

// write stores the points of a chunk. One that was read is always finished, so an
// interrupt does not reach it; a database that cannot keep up slows the input down.
func (c *committer) write(k *chunk) error {
	for {
		c.batch.Reset()
		for _, p := range k.points {
			c.batch.Add(p.series, p.ts, p.value)
		}
		err := c.db.Write(context.Background(), &c.batch)
		var (
			refused  *sydradb.PointError
			declined *DeclinedError
		)
		switch {
		case errors.As(err, &declined):
			c.declined += int64(declined.Points)
			if c.refused != nil {
				c.refused(declined)
			}
			return nil
		case errors.Is(err, sydradb.ErrOverloaded):
		case errors.As(err, &refused) && errors.Is(err, sydradb.ErrTooOld):
			c.leaveOut(k, refused.Index)
		default:
			return err
		}
	}
}

// leaveOut drops the point at index, and all others that retention has let go since
// they were read.
func (c *committer) leaveOut(k *chunk, index int) {
	kept := k.points[:0]
	for i, p := range k.points {
		if i == index || p.ts < c.db.Horizon(p.series.Name()) {
			c.expired++
		} else {
			kept = append(kept, p)
		}
	}
	k.points = kept
}

func (c *committer) hasFailed() bool {
	select {
	case <-c.failed:
		return true
	default:
		return false
	}
}

// close waits for all chunks and returns the number of points acknowledged, and of those
// that expired or were declined.
func (c *committer) close() (points, expired, declined int64, err error) {
	close(c.full)
	<-c.ended
	return c.points, c.expired, c.declined, c.err
}
