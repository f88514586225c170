package engine

import (
	"unique"

	"github.com/sydradb/sydradb/internal/fsys"
	"github.com/sydradb/sydradb/internal/segment"
)

// maxPackReaders bounds how many packs a reader keeps ready from one series to the next.
const maxPackReaders = 32

// maxIdlePacks bounds those whose memory is kept when they are closed.
const maxIdlePacks = 4

// packReader is a pack with the series looked up last.
type packReader struct {
	file   lazyFile
	reader segment.PackReader
	series segment.PackSeries
	inUse  bool
}

// packReaders keeps packs ready. What they decode they remember together; segment files are
// decoded in the same memory.
type packReaders struct {
	byFile  map[*packFile]*packReader
	idle    []*packReader // for their memory
	decoder segment.Decoder
}

// recall says that no reader handed out so far is used any more.
func (p *packReaders) recall() {
	for _, r := range p.byFile {
		r.inUse = false
	}
}

// open returns a reader of the pack f, which is valid until recall.
func (p *packReaders) open(fs fsys.FS, cache *cache, f *packFile) (*packReader, error) {
	if r, ok := p.byFile[f]; ok {
		r.inUse = true
		return r, nil
	}
	pack, err := f.pack(fs)
	if err != nil {
		return nil, err
	}
	if p.byFile == nil {
		p.byFile = make(map[*packFile]*packReader)
	}
	for old, r := range p.byFile {
		if len(p.byFile) < maxPackReaders {
			break
		}
		if !r.inUse {
			p.retire(old, r)
		}
	}
	r := p.takeIdle()
	r.file = lazyFile{fs: fs, path: f.Path}
	r.reader.Reset(pack, &r.file, cachedPieces{cache, unique.Make(f.Path)})
	r.inUse = true
	p.byFile[f] = r
	return r, nil
}

// takeIdle returns a reader to be used for another pack.
func (p *packReaders) takeIdle() *packReader {
	if n := len(p.idle); n > 0 {
		r := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return r
	}
	r := &packReader{}
	r.reader.DecodeWith(&p.decoder)
	return r
}

// retire closes the pack f.
func (p *packReaders) retire(f *packFile, r *packReader) {
	r.file.close()
	r.file = lazyFile{}
	r.reader.Reset(nil, nil, nil)
	delete(p.byFile, f)
	if len(p.idle) < maxIdlePacks {
		p.idle = append(p.idle, r)
	}
}

// close closes all packs.
func (p *packReaders) close() {
	for f, r := range p.byFile {
		p.retire(f, r)
	}
}

// lazyFile is a file that is opened when something is read of it: what the cache holds
// can be found without.
type lazyFile struct {
	fs   fsys.FS
	path string
	file fsys.File
}

// ReadAt implements io.ReaderAt.
func (f *lazyFile) ReadAt(p []byte, offset int64) (n int, err error) {
	if f.file == nil {
		if f.file, err = f.fs.Open(f.path); err != nil {
			return 0, err
		}
	}
	return f.file.ReadAt(p, offset)
}

func (f *lazyFile) close() {
	if f.file != nil {
		_ = f.file.Close() // nothing was written
	}
}

// cachedPieces gives a pack its part of the cache.
type cachedPieces struct {
	cache *cache
	path  unique.Handle[string]
}

// Get implements segment.Pieces.
func (c cachedPieces) Get(offset int64) []byte { return c.cache.get(cacheKey{c.path, offset}) }

// Put implements segment.Pieces.
func (c cachedPieces) Put(offset int64, data []byte) { c.cache.put(cacheKey{c.path, offset}, data) }
