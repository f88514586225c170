package remotewrite

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/intake"
)

// nameLabel is the label that holds the name of a series.
const nameLabel = "__name__"

var (
	refuseNoName     = &intake.Refusal{Reason: intake.Invalid, Err: errors.New("labels without " + nameLabel)}
	refuseTwice      = &intake.Refusal{Reason: intake.Invalid, Err: errors.New("a label appears twice in a series")}
	refuseReferences = &intake.Refusal{Reason: intake.Invalid, Err: errors.New("label references that are odd in number, or point beyond the symbols")}
	refuseMany       = &intake.Refusal{Reason: intake.LabelLimit, Err: errors.New("a series has thousands of labels")}
	refuseHistograms = &intake.Refusal{Reason: intake.NativeHistogram, Err: errors.New("native histograms are not stored; let the sender send classic ones")}
	refuseExemplars  = &intake.Refusal{Reason: intake.Exemplar, Err: errors.New("exemplars are not stored")}
)

// sample is a sample as it is sent.
type sample struct {
	value float64
	ms    int64
}

// decoder holds what the decoding of a request needs, for one request after the other.
type decoder struct {
	request *intake.Request
	latest  int64 // of request

	samples    []sample // of one series
	histograms int      // of the request
	exemplars  int      // of the request

	gathered []byte // labels or references that do not stand together
	tags     []sydradb.Tag

	places  []place  // in the body: 1.0: of metadata; 2.0: of symbols
	numbers []uint32 // 2.0: of the symbols, in the table; unknown if they are in none
	key     []byte   // 2.0: of a series
}

// place is a part of the body.
type place struct{ from, to uint32 }

// maxReferences bounds the labels of a series in 2.0, in bytes of references; the limits of
// intake are far below, unless they are switched off.
const maxReferences = 1 << 15

// maxPlaces bounds the symbols, or the families of 1.0, that a request may have: empty ones take
// two bytes of its body, and far more here.
const maxPlaces = 1 << 20

// kept is the size, in entries, up to which the memory of a decoder serves the next request.
const kept = 1 << 16

func (d *decoder) begin(r *intake.Request) {
	*d = decoder{
		request: r, latest: r.Latest(),
		samples: reuse(d.samples), gathered: reuse(d.gathered), tags: d.tags[:0],
		places: reuse(d.places), numbers: reuse(d.numbers), key: reuse(d.key),
	}
}

func reuse[T any](s []T) []T {
	if cap(s) > kept {
		return nil
	}
	return s[:0]
}

// sample reads a Sample, which is the same in both versions but for fields that are not
// stored, and whose length comes first.
func (d *decoder) sample(b []byte, i, end int, known uint64) int {
	i, end = span(b, i, end)
	if i == 0 {
		return 0
	}
	var s sample
	if end-i > 10 && b[i] == 1<<3|wireFixed64 && b[i+9] == 2<<3|wireVarint {
		s.value = math.Float64frombits(binary.LittleEndian.Uint64(b[i+1:]))
		ms, next := uvarint(b, i+10, end)
		if next == 0 {
			return 0
		}
		s.ms, i = int64(ms), next
	}
	if i < end && !s.rest(b, i, end, known) {
		return 0
	}
	if len(d.samples) == intake.MaxPoints {
		d.request.Overflow()
		return end
	}
	d.samples = append(d.samples, s)
	return end
}

// rest reads the fields of a Sample one by one.
func (s *sample) rest(b []byte, i, end int, known uint64) bool {
	for i < end {
		var tag, v uint64
		if tag, i = readTag(b, i, end); i == 0 {
			return false
		}
		switch tag {
		case tagOf(1, wireFixed64):
			if end-i < 8 {
				return false
			}
			s.value = math.Float64frombits(binary.LittleEndian.Uint64(b[i:]))
			i += 8
		case tagOf(2, wireVarint):
			v, i = uvarint(b, i, end)
			s.ms = int64(v)
		case tagOf(3, wireVarint): // 2.0: when a counter started
			_, i = uvarint(b, i, end)
		default:
			i = skip(b, i, end, tag, known)
		}
		if i == 0 {
			return false
		}
	}
	return true
}

// gather puts labels or references behind others of the same series, which are those
// gathered already if apart is set.
func (d *decoder) gather(first []byte, apart bool, more []byte) []byte {
	if !apart {
		d.gathered = append(d.gathered[:0], first...)
	}
	d.gathered = append(d.gathered, more...)
	return d.gathered
}

// add takes the samples of one series.
func (d *decoder) add(s *sydradb.Series) {
	for i := range d.samples {
		ts := nanoseconds(d.samples[i].ms)
		if ts > d.latest || ts < sydradb.MinTime {
			d.explain(s)
		}
		d.request.Add(s, ts, d.samples[i].value)
	}
}

// explain names the series whose point will be refused, while refusals are explained.
func (d *decoder) explain(s *sydradb.Series) {
	if d.request.Explains() {
		d.request.At(0, []byte(s.String()))
	}
}

// refuse counts the samples of a series that is none.
func (d *decoder) refuse(err error) {
	var why *intake.Refusal
	if !errors.As(err, &why) {
		why = &intake.Refusal{Reason: intake.Invalid, Err: err}
	}
	text := ""
	if d.request.Explains() {
		text = labelText(d.tags)
	}
	d.request.Refuse(why, len(d.samples), 0, []byte(text))
}

// resolve asks the database for the series with the labels in d.tags, that of its name
// included.
func (d *decoder) resolve() (*sydradb.Series, error) {
	slices.SortStableFunc(d.tags, func(a, b sydradb.Tag) int { return strings.Compare(a.Key, b.Key) })
	name := -1
	for i := range d.tags {
		if i > 0 && d.tags[i].Key == d.tags[i-1].Key {
			return nil, refuseTwice
		}
		if d.tags[i].Key == nameLabel {
			name = i
		}
	}
	if name < 0 || d.tags[name].Value == "" {
		return nil, refuseNoName
	}
	// A series of which no point is stored need not be known.
	newest, err := d.newest()
	if err != nil {
		return nil, err
	}
	series := d.tags[name].Value
	d.tags = slices.Delete(d.tags, name, name+1)
	s, err := d.request.Series(series, d.tags, newest)
	if err != nil {
		d.tags = slices.Insert(d.tags, 0, sydradb.Tag{Key: nameLabel, Value: series}) // for the explanation
		return nil, err
	}
	return s, nil
}

// newest returns the time of the newest sample that is not out of range, in Unix nanoseconds,
// or why there is none.
func (d *decoder) newest() (int64, error) {
	newest := int64(math.MinInt64)
	var why *intake.Refusal
	for i := range d.samples {
		ts := nanoseconds(d.samples[i].ms)
		if late := d.request.CheckTime(ts); late != nil {
			why = late
		} else {
			newest = max(newest, ts)
		}
	}
	if newest < sydradb.MinTime && why != nil {
		return 0, why
	}
	return newest, nil
}

// labelText returns the beginning of the labels of a series, for a message.
func labelText(tags []sydradb.Tag) string {
	const enough = 100
	b := []byte{'{'}
	for i := 0; i < len(tags) && len(b) < enough; i++ {
		if i > 0 {
			b = append(b, ',')
		}
		key, value := tags[i].Key, tags[i].Value
		b = append(b, key[:min(len(key), enough)]...)
		b = append(b, '=')
		b = append(b, value[:min(len(value), enough)]...)
	}
	return string(append(b, '}'))
}

// end counts what is never stored.
func (d *decoder) end() {
	if d.histograms > 0 {
		d.request.Refuse(refuseHistograms, d.histograms, 0, nil)
	}
	if d.exemplars > 0 {
		d.request.Refuse(refuseExemplars, d.exemplars, 0, nil)
	}
}
