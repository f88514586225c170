package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	iofs "io/fs"
	"math"
	"path"

	"github.com/zeebo/blake3"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/blocks"
	"github.com/sydradb/sydradb/internal/codec"
	"github.com/sydradb/sydradb/internal/fsys"
)

const (
	writeBytes   = 256 << 10 // handed to the file at once
	sharedPoints = 1024      // of a block that several hours share
	alonePoints  = 200       // of an hour that is a block by itself
	cheapPoints  = 2048      // of a block that such hours share where values are cheap

	// Values are cheap if they take less than 28/100 of a byte each beside the tables of their
	// code, which are of about this size however many they are.
	cheapHundredths = 28
	codeTableBytes  = 24

	entryRefBytes = 8 + 1 // of an entry in the index beside itself: id and length
)

// What is refused on the way into a pack.
var (
	errBucket   = errors.New("not within the bucket")
	errTwice    = errors.New("series was written before")
	errTooMany  = errors.New("too many points for one file")
	errFinished = errors.New("writer is finished")
)

// PackOptions say which pack is written.
type PackOptions struct {
	NowMS  int64 // number of the job; a pack with this and Part must never have existed
	Bucket int64 // start of the hour or day, Unix ns
	Width  int64 // base.Hour or base.Day
	Part   int   // tells apart the packs that one job writes into the bucket; from 0

	Policy codec.Policy // Fast for what is merged soon
}

// PackWriter writes one pack. Points go to the file as they come; in memory are the block
// being filled, the index, of some 40 bytes a series, and a table of at most 4 MiB that
// finds equal columns of timestamps again. It belongs to one goroutine. An error of any
// method but Abort is final: the writer refuses all that follows with the same error.
type PackWriter struct {
	fs   fsys.FS
	opts PackOptions
	temp string
	file fsys.File
	hash *blake3.Hasher
	err  error

	buf     []byte // not handed to the file yet
	written int64  // handed to the file

	// The series being written: its points that are in no block yet, and its entry.
	series    PackSeries // without Blocks and Count
	open      bool
	ts        []int64
	values    []float64
	hour      int   // index in ts of the first point of the last hour
	hourEnd   int64 // of the last hour, exclusive
	cut       bool  // blocks of the last hour have been written
	last      int64 // timestamp
	entry     []byte
	valuesEnd int64
	cheap     bool // the values of its last block are

	encoder codec.Encoder
	columns columnTable
	shared  []sharedColumn
	refs    blocks.Array[entryRef] // in the order in which series ended
	entries blocks.Blob            // each with its length as a varint before it
	footer  packFooter

	entryBytes int64  // in entries
	scratch    []byte // for what is put together
}

// entryRef is where the entry of a series is.
type entryRef struct {
	id  base.SeriesID
	ref blocks.Ref
}

// CreatePack begins a pack, under a temporary name in the directory of its bucket, which
// is made if it is missing.
func CreatePack(fs fsys.FS, opts PackOptions) (*PackWriter, error) {
	if err := validBucket(opts.Bucket, opts.Width); err != nil {
		return nil, fmt.Errorf("create pack: %w", err)
	}
	// The first and last timestamp, which the final name has, are not known yet.
	temp := base.PackFile(opts.Bucket, opts.Bucket, opts.Bucket, opts.NowMS, opts.Part) + base.TempSuffix
	file, err := fs.Create(temp)
	if errors.Is(err, iofs.ErrNotExist) {
		if err = fs.MkdirAll(path.Dir(temp)); err == nil {
			file, err = fs.Create(temp)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("create pack: %w", err)
	}
	return &PackWriter{
		fs: fs, opts: opts, temp: temp, file: file, hash: blake3.New(),
		buf:     appendPackHeader(make([]byte, 0, writeBytes), opts.Bucket, opts.Width),
		encoder: codec.Encoder{Policy: opts.Policy},
		footer:  packFooter{start: math.MaxInt64, end: math.MinInt64},
	}, nil
}

// Append adds points of series id. Series come in the order in which their columns are to
// lie, those that are read together beside one another. The points of one may come in
// several calls, rising in time over all of them; it ends when another begins. All must
// lie in the bucket. A series that comes back is found by Finish at the latest. How the
// points are spread over calls does not change the file. Nothing of ts and values is
// kept; without points nothing happens.
func (w *PackWriter) Append(id base.SeriesID, ts []int64, values []float64) error {
	if w.err != nil {
		return w.err
	}
	if err := w.append(id, ts, values); err != nil {
		return w.fail(fmt.Errorf("pack of bucket %d, series %x: %w", w.opts.Bucket, uint64(id), err))
	}
	return nil
}

func (w *PackWriter) append(id base.SeriesID, ts []int64, values []float64) error {
	if len(ts) != len(values) {
		return errColumns
	}
	if len(ts) == 0 {
		return nil
	}
	if ts[0] < w.opts.Bucket || ts[len(ts)-1] >= w.opts.Bucket+w.opts.Width {
		return fmt.Errorf("%w: points from %d to %d", errBucket, ts[0], ts[len(ts)-1])
	}
	if !w.open || id != w.series.ID {
		if err := w.endSeries(); err != nil {
			return err
		}
		w.beginSeries(id)
	}
	for len(ts) > 0 {
		if ts[0] >= w.hourEnd {
			if err := w.closeHour(); err != nil {
				return err
			}
			w.hourEnd = base.BucketStart(ts[0]) + base.Hour
		}
		n, err := w.rising(ts[:min(len(ts), maxBlockPoints-len(w.ts)+w.hour)])
		if err != nil {
			return err
		}
		w.ts, w.values = append(w.ts, ts[:n]...), append(w.values, values[:n]...)
		w.last = ts[n-1]
		ts, values = ts[n:], values[n:]
		if len(w.ts)-w.hour == maxBlockPoints {
			if err := w.cutHour(); err != nil {
				return err
			}
		}
	}
	return nil
}

// rising returns how many timestamps belong to the last hour, the first one does.
func (w *PackWriter) rising(ts []int64) (n int, err error) {
	last := w.last
	for n < len(ts) && ts[n] < w.hourEnd {
		if ts[n] <= last {
			return 0, fmt.Errorf("%w: %d after %d", errUnsorted, ts[n], last)
		}
		last = ts[n]
		n++
	}
	return n, nil
}

func (w *PackWriter) beginSeries(id base.SeriesID) {
	w.series = PackSeries{ID: id, TimestampCodec: codec.TimestampsStream, ValueCodec: codec.ValuesStream}
	w.open = true
	w.last, w.hourEnd = math.MinInt64, math.MinInt64
	w.entry = append(w.entry[:0], w.series.TimestampCodec|w.series.ValueCodec<<4)
	w.valuesEnd = 0
	w.cheap = false
}

// closeHour decides what becomes of the last hour and those before it, which wait for
// company. An hour of many points stays alone, so that its statistics are those of an hour;
// others share a block, which would cost more than they gain by statistics. So do hours of
// many points that follow a block whose values took next to nothing: its statistics, and the
// tables of its code, took nearly as much.
func (w *PackWriter) closeHour() error {
	if w.cut {
		w.cut = false
		return w.writePoints(len(w.ts)) // the rest of an hour stays alone
	}
	alone, most := len(w.ts)-w.hour >= alonePoints, sharedPoints
	if alone && w.cheap {
		alone, most = false, cheapPoints
	}
	if alone || len(w.ts) > most {
		if err := w.writePoints(w.hour); err != nil {
			return err
		}
	}
	if alone {
		return w.writePoints(len(w.ts))
	}
	w.hour = len(w.ts)
	return nil
}

// cutHour writes the last hour, which goes on, and what is before it.
func (w *PackWriter) cutHour() error {
	w.cut = true
	if err := w.writePoints(w.hour); err != nil {
		return err
	}
	return w.writePoints(len(w.ts))
}

func (w *PackWriter) endSeries() error {
	if !w.open {
		return nil
	}
	w.open = false
	if err := w.closeHour(); err != nil {
		return err
	}
	if err := w.writePoints(len(w.ts)); err != nil {
		return err
	}
	w.scratch = binary.AppendUvarint(w.scratch[:0], uint64(len(w.entry)))
	w.scratch = append(w.scratch, w.entry...)
	*w.refs.Slot(w.refs.Len()) = entryRef{w.series.ID, w.entries.Append(w.scratch)}
	w.entryBytes += int64(len(w.entry))
	return nil
}

// writePoints writes the first n points that wait as a block.
func (w *PackWriter) writePoints(n int) error {
	if n == 0 {
		return nil
	}
	if w.footer.points+uint64(n) > maxPoints {
		return errTooMany
	}
	if err := w.writeBlock(w.ts[:n], w.values[:n]); err != nil {
		return err
	}
	w.ts = w.ts[:copy(w.ts, w.ts[n:])]
	w.values = w.values[:copy(w.values, w.values[n:])]
	w.hour = max(0, w.hour-n)
	if len(w.buf) >= writeBytes {
		return w.flush()
	}
	return nil
}

func (w *PackWriter) writeBlock(ts []int64, values []float64) error {
	b := PackBlock{Count: len(ts), First: ts[0], Last: ts[len(ts)-1]}
	column, err := w.writeTimestamps(ts)
	if err != nil {
		return err
	}
	b.TimestampOffset, b.TimestampBytes = column.offset, column.bytes
	at := len(w.buf)
	b.ValueOffset = w.written + int64(at)
	if w.buf, err = w.encoder.AppendValues(w.buf, w.series.ValueCodec, values); err != nil {
		return err
	}
	b.ValueBytes = len(w.buf) - at
	// What is written fast is merged soon, hour by hour, and its statistics are read until then.
	w.cheap = w.opts.Policy != codec.Fast && 100*(b.ValueBytes-codeTableBytes) < cheapHundredths*b.Count
	w.scratch = blockHead(w.scratch[:0], &w.series, &b, column.crc)
	b.crc = crc32.Update(crc32.Checksum(w.scratch, castagnoli), castagnoli, w.buf[at:])
	b.Stats, b.HasStats = statsOf(values)
	exponent, decimal := codec.Exponent(w.series.ValueCodec, w.buf[at:])
	if !decimal {
		exponent = -1
	}
	w.entry = appendBlock(w.entry, &b, w.opts.Bucket, column.shared, w.valuesEnd, exponent)
	w.valuesEnd = b.ValueOffset + int64(b.ValueBytes)
	f := &w.footer
	f.blocks++
	f.points += uint64(b.Count)
	f.start, f.end = min(f.start, b.First), max(f.end, b.Last)
	return nil
}

// writeTimestamps returns the column that ts is in the file, writing it if need be. From
// its second use on it is in the list of shared columns, while that has room.
func (w *PackWriter) writeTimestamps(ts []int64) (writtenColumn, error) {
	found, hash := w.columns.find(ts)
	if found != nil {
		if found.shared < 0 && len(w.shared) < w.maxShared() {
			found.shared = len(w.shared)
			w.shared = append(w.shared, sharedColumn{found.offset, uint32(found.bytes), uint32(len(ts)), ts[0], ts[len(ts)-1]})
		}
		return *found, nil
	}
	at := len(w.buf)
	var err error
	if w.buf, err = w.encoder.AppendTimestamps(w.buf, w.series.TimestampCodec, ts); err != nil {
		return writtenColumn{}, err
	}
	c := writtenColumn{
		offset: w.written + int64(at),
		bytes:  len(w.buf) - at,
		crc:    crc32.Checksum(w.buf[at:], castagnoli),
		shared: -1,
	}
	w.columns.put(ts, c, hash)
	return c, nil
}

// maxShared bounds the list of shared columns, which is in memory while the pack is open:
// a column that it has no room for takes a few bytes more in each entry.
func (w *PackWriter) maxShared() int {
	return int(min(1<<12+w.footer.blocks/16, 1<<16))
}

// flush hands to the file what it has not got yet.
func (w *PackWriter) flush() error {
	if _, err := w.file.Write(w.buf); err != nil {
		return err
	}
	_, _ = w.hash.Write(w.buf) // never fails
	w.written += int64(len(w.buf))
	w.buf = w.buf[:0]
	return nil
}

// Len returns how many series have been begun.
func (w *PackWriter) Len() int {
	n := int(w.refs.Len())
	if w.open {
		n++
	}
	return n
}

// Points returns how many points have been written in blocks: those that wait for one,
// of the last series, are not counted.
func (w *PackWriter) Points() int64 { return int64(w.footer.points) }

// Size returns how large the file would be if it were finished, in bytes, but for the
// points that wait for a block and a few bytes for each thousand of the index.
func (w *PackWriter) Size() int64 {
	return w.written + int64(len(w.buf)) + w.IndexBytes() + packFooterBytes
}

// IndexBytes returns the part of Size that is the index, which is in memory until Finish.
func (w *PackWriter) IndexBytes() int64 {
	return w.entryBytes + int64(len(w.entry)) + int64(w.refs.Len())*entryRefBytes
}

// fail closes and removes the file, and is what every later call returns.
func (w *PackWriter) fail(err error) error {
	w.Abort()
	w.err = err
	return err
}

// Abort gives up the pack and removes what there is of it. After Finish, or a second
// time, it does nothing.
func (w *PackWriter) Abort() {
	if errors.Is(w.err, errFinished) {
		return
	}
	w.err = errFinished
	if w.file != nil {
		_ = w.file.Close()
		w.file = nil
	}
	// A file that cannot be removed now goes when the database opens.
	_ = w.fs.Remove(w.temp)
}
