package segment

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/blocks"
	"github.com/sydradb/sydradb/internal/manifest"
	"github.com/sydradb/sydradb/internal/plant"
)

// Finish writes the index and returns the entry of the pack, but for Seq, Edit, Wall and
// Applied, which are the caller's to fill in. The file's bytes are then durable, its name
// is not until its directory is synced. A writer without points is refused. After an
// error only a temporary file may be left.
func (w *PackWriter) Finish() (manifest.Entry, error) {
	if w.err != nil {
		return manifest.Entry{}, w.err
	}
	entry, err := w.finish()
	if err != nil {
		return manifest.Entry{}, w.fail(fmt.Errorf("pack of bucket %d: %w", w.opts.Bucket, err))
	}
	w.err = errFinished
	return entry, nil
}

func (w *PackWriter) finish() (manifest.Entry, error) {
	err := w.endSeries()
	if err == nil && w.refs.Len() == 0 {
		err = errEmpty
	}
	if err != nil {
		return manifest.Entry{}, err
	}
	crc, err := w.writeIndex()
	if err == nil {
		err = w.flush()
	}
	if err == nil && !plant.Bug(plant.PackUnsynced) {
		err = w.file.Sync()
	}
	file := w.file
	w.file = nil
	if err = errors.Join(err, file.Close()); err != nil {
		return manifest.Entry{}, err
	}
	f := &w.footer
	name := base.PackFile(w.opts.Bucket, f.start, f.end, w.opts.NowMS, w.opts.Part)
	if err := w.fs.Rename(w.temp, name); err != nil {
		return manifest.Entry{}, err
	}
	return packEntry(name, w.opts.Bucket, w.opts.Width, f, crc, w.written, hex.EncodeToString(w.hash.Sum(nil))), nil
}

// packEntry returns the manifest entry of a pack.
func packEntry(name string, bucket, width int64, f *packFooter, crc uint32, size int64, digest string) manifest.Entry {
	e := manifest.Entry{
		HourBucket: bucket, StartTS: f.start, EndTS: f.end, Count: int(f.points),
		Path: name, Bytes: size, BLAKE3: digest,
		Segments: f.series, FooterCRC: fmt.Sprintf("%08x", crc),
	}
	if width != base.Hour {
		e.Width = width
	}
	return e
}

// writeIndex writes all that follows the columns and returns the footer's checksum.
func (w *PackWriter) writeIndex() (uint32, error) {
	refs, err := w.sorted()
	if err != nil {
		return 0, err
	}
	w.footer.index = w.written + int64(len(w.buf))
	var top []topBlock
	for len(refs) > 0 {
		block := topBlock{first: refs[0].id, offset: uint32(w.written + int64(len(w.buf)) - w.footer.index)}
		n := w.appendIndexBlock(refs)
		block.count = uint32(n)
		top = append(top, block)
		refs = refs[n:]
		if len(w.buf) >= writeBytes {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	f := &w.footer
	at := len(w.buf)
	f.top = w.written + int64(at)
	f.shared, f.indexBlocks, f.series = len(w.shared), len(top), int(w.refs.Len())
	w.buf = appendTop(w.buf, w.opts.Bucket, w.shared, top)
	f.topCRC = crc32.Checksum(w.buf[at:], castagnoli)
	var crc uint32
	w.buf, crc = appendFooter(w.buf, f)
	return crc, nil
}

// sorted returns the entries ascending by id, which must differ.
func (w *PackWriter) sorted() ([]entryRef, error) {
	refs := make([]entryRef, w.refs.Len())
	for i := range refs {
		refs[i] = w.refs.At(uint32(i))
	}
	slices.SortFunc(refs, func(a, b entryRef) int { return cmp.Compare(a.id, b.id) })
	for i := 1; i < len(refs); i++ {
		if id := refs[i].id; id == refs[i-1].id {
			return nil, fmt.Errorf("series %x: %w", uint64(id), errTwice)
		}
	}
	return refs, nil
}

// appendIndexBlock appends an index block with the first n of refs, which are sorted.
func (w *PackWriter) appendIndexBlock(refs []entryRef) (n int) {
	at, size := len(w.buf), 4
	w.scratch = w.scratch[:0]
	for n < len(refs) && n < maxIndexEntries {
		length, entry := blocks.Uvarint(w.entries.From(refs[n].ref))
		size += entryRefBytes + int(length)
		if n > 0 && size > indexBlockBytes {
			break
		}
		w.buf = binary.LittleEndian.AppendUint64(w.buf, uint64(refs[n].id))
		w.scratch = append(w.scratch, entry[:length]...)
		n++
	}
	for i := range n {
		length, _ := blocks.Uvarint(w.entries.From(refs[i].ref))
		w.buf = binary.AppendUvarint(w.buf, uint64(length))
	}
	w.buf = append(w.buf, w.scratch...)
	w.buf = binary.LittleEndian.AppendUint32(w.buf, crc32.Checksum(w.buf[at:], castagnoli))
	return n
}
