package segment

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	iofs "io/fs"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/manifest"
)

// Pack is what stays in memory of a pack: the top level of its index, 16 bytes for each
// 128 series and 32 for each column in the list of shared ones. It never changes, may be
// shared by goroutines and holds no file open.
type Pack struct {
	layout
	path   string
	size   int64
	footer packFooter
	blocks []topBlock
}

// PackInfo describes a pack.
type PackInfo struct {
	Bucket, Width int64 // ns
	Start, End    int64 // first and last timestamp
	SeriesCount   int
	BlockCount    int64
	PointCount    int64
	// SharedColumnCount is the number of columns of timestamps in the list of those that
	// several blocks share.
	SharedColumnCount int
	ColumnBytes       int64 // of the payloads
	IndexBytes        int64 // of all that follows them
}

// OpenPack reads header, footer and top level of the pack of a manifest entry. They are
// verified, and compared with the entry: size, checksum of the footer if the entry has
// it, bucket, range and counts. A file that is not what the entry says, or is missing, is
// a *base.CorruptionError with its path; the latter matches io/fs.ErrNotExist too.
func OpenPack(fs fsys.FS, entry manifest.Entry) (*Pack, error) {
	return openPack(fs, entry.Path, entry)
}

// openPack is OpenPack with the path of the file in fs, which may lie below a prefix.
func openPack(fs fsys.FS, path string, entry manifest.Entry) (*Pack, error) {
	p, found, err := readPack(fs, path)
	if err != nil {
		return nil, err
	}
	want := entry
	if want.FooterCRC == "" {
		want.FooterCRC = found.FooterCRC
	}
	found.Path, found.SeriesID, found.BLAKE3 = want.Path, want.SeriesID, want.BLAKE3
	found.Seq, found.Edit, found.Wall, found.Applied = want.Seq, want.Edit, want.Wall, want.Applied
	if want.BucketWidth() == found.BucketWidth() {
		found.Width = want.Width
	}
	if found != want {
		return nil, &base.CorruptionError{File: path, Offset: base.WholeFile, Err: fmt.Errorf(
			"%w: file has %d bytes, footer %s, bucket %d of %d ns, %d series, %d points from %d to %d", errPackEntry, found.Bytes,
			found.FooterCRC, found.HourBucket, found.BucketWidth(), found.Segments, found.Count, found.StartTS, found.EndTS)}
	}
	return p, nil
}

// DescribePack returns what the pack at path says of itself, as a manifest entry without
// BLAKE3, Seq, Edit, Wall and Applied. It is for packs of which no manifest is known.
func DescribePack(fs fsys.FS, path string) (manifest.Entry, error) {
	_, entry, err := readPack(fs, path)
	return entry, err
}

func readPack(fs fsys.FS, path string) (p *Pack, entry manifest.Entry, err error) {
	f, err := fs.Open(path)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil, entry, &base.CorruptionError{File: path, Offset: base.WholeFile, Err: err}
	}
	if err != nil {
		return nil, entry, fmt.Errorf("open pack: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return nil, entry, fmt.Errorf("size of %s: %w", path, err)
	}
	if size < packHeaderBytes+packFooterBytes {
		return nil, entry, inFile(damaged(int(size), "footer", errShort), path)
	}
	p = &Pack{path: path, size: size}
	if entry, err = p.read(f); err != nil {
		return nil, entry, inFile(err, path)
	}
	return p, entry, nil
}

// read fills in p from its file, and says what a manifest would.
func (p *Pack) read(f io.ReaderAt) (entry manifest.Entry, err error) {
	data := make([]byte, packHeaderBytes+packFooterBytes)
	head, foot := data[:packHeaderBytes], data[packHeaderBytes:]
	if err := readFull(f, head, 0); err != nil {
		return entry, err
	}
	if err := readFull(f, foot, p.size-packFooterBytes); err != nil {
		return entry, err
	}
	if p.bucket, p.width, err = decodePackHeader(head); err != nil {
		return entry, err
	}
	var crc uint32
	if p.footer, crc, err = decodeFooter(foot, p.size); err != nil {
		return entry, shiftedTo(err, p.size-packFooterBytes)
	}
	p.columnsEnd = p.footer.index
	top := make([]byte, p.size-packFooterBytes-p.footer.top)
	if err := readFull(f, top, p.footer.top); err != nil {
		return entry, err
	}
	if p.blocks, err = p.decodeTop(top, &p.footer); err != nil {
		return entry, shiftedTo(err, p.footer.top)
	}
	return packEntry(p.path, p.bucket, p.width, &p.footer, crc, p.size, ""), nil
}

// readFull fills data from offset on. What a file lacks is damage.
func readFull(f io.ReaderAt, data []byte, offset int64) error {
	n, err := f.ReadAt(data, offset)
	if n == len(data) {
		return nil
	}
	if err == io.EOF {
		return &base.CorruptionError{Offset: offset + int64(n), Err: errShort}
	}
	return err
}

// shiftedTo is shifted for offsets in large files.
func shiftedTo(err error, offset int64) error { return shifted(err, int(offset)) }

// Info describes the pack.
func (p *Pack) Info() PackInfo {
	f := &p.footer
	return PackInfo{
		Bucket: p.bucket, Width: p.width, Start: f.start, End: f.end,
		SeriesCount: f.series, BlockCount: int64(f.blocks), PointCount: int64(f.points),
		SharedColumnCount: f.shared, ColumnBytes: f.index - packHeaderBytes,
		IndexBytes: p.size - f.index,
	}
}

// Pieces holds verified parts of one pack by their offset in the file. Implementations
// are safe for concurrent use; what they are given and return is never changed.
type Pieces interface {
	// Get returns the piece at offset, nil if it is not there.
	Get(offset int64) []byte
	// Put may keep data, which the caller gives away.
	Put(offset int64, data []byte)
}

// PackReader reads series of a pack. It belongs to one goroutine.
type PackReader struct {
	pack  *Pack
	file  io.ReaderAt
	cache Pieces // or nil

	number int // of block in the pack; negative for none
	block  indexBlock
	index  []byte       // memory of block, unless the cache has it
	known  []knownBlock // nil until many blocks were asked for
	loads  int

	columns columnReader
	decoder *Decoder // made when it is needed, unless it was given
}

// knownBlock is a block of the index that was parsed before and is kept by the cache, or
// was: series are seldom looked up in the order of their ids.
type knownBlock struct {
	number int
	block  indexBlock
}

const (
	// knownBlocks is how many of them a reader remembers, each in the place that its number
	// gives it: 1 MiB at most, and only of what the cache holds or held.
	knownBlocks = 256
	// manyLoads is from how many on it is worth the memory.
	manyLoads = 64
)

// Reader returns a reader of the pack. file is the pack's file, which stays the caller's
// to close; it need not be open before something is read. cache holds index blocks and
// columns from one reader to the next; nil for none. Long reads in the order of the file
// pass it by.
func (p *Pack) Reader(file io.ReaderAt, cache Pieces) *PackReader {
	return &PackReader{pack: p, file: file, cache: cache, number: -1}
}

// Reset makes r a reader of p, as p.Reader(file, cache) returns one, in the memory it has
// and with the Decoder it has.
func (r *PackReader) Reset(p *Pack, file io.ReaderAt, cache Pieces) {
	r.pack, r.file, r.cache = p, file, cache
	r.number, r.block = -1, indexBlock{}
	clear(r.known)
	r.loads = 0
	r.columns.reset()
}

// DecodeWith has r decode with d, which other readers may use as well, instead of a
// Decoder of its own.
func (r *PackReader) DecodeWith(d *Decoder) { r.decoder = d }

// Find fills in s with the entry of series id, if the pack has it. It allocates nothing
// once Blocks of s and the reader's own memory are large enough.
func (r *PackReader) Find(id base.SeriesID, s *PackSeries) (bool, error) {
	top := r.pack.blocks
	n, found := slices.BinarySearchFunc(top, id, func(b topBlock, id base.SeriesID) int { return cmp.Compare(b.first, id) })
	if !found {
		n-- // the last block that begins before id
	}
	if n < 0 {
		return false, nil
	}
	if err := r.load(n); err != nil {
		return false, err
	}
	i, found := r.block.find(id)
	if !found {
		return false, nil
	}
	return true, r.entry(i, s)
}

// All calls fn with the entry of every series, ascending by id, until fn returns an
// error, which it returns. The entry is valid until fn returns; fn may read its blocks.
func (r *PackReader) All(fn func(*PackSeries) error) error {
	var s PackSeries
	for n := range r.pack.blocks {
		for i := range int(r.pack.blocks[n].count) {
			if err := r.load(n); err != nil { // fn may have looked for another series
				return err
			}
			if err := r.entry(i, &s); err != nil {
				return err
			}
			if err := fn(&s); err != nil {
				return err
			}
		}
	}
	return nil
}

// entry decodes entry i of the index block at hand.
func (r *PackReader) entry(i int, s *PackSeries) error {
	data, offset := r.block.entry(i)
	err := r.pack.decodeEntry(s, r.block.id(i), data)
	if err != nil {
		at, _ := r.pack.indexBlockAt(r.number)
		return inFile(shiftedTo(err, at+int64(offset)), r.pack.path)
	}
	return nil
}

// indexBlockAt returns where index block n lies.
func (p *Pack) indexBlockAt(n int) (offset, limit int64) {
	limit = p.footer.top
	if n+1 < len(p.blocks) {
		limit = p.footer.index + int64(p.blocks[n+1].offset)
	}
	return p.footer.index + int64(p.blocks[n].offset), limit
}

// load makes index block n the one at hand.
func (r *PackReader) load(n int) error {
	if r.number == n {
		return nil
	}
	if r.loads++; r.known != nil {
		if k := &r.known[n%knownBlocks]; k.block.data != nil && k.number == n {
			r.block, r.number = k.block, n
			return nil
		}
	}
	r.number = -1
	offset, limit := r.pack.indexBlockAt(n)
	var data []byte
	if r.cache != nil {
		data = sized(r.cache.Get(offset), int(limit-offset))
	}
	cached := data != nil
	if !cached {
		var err error
		if data, err = r.readIndexBlock(offset, int(limit-offset)); err != nil {
			return inFile(err, r.pack.path)
		}
	}
	top := r.pack.blocks[n:]
	block, err := parseIndexBlock(data[:len(data)-4], int(top[0].count))
	if err == nil && !cached {
		last := len(top) == 1
		if !block.ordered(top[0].first, top[min(1, len(top)-1)].first, last) {
			err = damaged(0, "index block", errIDs)
		} else if r.cache != nil {
			r.cache.Put(offset, slices.Clone(data))
		}
	}
	if err != nil {
		return inFile(shiftedTo(err, offset), r.pack.path)
	}
	r.block, r.number = block, n
	if cached && r.loads > manyLoads {
		if r.known == nil {
			r.known = make([]knownBlock, knownBlocks)
		}
		r.known[n%knownBlocks] = knownBlock{n, block}
	}
	return nil
}

// readIndexBlock reads and verifies the size bytes of an index block.
func (r *PackReader) readIndexBlock(offset int64, size int) ([]byte, error) {
	if size < 4 {
		return nil, &base.CorruptionError{Offset: offset, Part: "index block", Err: errShort}
	}
	r.index = slices.Grow(r.index[:0], size)[:size]
	if err := readFull(r.file, r.index, offset); err != nil {
		return nil, err
	}
	body := r.index[:size-4]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(r.index[size-4:]) {
		return nil, &base.CorruptionError{Offset: offset, Part: "index block", Err: errCRC}
	}
	return r.index, nil
}
