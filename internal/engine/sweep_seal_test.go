package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"regexp"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/segment"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal returns the damage of a file that has become data, with every checksum put right
// that would tell; nil if none would.
func (s *specimen) seal(file string, data []byte) *damage {
	d := &damage{file: file, sealed: true}
	switch fileKind(file) {
	case "log", "old log", "CATALOG":
		s.sealFrames(file, data)
	case "deletion":
		s.sealFrames(file, data)
		d.files = s.named(file, data)
	case "pack":
		s.sealPack(file, data)
		d.files = s.named(file, data)
	case "segment":
		d.files = s.named(file, data)
	case base.ManifestFile:
		data = sealLines(data)
	default:
		return nil
	}
	d.files = append(d.files, change{file, data})
	return d
}

// frames returns where frames begin in the original file.
func (s *specimen) frames(file string) (offsets []int) {
	switch fileKind(file) {
	case "log", "old log", "CATALOG", "deletion":
		data := s.data[file]
		for at := 0; at+8 < len(data); at += 8 + int(binary.LittleEndian.Uint32(data[at:])) {
			offsets = append(offsets, at)
		}
	}
	return offsets
}

// sealFrames puts right the checksums of frames that lie where they were, or would by
// the length that they have now.
func (s *specimen) sealFrames(file string, data []byte) {
	for _, at := range s.frames(file) {
		length := int(binary.LittleEndian.Uint32(data[at:]))
		if end := at + 4 + length; end+4 <= len(data) && end > at {
			binary.LittleEndian.PutUint32(data[end:], crc32.ChecksumIEEE(data[at+4:end]))
		}
	}
}

// resize returns the damage of a frame whose payload is some bytes longer, or shorter,
// and sound in itself, as are those behind it.
func (s *specimen) resize(file string, at, by int) *damage {
	data := s.data[file]
	length := int(binary.LittleEndian.Uint32(data[at:]))
	payload := slices.Clone(data[at+4 : at+4+length])
	if by < 0 {
		payload = payload[:max(length+by, 1)]
	} else {
		payload = append(payload, make([]byte, by)...)
	}
	out := binary.LittleEndian.AppendUint32(slices.Clone(data[:at]), uint32(len(payload)))
	out = append(out, payload...)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(payload))
	out = append(out, data[at+8+length:]...)
	d := &damage{what: "resized", how: fmt.Sprintf("frame at %d by %d", at, by), file: file, sealed: true, files: []change{{file, out}}}
	if base.IsDeleteFile(file) {
		d.files = append(d.files, s.named(file, out)...)
	}
	return d
}

// sealPack puts right the checksums of the index, of the top level and of the footer, as
// far as they can be told by where they were.
func (s *specimen) sealPack(file string, data []byte) {
	was := s.data[file]
	footer := len(was) - 76
	index, top := binary.LittleEndian.Uint64(was[footer:]), binary.LittleEndian.Uint64(was[footer+8:])
	// One block, in the packs of specimens.
	if binary.LittleEndian.Uint32(was[footer+20:]) == 1 {
		binary.LittleEndian.PutUint32(data[top-4:], crc32.Checksum(data[index:top-4], castagnoli))
	}
	binary.LittleEndian.PutUint32(data[footer+60:], crc32.Checksum(data[top:footer], castagnoli))
	binary.LittleEndian.PutUint32(data[footer+64:], crc32.Checksum(data[footer:footer+64], castagnoli))
}

// named returns MANIFEST with what it says of a file of its bytes put right.
func (s *specimen) named(file string, data []byte) []change {
	lines := s.data[base.ManifestFile]
	at := bytes.Index(lines, []byte(`"path":"`+file+`"`))
	if at < 0 {
		return nil
	}
	end := at + bytes.IndexByte(lines[at:], '}')
	entry := lines[at:end]
	entry = regexp.MustCompile(`"blake3":"[0-9a-f]*"`).ReplaceAll(entry, fmt.Appendf(nil, `"blake3":"%s"`, segment.SumBLAKE3(data)))
	entry = regexp.MustCompile(`"bytes":\d+`).ReplaceAll(entry, fmt.Appendf(nil, `"bytes":%d`, len(data)))
	if base.IsPackFile(file) && len(data) >= 12 {
		crc := binary.LittleEndian.Uint32(data[len(data)-12:])
		entry = regexp.MustCompile(`"footer_crc":"[0-9a-f]*"`).ReplaceAll(entry, fmt.Appendf(nil, `"footer_crc":"%08x"`, crc))
	}
	out := slices.Concat(lines[:at], entry, lines[end:])
	return []change{{base.ManifestFile, sealLines(out)}}
}

// sealLines puts right the checksums of the lines of a MANIFEST, and what each says of the
// line before it.
func sealLines(data []byte) (out []byte) {
	crc := ""
	for line := range bytes.Lines(data) {
		body, _, found := bytes.Cut(line, []byte(`,"crc32":"`))
		if !found {
			return append(out, line...)
		}
		body = regexp.MustCompile(`"prev":"[0-9a-f]*"`).ReplaceAll(slices.Clone(body), fmt.Appendf(nil, `"prev":"%s"`, crc))
		crc = fmt.Sprintf("%08x", crc32.ChecksumIEEE(body))
		out = fmt.Appendf(append(out, body...), `,"crc32":"%s"}`+"\n", crc)
	}
	return out
}

// numbersOf returns the numbers in a MANIFEST, which are lengths and counts, times and
// places, and where they are.
func numbersOf(data []byte) [][]int {
	return regexp.MustCompile(`:(\d+)`).FindAllSubmatchIndex(data, -1)
}

// wrongNumbers are what is put in their place.
var wrongNumbers = []string{
	"0", "1", "00", "-1", "4294967295", "4294967296", fmt.Sprint(int64(math.MaxInt64)),
	fmt.Sprint(uint64(math.MaxUint64)), "99999999999999999999999", "1e9",
}
