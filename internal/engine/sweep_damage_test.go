package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// damage is what becomes of some files of a specimen.
type damage struct {
	what  string // kind of damage, for the count
	how   string // what makes it out, to do it again
	file  string // that is hit
	files []change
	// sealed damage has checksums that fit: whoever reads it comes to what is wrong.
	sealed bool
}

// change is one file of a damage.
type change struct {
	file string
	data []byte // nil: there is none any more
}

func (d *damage) String() string { return fmt.Sprintf("%s, %s %s", d.file, d.what, d.how) }

func (d *damage) apply(fs fsys.FS) error {
	for _, c := range d.files {
		var err error
		if c.data == nil {
			err = fs.Remove(c.file)
		} else {
			err = replaceFile(fs, c.file, c.data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hits reports whether another file than d.file is damaged as well.
func (d *damage) hits(file string) bool {
	return slices.ContainsFunc(d.files, func(c change) bool { return c.file == file })
}

// flipOf returns the damage of one bit.
func (s *specimen) flipOf(file string, bit int) *damage {
	data := slices.Clone(s.data[file])
	data[bit/8] ^= 1 << (bit % 8)
	return &damage{what: "flip", how: fmt.Sprintf("bit %d of byte %d", bit%8, bit/8), file: file, files: []change{{file, data}}}
}

// sectors are the sizes of what a disk loses at once.
var sectors = []int{64, 512, 4096}

// others calls try with every kind of damage to a file but flips. Of those that there are
// many of, a part is left out at random: of share chances to be tried.
func (s *specimen) others(file string, rng *rand.Rand, share float64, try func(*damage)) {
	data := s.data[file]
	whole := func(what, how string, data []byte) {
		if !bytes.Equal(data, s.data[file]) || data == nil {
			try(&damage{what: what, how: how, file: file, files: []change{{file, data}}})
		}
	}
	for size := range data {
		if rng.Float64() < share || size == 0 || size == len(data)-1 {
			whole("cut", fmt.Sprintf("to %d bytes", size), slices.Clone(data[:size]))
		}
	}
	for _, more := range []int{1, 7, 64, 512, 4096} {
		if rng.Float64() < 2*share {
			whole("zeros", fmt.Sprintf("%d at the end", more), append(slices.Clone(data), make([]byte, more)...))
		}
		if rng.Float64() < 2*share {
			garbage := slices.Clone(data)
			for range more {
				garbage = append(garbage, byte(rng.Uint32()))
			}
			whole("garbage", fmt.Sprintf("%d bytes at the end: %x", more, garbage[len(data):min(len(garbage), len(data)+16)]), garbage)
		}
		if n := min(more, len(data)); n > 0 && rng.Float64() < 2*share {
			whole("repeated", fmt.Sprintf("the last %d bytes", n), append(slices.Clone(data), data[len(data)-n:]...))
		}
	}
	for _, size := range sectors {
		for at := 0; at < len(data); at += size {
			if rng.Float64() < 4*share {
				zeroed := slices.Clone(data)
				clear(zeroed[at:min(at+size, len(data))])
				whole("zeroed", fmt.Sprintf("%d bytes at %d", size, at), zeroed)
			}
		}
		for range len(data) / size / 2 {
			if a, b := rng.IntN(len(data)/size), rng.IntN(len(data)/size); rng.Float64() < 4*share {
				swapped := slices.Clone(data)
				copy(swapped[a*size:], data[b*size:][:size])
				copy(swapped[b*size:], data[a*size:][:size])
				whole("swapped", fmt.Sprintf("%d bytes at %d and %d", size, a*size, b*size), swapped)
			}
		}
	}
	whole("missing", "", nil)
	for i, old := range s.stale[file] {
		whole("stale", fmt.Sprintf("version %d", i), old)
	}
	s.between(file, rng, share, try)
	s.lengths(file, rng, share, try)
}

// between calls try with what happens between two files of a kind, in this database or
// in another one.
func (s *specimen) between(file string, rng *rand.Rand, share float64, try func(*damage)) {
	data, kind := s.data[file], fileKind(file)
	for _, other := range s.foreign.files {
		if fileKind(other) == kind && !bytes.Equal(s.foreign.data[other], data) && (kind == file || rng.Float64() < 4*share) {
			try(&damage{what: "foreign", how: "is " + other, file: file, files: []change{{file, s.foreign.data[other]}}})
		}
	}
	for _, other := range s.files {
		with := s.data[other]
		if other <= file || fileKind(other) != kind && (kind != "log" || fileKind(other) != "old log") || bytes.Equal(data, with) {
			continue
		}
		if rng.Float64() < 8*share {
			try(&damage{what: "exchanged", how: "with " + other, file: file, files: []change{{file, with}, {other, data}}})
		}
		for _, size := range sectors {
			n, m := len(data)/size, len(with)/size
			if n == 0 || m == 0 || rng.Float64() > 8*share {
				continue
			}
			a, b := rng.IntN(n)*size, rng.IntN(m)*size
			left, right := slices.Clone(data), slices.Clone(with)
			copy(left[a:], with[b:b+size])
			copy(right[b:], data[a:a+size])
			if !bytes.Equal(left, data) {
				try(&damage{
					what: "exchanged sector", how: fmt.Sprintf("%d bytes at %d with those at %d of %s", size, a, b, other), file: file,
					files: []change{{file, left}, {other, right}},
				})
			}
		}
	}
}

// wrong returns wrong values of a number of some bytes.
func wrong(value uint64, width int) (values []uint64) {
	highest := uint64(1)<<(8*width-1)<<1 - 1
	for _, v := range []uint64{0, 1, value - 1, value + 1, 2 * value, value + 256, 40 << 20, 1<<31 - 1, 1 << 31, 1<<32 - 1, highest >> 1, highest} {
		if v &= highest; v != value && !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values
}

func putNumber(b []byte, value uint64, width int) {
	var all [8]byte
	binary.LittleEndian.PutUint64(all[:], value)
	copy(b[:width], all[:width])
}

func number(b []byte, width int) uint64 {
	var all [8]byte
	copy(all[:], b[:width])
	return binary.LittleEndian.Uint64(all[:])
}

// field is a length or a count in a file.
type field struct {
	name          string
	offset, width int
}

// fields returns the lengths and counts of a fixed width in a file.
func (s *specimen) fields(file string) (fields []field) {
	data := s.data[file]
	switch fileKind(file) {
	case "log", "old log", "CATALOG", "deletion":
		for at := 0; at+8 < len(data); {
			fields = append(fields, field{"length of frame", at, 4})
			if base.IsDeleteFile(file) {
				fields = append(fields, field{"count", at + 29, 4})
			}
			at += 8 + int(binary.LittleEndian.Uint32(data[at:]))
		}
	case "segment":
		fields = []field{{"count", 22, 4}, {"start", 26, 8}, {"end", 34, 8}}
	case "object":
		fields = []field{{"length", 1, 4}}
	case "pack":
		footer := len(data) - 76
		fields = []field{
			{"width", 20, 8},
			{"index", footer, 8}, {"top", footer + 8, 8}, {"shared columns", footer + 16, 4}, {"index blocks", footer + 20, 4},
			{"series", footer + 24, 4}, {"blocks", footer + 28, 8}, {"points", footer + 36, 8},
		}
	}
	return fields
}

// lengths calls try with wrong lengths, as they are and with checksums that fit, and with
// other changes whose checksums fit.
func (s *specimen) lengths(file string, rng *rand.Rand, share float64, try func(*damage)) {
	for _, f := range s.fields(file) {
		for _, v := range wrong(number(s.data[file][f.offset:], f.width), f.width) {
			if rng.Float64() > 8*share {
				continue
			}
			data := slices.Clone(s.data[file])
			putNumber(data[f.offset:], v, f.width)
			how := fmt.Sprintf("%s at %d is %d", f.name, f.offset, v)
			try(&damage{what: "length", how: how, file: file, files: []change{{file, data}}})
			if d := s.seal(file, slices.Clone(data)); d != nil {
				d.what, d.how = "sealed length", how
				try(d)
			}
		}
	}
	for _, at := range s.frames(file) {
		for _, by := range []int{-1, 1, 5} {
			if d := s.resize(file, at, by); d != nil && rng.Float64() < 8*share {
				try(d)
			}
		}
	}
	if file == base.ManifestFile {
		s.numbers(rng, share, try)
	}
	for at := range s.data[file] {
		if rng.Float64() > share {
			continue
		}
		data := slices.Clone(s.data[file])
		data[at] = []byte{0, 0xff, data[at] + 1, data[at] - 1, 0x80, 0x7f}[rng.IntN(6)]
		if bytes.Equal(data, s.data[file]) {
			continue
		}
		how := fmt.Sprintf("byte %d is %#x", at, data[at])
		if d := s.seal(file, data); d != nil {
			d.what, d.how = "sealed", how
			try(d)
		}
	}
}

// numbers calls try with other numbers in MANIFEST.
func (s *specimen) numbers(rng *rand.Rand, share float64, try func(*damage)) {
	data := s.data[base.ManifestFile]
	for _, at := range numbersOf(data) {
		for _, v := range wrongNumbers {
			if rng.Float64() > 2*share {
				continue
			}
			out := slices.Concat(data[:at[2]], []byte(v), data[at[3]:])
			how := fmt.Sprintf("%s at %d is %s", data[at[2]:at[3]], at[2], v)
			try(&damage{what: "length", how: how, file: base.ManifestFile, files: []change{{base.ManifestFile, out}}})
			d := s.seal(base.ManifestFile, out)
			d.what, d.how = "sealed", how
			try(d)
		}
	}
}
