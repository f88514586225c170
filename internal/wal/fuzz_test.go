package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/frame"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/fuzzing"
)

func FuzzDecodeBatch(f *testing.F) {
	add := func(regs []base.Registration, rows []base.Row) { f.Add([]byte(body(AppendBatch(nil, regs, rows)))) }
	add(nil, nil)
	add(nil, scrape(40, 8, false))
	add(nil, shuffled(60, 9))
	add([]base.Registration{{Ordinal: 3, ID: 4, Name: "a.b", Tags: []base.Tag{{Key: "k", Value: "v"}, {Key: "l", Value: "v"}}}, {ID: 5}}, scrape(5, 2, true))
	f.Fuzz(func(t *testing.T, src []byte) {
		var regs []base.Registration
		var rows []base.Row
		var d BatchDecoder
		var err error
		fuzzing.Bounded(t, len(src), func() {
			err = d.Decode(src, func(base.Registration) error { return nil }, func([]base.Row) error { return nil })
		})
		again := d.Decode(src, func(r base.Registration) error {
			r.Tags = slices.Clone(r.Tags)
			regs = append(regs, r)
			return nil
		}, func(r []base.Row) error {
			rows = append(rows, r...)
			return nil
		})
		if (err == nil) != (again == nil) {
			t.Fatalf("a used decoder says %v, a new one %v", again, err)
		}
		if err != nil {
			return
		}
		gotRegs, gotRows, err := decode(AppendBatch(nil, regs, rows))
		if err != nil || !slices.EqualFunc(gotRegs, regs, sameRegistration) || !slices.EqualFunc(gotRows, rows, sameRow) {
			t.Fatalf("what was decoded does not come back: %v", err)
		}
	})
}

// FuzzOpen opens a log of any bytes. With seal the checksums of what looks like frames
// are made right first, so that other checks than theirs are reached.
func FuzzOpen(f *testing.F) {
	_, log, offsets := sample(f)
	f.Add(log, uint64(0), uint64(0), false)
	f.Add(log[:offsets[7]+3], uint64(2), uint64(7), false)
	f.Add(flip(log, int(offsets[2])+9), uint64(3), uint64(0), true)
	f.Add(zero(log, offsets[4], offsets[5]), uint64(6), uint64(0), false)
	f.Add(make([]byte, 100), uint64(9), uint64(0), false)
	f.Fuzz(func(t *testing.T, log []byte, flushed, demand uint64, seal bool) {
		if seal {
			log = sealAll(bytes.Clone(log))
		}
		opts := OpenOptions{UUID: testUUID, Flushed: base.LSN(flushed % uint64(MaxLSN)), Demand: base.LSN(demand)}
		fs := fsys.NewMem()
		must(t, fs.MkdirAll(base.WALDir))
		writeFile(t, fs, base.CurrentWAL, log)
		var l *Log
		var report Report
		var got []seen
		var err error
		fuzzing.Bounded(t, len(log), func() {
			var opened error
			l, report, opened = Open(fs, opts, func(Record) error { return nil })
			err = opened
		})
		if err != nil {
			if !errors.Is(err, base.ErrCorrupt) || !bytes.Equal(readFile(t, fs, base.CurrentWAL), log) {
				t.Fatalf("refused, or changed, with %v", err)
			}
			return
		}
		must(t, l.Close())
		l, again, got, err := reopen(fs, opts)
		if err != nil || again.Torn != nil || len(got) < report.Records || again.Last < report.Last {
			t.Fatalf("first %+v, then %+v, %v", report, again, err)
		}
		next := l.Last() + 1
		for i, r := range got {
			if want := next - base.LSN(len(got)-i); r.lsn != want || r.lsn <= opts.Flushed {
				t.Fatalf("record %d where %d should be, flushed %d", r.lsn, want, opts.Flushed)
			}
		}
		checkUsable(t, fs, l, opts)
	})
}

// sealAll gives frames that are whole the checksum of their payload.
func sealAll(log []byte) []byte {
	for rest := log; ; {
		n, err := frame.PayloadLen(rest)
		if err != nil || n+frame.Overhead > len(rest) {
			return log
		}
		frame.Seal(rest[:n+frame.Overhead])
		rest = rest[n+frame.Overhead:]
	}
}

func FuzzScan(f *testing.F) {
	_, log, _ := sample(f)
	f.Add(log)
	put := binary.LittleEndian.AppendUint64([]byte{TypePut}, 1)
	f.Add(frame.End(append(append(frame.Begin(nil), put...), make([]byte, 16)...), 0))
	f.Fuzz(func(t *testing.T, log []byte) {
		log = sealAll(bytes.Clone(log))
		fs := fsys.NewMem()
		writeFile(t, fs, "file", log)
		end := int64(0)
		fuzzing.Bounded(t, len(log), func() {
			err := Scan(fs, "file", func(r Record) error {
				end = r.Offset + frame.Overhead + int64(len(r.Body))
				if r.Type == TypePut {
					end++
					_, _, _, err := DecodePut(r.Body)
					return err
				}
				end += recordHeader
				return nil
			})
			switch {
			case err != nil:
				wantDamage(t, err, "file", end)
			case end != int64(len(log)):
				t.Fatalf("ended well at %d of %d bytes", end, len(log))
			}
		})
	})
}

// TestManyCandidates gives find a file in which every few bytes look like the start of
// a long record: it has to give up instead of summing for ever.
func TestManyCandidates(t *testing.T) {
	fs := fsys.NewMem()
	must(t, mustCreate(t, fs).Close())
	log := readFile(t, fs, base.CurrentWAL)
	const tail = 8 << 20
	for len(log) < tail {
		start := len(log)
		log = binary.LittleEndian.AppendUint32(log, uint32(tail/2))
		log = append(log, TypeMark)
		log = binary.LittleEndian.AppendUint64(log, 3)
		log = binary.LittleEndian.AppendUint64(log, 2)
		if start < len(log)-21 {
			t.Fatal("candidate longer than expected")
		}
	}
	writeFile(t, fs, base.CurrentWAL, log)
	_, _, _, err := reopen(fs, OpenOptions{})
	wantDamage(t, err, base.CurrentWAL, headerFrame)
	if !errors.Is(err, errDoubt) {
		t.Fatalf("%v", err)
	}
}
