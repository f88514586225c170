package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/frame"
)

// A log file is a sequence of frames (package frame), each with one record as its
// payload. Integers are little-endian.
//
//	0      1         9             17              n
//	+------+---------+-------------+---------------+
//	| type | lsn u64 | durable u64 | body          |
//	+------+---------+-------------+---------------+
//
//	type     one of the constants below
//	lsn      number of the record: 1 + that of the record before it, across files;
//	         below MaxLSN
//	durable  highest LSN known to be on disk when the record was sealed, below lsn.
//	         It tells a torn tail from damage: see proofOfSync in walk.go.
//
//	Header body   uuid [16]                         first record of each file
//	Mark body     empty
//	Batch body    drawn in batch.go
//	Delete body   drawn in delete.go
//
// A type 1 record, of version 0 directories only, has neither lsn nor durable:
//
//	0      1               9        17          25
//	+------+---------------+--------+-----------+
//	| 1    | series id u64 | ts i64 | value f64 |
//	+------+---------------+--------+-----------+
const (
	TypePut    byte = 1 // one point; version 0 directories only, damage in a log of ours
	TypeBatch  byte = 2 // registrations and rows
	TypeDelete byte = 3 // series and a range of time to forget
	TypeHeader byte = 4 // first record of a file: whose log this is
	TypeMark   byte = 5 // all before it is on disk: clean stop, or nothing to do
	TypeAttach byte = 6 // reserved: files that join the database at this point
)

const (
	// MaxLSN bounds the numbers of records: all are below it.
	MaxLSN = base.LSN(1) << 56

	// MaxBatchBytes is the greatest length of a Batch frame that a writer may append.
	MaxBatchBytes = 32 << 20

	lenSize      = 4 // of the frame
	lsnOffset    = 1
	durOffset    = 9
	recordHeader = 17
	minFrame     = frame.Overhead + recordHeader
	uuidSize     = 16
	headerFrame  = minFrame + uuidSize
	putBody      = 24
)

// A Record is one record of a log.
type Record struct {
	File    string   // path of the file that holds it
	Offset  int64    // of its frame
	Type    byte     // TypeBatch, ...
	LSN     base.LSN // 0 for TypePut
	Durable base.LSN // 0 for TypePut
	Body    []byte   // after the numbers; valid only during the call that it is given to
}

// Corrupt returns the CorruptionError that says that r, though its checksum matches,
// cannot be what was written. For callers that decode or apply bodies.
func (r Record) Corrupt(err error) error {
	return &base.CorruptionError{File: r.File, Offset: r.Offset, Part: r.part(), Err: err}
}

func (r Record) part() string {
	if r.Type == TypePut {
		return "record of type 1"
	}
	return fmt.Sprintf("record %d", r.LSN)
}

// Seal finishes a frame that was built ahead, by AppendBatch say: it writes lsn,
// durable and the checksum. frame must be one whole frame of a record.
func Seal(f []byte, lsn, durable base.LSN) {
	binary.LittleEndian.PutUint64(f[lenSize+lsnOffset:], uint64(lsn))
	binary.LittleEndian.PutUint64(f[lenSize+durOffset:], uint64(durable))
	frame.Seal(f)
}

// checkFrame tells whether f looks like one whole frame that Seal can finish.
func checkFrame(f []byte) error {
	n, err := frame.PayloadLen(f)
	switch {
	case err != nil:
		return err
	case n < recordHeader || n+frame.Overhead != len(f):
		return fmt.Errorf("a frame of %d bytes claims a payload of %d", len(f), n)
	}
	return nil
}

// begin starts a frame with zeros for lsn and durable.
func begin(dst []byte, kind byte) []byte {
	var head [recordHeader]byte
	head[0] = kind
	return append(frame.Begin(dst), head[:]...)
}

// AppendRecord appends a whole frame with the type and the body of r to dst, but for lsn,
// durable and checksum, as AppendBatch does: the log of a copy takes over records so.
func AppendRecord(dst []byte, r Record) []byte {
	start := len(dst)
	return frame.EndUnsealed(append(begin(dst, r.Type), r.Body...), start)
}

func appendHeader(dst []byte, uuid [uuidSize]byte) []byte {
	start := len(dst)
	dst = append(begin(dst, TypeHeader), uuid[:]...)
	return frame.EndUnsealed(dst, start)
}

func appendMark(dst []byte) []byte {
	return frame.EndUnsealed(begin(dst, TypeMark), len(dst))
}

var (
	errShortRecord = errors.New("too short for a record")
	errPut         = errors.New("a record of version 0")
	errType        = errors.New("unknown record type")
	errLSN         = errors.New("record number out of range")
)

// parse splits a payload. It accepts every type that a file may hold, TypePut too, and
// sees to it that what the numbers say is possible at all.
func parse(payload []byte) (r Record, err error) {
	if len(payload) == 0 {
		return r, errShortRecord
	}
	r.Type = payload[0]
	if r.Type == TypePut {
		if len(payload) != 1+putBody {
			return r, fmt.Errorf("%w: a record of type 1 has %d bytes", errShortRecord, len(payload))
		}
		r.Body = payload[1:]
		return r, nil
	}
	if !knownType(r.Type) {
		return r, fmt.Errorf("%w %d", errType, r.Type)
	}
	if len(payload) < recordHeader {
		return r, errShortRecord
	}
	r.LSN = base.LSN(binary.LittleEndian.Uint64(payload[lsnOffset:]))
	r.Durable = base.LSN(binary.LittleEndian.Uint64(payload[durOffset:]))
	r.Body = payload[recordHeader:]
	if r.LSN == 0 || r.LSN >= MaxLSN || r.Durable >= r.LSN {
		return r, fmt.Errorf("%w: %d, durable %d", errLSN, r.LSN, r.Durable)
	}
	return r, nil
}

// knownType reports whether t may stand in a log of ours.
func knownType(t byte) bool { return t >= TypeBatch && t <= TypeAttach }

// DecodePut decodes the body of a TypePut record. The unit of ts is that of the
// version 0 directory, as a rule seconds.
func DecodePut(body []byte) (id base.SeriesID, ts int64, value float64, err error) {
	if len(body) != putBody {
		return 0, 0, 0, errShortRecord
	}
	id = base.SeriesID(binary.LittleEndian.Uint64(body))
	ts = int64(binary.LittleEndian.Uint64(body[8:]))
	value = math.Float64frombits(binary.LittleEndian.Uint64(body[16:]))
	return id, ts, value, nil
}
