package catalog

import (
	"fmt"
	"hash/crc32"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/blocks"
	"github.com/sydradb/sydradb/internal/frame"
	"github.com/sydradb/sydradb/internal/fsys"
)

// readBytes is how much of a file is read at a time.
const readBytes = 1 << 20

// Scan calls fn for each frame in the first size bytes of a catalog file, -1 for the
// whole file, with the offset of the frame and its series, and changes nothing. A
// series comes twice, unless all that is known of it is its id: without name and tags
// in an ids frame, and later with them; and a series that was dead for a while comes
// again under a higher ordinal, which stands. The slices are the caller's. Scan stops at the
// first error of fn, and at the first damaged frame with a base.CorruptionError.
func Scan(fs fsys.FS, path string, size int64, fn func(offset int64, regs []base.Registration) error) error {
	var data frameData
	var ids blocks.Array[idEntry] // by ordinal
	var stopped error             // what fn said: not damage
	_, err := readFrames(fs, path, size, func(offset int64, payload []byte) error {
		if err := data.decode(string(payload)); err != nil {
			return err
		}
		stopped = fn(offset, data.registrations(&ids))
		return stopped
	})
	if stopped != nil {
		return stopped
	}
	return err
}

type idEntry struct {
	id    base.SeriesID
	known bool
}

// registrations returns the series of the frame. What ids a frame holds goes to ids,
// and those that it does not hold come from there.
func (f *frameData) registrations(ids *blocks.Array[idEntry]) []base.Registration {
	regs := make([]base.Registration, len(f.series))
	for i, s := range f.series {
		r := base.Registration{Ordinal: s.ordinal, ID: s.id}
		if s.name != 0 {
			r.Name = f.names[s.name-1]
		}
		for _, n := range f.tags(i) {
			r.Tags = append(r.Tags, base.Tag{Key: f.keys[f.pairs[n].key], Value: f.pairs[n].value})
		}
		if s.hasID {
			*ids.Slot(uint32(s.ordinal)) = idEntry{s.id, true}
		} else if e := ids.At(uint32(s.ordinal)); e.known {
			r.ID = e.id
		} else {
			r.ID = KeyID(AppendKey(nil, r.Name, r.Tags))
		}
		regs[i] = r
	}
	return regs
}

// Load puts the series in the first size bytes of a catalog file, -1 for the whole
// file, into c, and changes nothing on disk. Errors, and crc, are those of OpenFile.
func Load(fs fsys.FS, path string, size int64, crc string, c *Catalog) error {
	l := loader{c: c}
	sum, err := readFrames(fs, path, size, func(_ int64, payload []byte) error { return l.load(payload) })
	if err != nil {
		return err
	}
	return verify(path, sum, crc)
}

// castagnoli is the polynomial of the checksum of a file.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// CRC returns the checksum of the bytes of a catalog, as OpenFile takes it.
func CRC(data []byte) string { return formatCRC(crc32.Checksum(data, castagnoli)) }

func formatCRC(sum uint32) string { return fmt.Sprintf("%08x", sum) }

// verify returns the error for a file whose frames are sound, and whose checksum is not
// the one that is wanted, if any is: they are those of another file.
func verify(path string, sum uint32, want string) error {
	if got := formatCRC(sum); want != "" && got != want {
		return damage(path, base.WholeFile, fmt.Errorf("checksum %s, want %s: it may be that of another database, or of another time", got, want))
	}
	return nil
}

// readFrames is scan over a file to be opened and closed.
func readFrames(fs fsys.FS, path string, size int64, fn func(offset int64, payload []byte) error) (sum uint32, err error) {
	f, err := fs.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return scan(f, path, size, fn)
}

// scan calls fn with each payload in the first size bytes of a file, -1 for all of it.
// The bytes are valid until fn returns. Its error is taken for damage of the frame. It
// returns the checksum of all that it read.
func scan(f fsys.File, path string, size int64, fn func(offset int64, payload []byte) error) (sum uint32, err error) {
	has, err := f.Size()
	if err != nil {
		return 0, err
	}
	if size < 0 {
		size = has
	}
	if has < size {
		return 0, damage(path, has, fmt.Errorf("the file ends before byte %d", size))
	}
	r := window{f: f, size: size}
	for offset := int64(0); offset < size; {
		head, err := r.at(offset, 4)
		if err != nil {
			return 0, err
		}
		n, err := frame.PayloadLen(head)
		if err != nil {
			return 0, damage(path, offset, err)
		}
		whole, err := r.at(offset, n+frame.Overhead)
		if err != nil {
			return 0, err
		}
		payload, _, err := frame.Next(whole)
		if err == nil {
			err = fn(offset, payload)
		}
		if err != nil {
			return 0, damage(path, offset, err)
		}
		sum = crc32.Update(sum, castagnoli, whole)
		offset += int64(n + frame.Overhead)
	}
	return sum, nil
}

func damage(path string, offset int64, err error) error {
	return &base.CorruptionError{File: path, Offset: offset, Part: "catalog frame", Err: err}
}

// window reads a file in large pieces.
type window struct {
	f     fsys.File
	size  int64 // what counts of the file
	buf   []byte
	start int64 // of buf in the file
}

// at returns n bytes from offset on, fewer at the end. They are valid until the next
// call. It allocates no more than the file has bytes.
func (w *window) at(offset int64, n int) ([]byte, error) {
	n = int(min(int64(n), w.size-offset))
	if from := offset - w.start; from < 0 || from+int64(n) > int64(len(w.buf)) {
		read := int(min(int64(max(n, readBytes)), w.size-offset))
		if cap(w.buf) < read {
			w.buf = make([]byte, read)
		}
		w.buf, w.start = w.buf[:read], offset
		if got, err := w.f.ReadAt(w.buf, offset); got < read {
			w.buf = w.buf[:0]
			return nil, fmt.Errorf("read %d bytes at offset %d: %w", read, offset, err)
		}
	}
	from := offset - w.start
	return w.buf[from : from+int64(n)], nil
}
