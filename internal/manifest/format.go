package manifest

import (
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// MANIFEST, format 1. Lines of JSON without white space, each ended by '\n'. A line is
// one edit, drawn here on several lines:
//
//	{"edit":7,                                   number, one more than the line before
//	 "prev":"9ae0daaf",                          crc32 of the line before; "" in the first
//	 "wall":1700000000123,                       Unix ms
//	 "next_ms":1700000000124,
//	 "flushed_lsn":4711,
//	 "catalog":{"generation":1,"bytes":65536,"crc":"5a0f21c7"},
//	 "add":[entry,...,delete file,...],          left out if empty
//	 "remove":["segments/0/1-0-9-5.seg",...],    left out if empty
//	 "horizon":{"":0,"weather":3600000000000},   left out if empty
//	 "last_lsn":4712,                            left out if 0: not a clean close
//	 "crc32":"5bd1e995"}                         CRC-32 IEEE of the line before ,"crc32"
//
// An entry is a live segment file. Version 0 wrote one to a line, with the first six
// members and without a checksum:
//
//	{"series_id":1,"hour_bucket":0,"start_ts":0,"end_ts":9,"count":10,
//	 "path":"segments/0/1-0-9-5.seg",
//	 "seq":4711,"edit":7,"wall":1700000000123,"bytes":131,"blake3":"<64 hex>",
//	 "applied":4720,                             left out if 0
//	 "width":86400000000000,                     packs alone; left out for an hour
//	 "segments":1000,"footer_crc":"c1d04330"}    packs alone, whose series_id is 0
//
// A delete file is the element of "add" that has an LSN:
//
//	{"path":"deletes/0000000000001267-1700000000123.del","lsn":4711,"edit":7,
//	 "start_ts":0,"end_ts":9,"bytes":64,"blake3":"<64 hex>"}
//
// CRCs are 8 lower-case hex digits, numbers are plain decimal integers, strings hold no
// escapes, the namespaces of "horizon" apart: see appendText. Members may come in any
// order, crc32 apart, and each stands once. A member not drawn here was written by a
// newer version: its line is refused, because an edit that is half understood is not an
// edit.
//
// Written by appendLine, read by checkLine and decodeEdit, pinned by testdata.

const (
	editStart = `{"edit":`
	crcMember = `,"crc32":"`
	crcDigits = 8
	crcTail   = len(crcMember) + crcDigits + len(`"}`)
)

// ErrNewer means that a line is sound but holds something this version does not know.
var ErrNewer = errors.New("written by a newer version of SydraDB")

var (
	errChecksum  = errors.New("checksum mismatch")
	errNoNewline = errors.New("line does not end")
	errUnknown   = errors.New("unknown member")
)

// appendLine appends the line of e, newline included, and returns its CRC. It checks
// nothing: see State.admit.
func appendLine(dst []byte, e *Edit) (line []byte, crc string) {
	start := len(dst)
	dst = appendUint(dst, editStart, e.Number)
	dst = append(dst, `,"prev":"`...)
	dst = append(dst, e.Prev...)
	dst = appendInt(dst, `","wall":`, e.Wall)
	dst = appendInt(dst, `,"next_ms":`, e.NextMS)
	dst = appendUint(dst, `,"flushed_lsn":`, uint64(e.FlushedLSN))
	dst = appendUint(dst, `,"catalog":{"generation":`, e.Catalog.Generation)
	dst = appendInt(dst, `,"bytes":`, e.Catalog.Bytes)
	if e.Catalog.CRC != "" {
		dst = append(dst, `,"crc":"`...)
		dst = append(dst, e.Catalog.CRC...)
		dst = append(dst, '"')
	}
	dst = append(dst, '}')
	if len(e.Add)+len(e.AddDeletes) > 0 {
		dst = append(dst, `,"add":`...)
		for i := range e.Add {
			dst = append(dst, separator(i))
			dst = appendEntry(dst, &e.Add[i])
		}
		for i := range e.AddDeletes {
			dst = append(dst, separator(len(e.Add)+i))
			dst = appendDelete(dst, &e.AddDeletes[i])
		}
		dst = append(dst, ']')
	}
	if len(e.Remove) > 0 {
		dst = append(dst, `,"remove":`...)
		for i, path := range e.Remove {
			dst = append(dst, separator(i), '"')
			dst = append(dst, path...)
			dst = append(dst, '"')
		}
		dst = append(dst, ']')
	}
	if len(e.Horizon) > 0 {
		dst = append(dst, `,"horizon":{`...)
		for i, namespace := range slices.Sorted(maps.Keys(e.Horizon)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendHorizon(dst, namespace, e.Horizon[namespace])
		}
		dst = append(dst, '}')
	}
	if e.LastLSN != 0 {
		dst = appendUint(dst, `,"last_lsn":`, uint64(e.LastLSN))
	}
	crc = checksum(dst[start:])
	dst = append(dst, crcMember...)
	dst = append(dst, crc...)
	return append(dst, "\"}\n"...), crc
}

// appendEntry appends e as it stands in an edit.
func appendEntry(dst []byte, e *Entry) []byte {
	dst = appendUint(dst, `{"series_id":`, uint64(e.SeriesID))
	dst = appendInt(dst, `,"hour_bucket":`, e.HourBucket)
	dst = appendInt(dst, `,"start_ts":`, e.StartTS)
	dst = appendInt(dst, `,"end_ts":`, e.EndTS)
	dst = appendInt(dst, `,"count":`, int64(e.Count))
	dst = append(dst, `,"path":"`...)
	dst = append(dst, e.Path...)
	dst = appendUint(dst, `","seq":`, uint64(e.Seq))
	dst = appendUint(dst, `,"edit":`, e.Edit)
	dst = appendInt(dst, `,"wall":`, e.Wall)
	dst = appendInt(dst, `,"bytes":`, e.Bytes)
	dst = append(dst, `,"blake3":"`...)
	dst = append(dst, e.BLAKE3...)
	dst = append(dst, '"')
	if e.Applied != 0 {
		dst = appendUint(dst, `,"applied":`, uint64(e.Applied))
	}
	if e.Width != 0 {
		dst = appendInt(dst, `,"width":`, e.Width)
	}
	if e.IsPack() {
		dst = appendInt(dst, `,"segments":`, int64(e.Segments))
		dst = append(dst, `,"footer_crc":"`...)
		dst = append(dst, e.FooterCRC...)
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

// appendDelete appends d as it stands in an edit.
func appendDelete(dst []byte, d *DeleteFile) []byte {
	dst = append(dst, `{"path":"`...)
	dst = append(dst, d.Path...)
	dst = appendUint(dst, `","lsn":`, uint64(d.LSN))
	dst = appendUint(dst, `,"edit":`, d.Edit)
	dst = appendInt(dst, `,"start_ts":`, d.StartTS)
	dst = appendInt(dst, `,"end_ts":`, d.EndTS)
	dst = appendInt(dst, `,"bytes":`, d.Bytes)
	dst = append(dst, `,"blake3":"`...)
	dst = append(dst, d.BLAKE3...)
	return append(dst, `"}`...)
}

// appendHorizon appends one member of "horizon".
func appendHorizon(dst []byte, namespace string, horizon int64) []byte {
	dst = appendText(dst, namespace)
	return appendInt(dst, ":", horizon)
}

// Bytes below 0x20 that have an escape of their own, and its letters.
const (
	escapedBytes  = "\b\f\n\r\t"
	escapeLetters = "bfnrt"
)

// appendText appends s, which is UTF-8, as a JSON string. Escaped are '"', '\' and what
// lies below 0x20, as in the canonical key of a series, and nothing else.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		c := s[i]
		short := strings.IndexByte(escapedBytes, c)
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case short >= 0:
			dst = append(dst, '\\', escapeLetters[short])
		case c < ' ':
			dst = fmt.Appendf(dst, `\u%04x`, c)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

func appendInt(dst []byte, member string, v int64) []byte {
	return strconv.AppendInt(append(dst, member...), v, 10)
}

func appendUint(dst []byte, member string, v uint64) []byte {
	return strconv.AppendUint(append(dst, member...), v, 10)
}

// separator is what stands before element i of a list.
func separator(i int) byte {
	if i == 0 {
		return '['
	}
	return ','
}

func checksum(b []byte) string {
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE(b))
}

// checkLine verifies the checksum of a line, given without its newline, and returns it.
func checkLine(line []byte) (crc string, err error) {
	body := len(line) - crcTail
	if body < 0 {
		return "", errChecksum
	}
	crc = checksum(line[:body])
	if string(line[body:]) != crcMember+crc+`"}` {
		return "", errChecksum
	}
	return crc, nil
}

// decodeEdit reads a line into e, whose lists are used again. The checksum has been
// verified. A member not drawn above gives an error that matches errUnknown.
func decodeEdit(line []byte, e *Edit) error {
	*e = Edit{Add: e.Add[:0], AddDeletes: e.AddDeletes[:0], Remove: e.Remove[:0]}
	p := parser{buf: line}
	p.edit(e)
	return p.finish()
}

// decodePlain reads a line of version 0, newline excluded.
func decodePlain(line []byte) (Entry, error) {
	p := parser{buf: line}
	e := p.plain()
	return e, p.finish()
}

// grow makes room for the entries that a list of n bytes may hold, so that a line of
// thousands of them is not copied again and again. A wrong guess costs only time.
func grow(entries []Entry, n int) []Entry {
	const usualBytes = 256
	return slices.Grow(entries, n/usualBytes)
}
