package remotewrite

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/golang/snappy"
	"github.com/sydradb/sydradb/server/internal/handles"
	"github.com/sydradb/sydradb/server/internal/intake"
	"google.golang.org/protobuf/encoding/protowire"
)

func TestUvarint(t *testing.T) {
	for _, v := range []uint64{0, 1, 127, 128, 300, 1<<14 - 1, 1 << 14, 1<<28 + 5, uint64(ms), 1<<56 - 1, 1 << 56, 1 << 63, math.MaxUint64} {
		text := protowire.AppendVarint(nil, v)
		for _, behind := range []int{0, 3, 20} {
			b := append(slices.Clone(text), bytes.Repeat([]byte{0xff}, behind)...)
			if got, next := uvarint(b, 0, len(text)); got != v || next != len(text) {
				t.Errorf("%d with %d bytes behind: %d, %d", v, behind, got, next)
			}
			for end := range len(text) {
				if _, next := uvarint(b, 0, end); next != 0 {
					t.Errorf("%d cut at %d: next %d", v, end, next)
				}
			}
		}
	}
	if _, next := uvarint(bytes.Repeat([]byte{0x80}, 11), 0, 11); next != 0 {
		t.Error("eleven bytes of a number accepted")
	}
}

// Fields may come in any order, in parts, twice, and with others that are not known.
func TestUnusualMessages(t *testing.T) {
	p1, p2 := encodePoint(point{ms, 1.5}), encodePoint(point{ms + 10, -2})
	// The fields of a sample the other way round, one of them twice, and unknown ones.
	odd := number(number(nil, 2, 7), 2, uint64(ms))
	odd = protowire.AppendFixed64(protowire.AppendTag(odd, 1, protowire.Fixed64Type), math.Float64bits(1.5))
	odd = message(number(odd, 9, 1), 10, []byte("unknown"))
	strange := message(nil, 12, []byte("later"))
	strange = protowire.AppendFixed32(protowire.AppendTag(strange, 13, protowire.Fixed32Type), 1)
	strange = protowire.AppendTag(strange, 14, protowire.StartGroupType)
	strange = protowire.AppendTag(number(strange, 1, 5), 14, protowire.EndGroupType)

	name, host := encodeLabels([]string{nameLabel, "a"}), encodeLabels([]string{"host", "h1"})
	empty := encodeLabels([]string{"empty", ""})
	long := slices.Concat(protowire.AppendVarint(nil, 1<<3|2)[:1], []byte{0x80 | byte(len(host)-2), 0}, host[2:]) // an overlong length
	first := map[string][]byte{
		"plain":          slices.Concat(name, host, message(message(nil, 2, p1), 2, p2)),
		"unsorted":       slices.Concat(host, name, message(message(nil, 2, p1), 2, p2)),
		"empty value":    slices.Concat(empty, host, name, message(message(nil, 2, p1), 2, p2)),
		"labels last":    slices.Concat(message(message(nil, 2, p1), 2, p2), host, name),
		"labels apart":   slices.Concat(name, message(nil, 2, p1), host, message(nil, 2, p2)),
		"overlong":       slices.Concat(name, long, message(message(nil, 2, p1), 2, p2)),
		"odd sample":     slices.Concat(name, host, message(message(nil, 2, odd), 2, p2)),
		"unknown fields": slices.Concat(strange, name, strange, host, message(message(strange, 2, p1), 2, p2), strange),
	}
	for what, ts := range first {
		f := openDefault(t)
		for range 2 {
			body := slices.Concat(strange, message(nil, 1, ts), strange)
			if w := f.post(type1, body); w.Code != 204 {
				t.Errorf("1.0, %s: %d %s", what, w.Code, w.Body)
			}
		}
		if got := strings.Join(f.stored(), "; "); got != `a{host="h1"} 0 1.5; a{host="h1"} 10 -2` {
			t.Errorf("1.0, %s: stored %s", what, got)
		}
	}

	// 0 "", 1 __name__, 2 a, 3 host, 4 h1, 5 empty
	var table []byte
	for _, s := range []string{"", nameLabel, "a", "host", "h1", "empty"} {
		table = message(table, 4, []byte(s))
	}
	samples := message(message(nil, 2, p1), 2, p2)
	unpacked := number(number(number(number(nil, 1, 1), 1, 2), 1, 3), 1, 4)
	second := map[string][]byte{
		"plain":           slices.Concat(message(nil, 1, []byte{1, 2, 3, 4}), samples),
		"unsorted":        slices.Concat(message(nil, 1, []byte{3, 4, 1, 2}), samples),
		"empty value":     slices.Concat(message(nil, 1, []byte{5, 0, 3, 4, 1, 2}), samples),
		"references last": slices.Concat(samples, message(nil, 1, []byte{1, 2, 3, 4})),
		"in parts":        slices.Concat(message(nil, 1, []byte{1, 2, 3}), samples, message(nil, 1, []byte{4})),
		"unpacked":        slices.Concat(unpacked, samples),
		"overlong":        slices.Concat(message(nil, 1, []byte{1, 0x82, 0x80, 0, 3, 0x84, 0}), samples),
		"odd sample":      slices.Concat(message(nil, 1, []byte{1, 2, 3, 4}), message(message(nil, 2, number(odd, 3, 5)), 2, p2)),
		"unknown fields":  slices.Concat(strange, message(strange, 1, []byte{1, 2, 3, 4}), samples, strange),
	}
	for what, ts := range second {
		f := openDefault(t)
		ts = message(nil, 5, ts)
		for _, body := range [][]byte{slices.Concat(table, ts), slices.Concat(table, ts), slices.Concat(ts, table), slices.Concat(strange, table[:2], ts, strange, table[2:])} {
			if w := f.post(type2, body); w.Code != 204 {
				t.Errorf("2.0, %s: %d %s", what, w.Code, w.Body)
			}
		}
		if got := strings.Join(f.stored(), "; "); got != `a{host="h1"} 0 1.5; a{host="h1"} 10 -2` {
			t.Errorf("2.0, %s: stored %s", what, got)
		}
	}
}

// A point without value or time has zeros, which are not sent.
func TestZeros(t *testing.T) {
	for typ, encode := range versions {
		f := openDefault(t)
		s := tseries{labels: []string{nameLabel, "a"}, points: []point{{0, 0}, {ms, math.Copysign(0, -1)}}}
		if w := f.post(typ, encode([]tseries{s})); w.Code != 204 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		f.expectStored(fmt.Sprintf("a %d 0", -ms), "a 0 -0")
	}
}

// Of two samples with the same time the later one in the request wins, in whatever way
// their series are spelled.
func TestLastWins(t *testing.T) {
	sorted, unsorted := []string{nameLabel, "a", "x", "1"}, []string{"x", "1", nameLabel, "a"}
	for typ, encode := range versions {
		f := openDefault(t)
		for i, order := range [][][]string{{sorted, unsorted}, {unsorted, sorted}, {sorted, unsorted, sorted}} {
			var s []tseries
			for j, labels := range order {
				s = append(s, tseries{labels: labels, points: []point{{ms, float64(10*i + j)}}})
			}
			f.post(typ, encode(s))
			f.expectStored(fmt.Sprintf(`a{x="1"} 0 %d`, 10*i+len(order)-1))
		}
	}
}

func TestBadReferences(t *testing.T) {
	f := openDefault(t)
	table := message(message(message(nil, 4, nil), 4, []byte(nameLabel)), 4, []byte("a"))
	sample := message(nil, 2, encodePoint(point{ms, 1}))
	good := message(nil, 5, slices.Concat(message(nil, 1, []byte{1, 2}), sample))
	for what, refs := range map[string][]byte{
		"odd":    {1, 2, 0},
		"beyond": {1, 2, 2, 3},
		"far":    {1, 2, 2, 0xff, 0xff, 0xff, 0xff, 0x0f},
	} {
		bad := message(nil, 5, slices.Concat(message(nil, 1, refs), sample))
		w := f.post(type2, slices.Concat(table, bad, good))
		if got := rejectionOf(t, w).Error; w.Code != 400 || got.Accepted != 1 || got.Rejected["bad_request"] != 1 {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
	// Metadata that points nowhere costs no sample.
	meta := message(nil, 5, number(number(nil, 3, 77), 4, 1<<40))
	for range 2 {
		if w := f.post(type2, append(slices.Clone(table), message(nil, 5, slices.Concat(message(nil, 1, []byte{1, 2}), sample, meta))...)); w.Code != 204 {
			t.Errorf("metadata: %d %s", w.Code, w.Body)
		}
	}
	f.expectStored("a 0 1")
}

// A number in a list of references ends with the list: what follows, another part of the list
// even, does not belong to it. Prometheus reads on beyond the end of the list.
func TestCutReferences(t *testing.T) {
	table := message(message(message(nil, 4, nil), 4, []byte(nameLabel)), 4, []byte("a"))
	sample := message(nil, 2, encodePoint(point{ms, 1}))
	good := message(nil, 5, slices.Concat(message(nil, 1, []byte{1, 2}), sample))
	part := func(refs ...byte) []byte { return message(nil, 1, refs) }
	for what, bad := range map[string][]byte{
		"at the end":             slices.Concat(sample, part(1, 0x82)),
		"before a sample":        slices.Concat(part(1, 0x82), sample),
		"in a long number":       slices.Concat(part(1, 0x82, 0x80, 0x80), sample),
		"completed by a part":    slices.Concat(part(1, 0x82), part(0), sample),
		"completed by the third": slices.Concat(part(1), part(0x82), part(0), sample),
		"completed unpacked":     slices.Concat(part(1, 0x82), number(nil, 1, 0), sample),
		"without a sample":       part(1, 2, 0x82),
	} {
		f := openDefault(t)
		for _, body := range [][]byte{
			slices.Concat(table, message(nil, 5, bad)),
			slices.Concat(table, message(nil, 5, bad), good),
			slices.Concat(table, good, message(nil, 5, bad)),
		} {
			if w := f.post(type2, body); w.Code != 400 || !strings.Contains(w.Body.String(), "protocol buffer") {
				t.Errorf("%s: %d %s", what, w.Code, w.Body)
			}
		}
		f.expectStored()
		f.expectFine()
	}
}

// Every beginning of a message is either a message or refused as a whole.
func TestTruncated(t *testing.T) {
	for typ, encode := range versions {
		f := openDefault(t)
		body := encode([]tseries{
			{labels: []string{nameLabel, "a", "host", "h1"}, points: []point{{ms, 1.5}}, histograms: 1, exemplars: 1, typ: 1, help: "help", unit: "unit"},
			{labels: []string{nameLabel, "b"}, points: []point{{ms, 2}}},
		})
		refused := 0
		for n := range body {
			w := f.post(typ, body[:n])
			switch {
			case w.Code == 400 && len(f.stored()) == 0 && strings.Contains(w.Body.String(), "protocol buffer"):
				refused++
			case w.Code != 204 && w.Code != 400:
				t.Fatalf("%d bytes: %d %s", n, w.Code, w.Body)
			}
		}
		if refused < len(body)/2 {
			t.Errorf("only %d of %d beginnings refused", refused, len(body))
		}
		f.expectFine()
	}
}

func TestHostileMessages(t *testing.T) {
	huge := protowire.AppendVarint(nil, math.MaxUint64)
	groups := bytes.Repeat(protowire.AppendTag(nil, 14, protowire.StartGroupType), 1<<20)
	for what, body := range map[string][]byte{
		"length":            append([]byte{1<<3 | 2}, huge...),
		"length of 2.0":     append([]byte{5<<3 | 2}, huge...),
		"length 2^31":       protowire.AppendVarint([]byte{1<<3 | 2}, 1<<31),
		"number of a field": huge,
		"field 0":           {0, 0},
		"wire type 6":       {1<<3 | 6, 0},
		"wire type 7":       {12<<3 | 7, 0},
		"wrong wire type":   {1 << 3, 0},
		"wrong in 2.0":      {5 << 3, 0},
		"end of no group":   {12<<3 | 4},
		"open group":        {12<<3 | 3},
		"deep groups":       groups,
		"short fixed":       {12<<3 | 1, 0, 0},
		"label length":      message(nil, 1, append([]byte{1<<3 | 2}, huge...)),
		"deep in 2.0":       message(nil, 5, append([]byte{1<<3 | 2}, huge...)),
		"sample length":     message(nil, 5, append([]byte{2<<3 | 2}, huge...)),
		"unfinished ref":    append(message(nil, 4, nil), message(nil, 5, message(nil, 1, []byte{0x80}))...),
	} {
		f := openDefault(t)
		refused := 0
		for typ := range versions {
			w := f.post(typ, body)
			if w.Code == 400 {
				refused++
			} else if w.Code != 204 {
				t.Errorf("%s: %d %s", what, w.Code, w.Body)
			}
		}
		if refused == 0 {
			t.Errorf("%s: accepted as 1.0 and as 2.0", what)
		}
		f.expectStored()
		f.expectFine()
	}
}

// Messages of the cheapest parts must not take memory out of proportion.
func TestManySmallParts(t *testing.T) {
	for what, part := range map[string][]byte{
		"empty series of 1.0":  message(nil, 1, nil),
		"empty series of 2.0":  message(nil, 5, nil),
		"empty symbols":        message(nil, 4, nil),
		"empty metadata":       message(nil, 3, nil),
		"empty label":          message(nil, 1, message(nil, 1, nil)),
		"series with a sample": message(nil, 1, message(nil, 2, nil)),
	} {
		body := bytes.Repeat(part, 1<<20/len(part))
		for typ := range versions {
			f := openDefault(t)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := f.h.intake.Begin(protocol1)
			protocol := map[string]string{type1: protocol1, type2: protocol2}[typ]
			err := f.h.decode(r, protocol, body)
			runtime.ReadMemStats(&after)
			r.End()
			if taken := int(after.TotalAlloc - before.TotalAlloc); taken > 40*len(body)+1<<20 {
				t.Errorf("%s, %s: %d bytes taken for %d (%v)", what, protocol, taken, len(body), err)
			}
			f.expectFine()
		}
	}
}

// More parts than a request may have are too large, whatever their size is.
func TestTooManyParts(t *testing.T) {
	labels := encodeLabels([]string{nameLabel, "a"})
	table := message(message(nil, 4, []byte(nameLabel)), 4, []byte("a"))
	samples := bytes.Repeat(message(nil, 2, nil), intake.MaxPoints+1)
	for what, tt := range map[string]struct {
		typ  string
		body []byte
	}{
		"samples of 1.0": {type1, message(nil, 1, append(labels, samples...))},
		"samples of 2.0": {type2, message(table, 5, append(message(nil, 1, []byte{0, 1}), samples...))},
		"metadata":       {type1, bytes.Repeat(message(nil, 3, nil), maxPlaces+1)},
		"symbols":        {type2, bytes.Repeat(message(nil, 4, nil), maxPlaces+1)},
	} {
		f := openDefault(t)
		if w := f.post(tt.typ, tt.body); w.Code != 413 {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
		f.expectStored()
		f.expectFine()
	}
}

// Requests of both versions at the same time, over tables that are full all the time.
func TestConcurrentRequests(t *testing.T) {
	for _, size := range []int{4, 30, 1 << 10} {
		f := openDefault(t)
		f.h.table1.keys = handles.NewTable(size, 1<<20)
		f.h.table2.keys = handles.NewTable(size, 1<<20)
		f.h.table2.symbols = handles.NewTable(2*size, 1<<20)
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(uint64(g), 1))
				for round := range 20 {
					all := devops(10, ms+int64(100*g+round))
					random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
					typ := []string{type1, type2}[(g+round)%2]
					if w := f.post(typ, versions[typ](all)); w.Code != 204 {
						t.Errorf("%d %s", w.Code, w.Body)
					}
				}
			})
		}
		wg.Wait()
		// The value of each point says whose it is.
		want := make(map[string]float64)
		for _, s := range devops(10, ms) {
			tags := s.labels[2:]
			text := s.labels[1]
			for i := 0; i < len(tags); i += 2 {
				text += map[bool]string{true: "{", false: ","}[i == 0] + fmt.Sprintf("%s=%q", tags[i], tags[i+1])
			}
			want[text+"}"] = s.points[0].value
		}
		points := f.stored()
		if len(points) != 4*20*100 {
			t.Fatalf("size %d: %d points stored", size, len(points))
		}
		for _, p := range points {
			series, rest, _ := strings.Cut(p, "} ")
			var at int64
			var v float64
			if _, err := fmt.Sscan(rest, &at, &v); err != nil || want[series+"}"] != v {
				t.Fatalf("size %d: %s, want %v", size, p, want[series+"}"])
			}
		}
	}
}

// A request with far more symbols than there is room for must not look all of them up again
// for each of its series.
func TestSymbolsBeyondTheTable(t *testing.T) {
	f := openDefault(t)
	f.h.table2.symbols = handles.NewTable(8, 1<<20)
	table := message(message(message(nil, 4, nil), 4, []byte(nameLabel)), 4, []byte("x"))
	const n = 100
	for i := range n {
		table = message(table, 4, fmt.Append(nil, "s", i))
	}
	var series []byte
	for i := range uint64(3 * n) {
		refs := protowire.AppendVarint([]byte{1}, 3+i%n)
		series = message(series, 5, message(message(nil, 1, refs), 2, encodePoint(point{ms, float64(i)})))
	}
	for range 3 {
		before := f.h.table2.epoch
		if w := f.post(type2, append(slices.Clone(table), series...)); w.Code != 204 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if emptied := f.h.table2.epoch - before; emptied > maxTries+1 {
			t.Errorf("one request emptied the table %d times", emptied)
		}
	}
	if got := f.stored(); len(got) != n || got[0] != "s0 0 200" {
		t.Errorf("%d points stored, the first is %s", len(got), got[0])
	}
}

// A few bytes can ask for much: large symbols many times, and labels in many parts.
func TestBombs(t *testing.T) {
	large := bytes.Repeat([]byte("x"), 1<<20)
	table := message(message(message(message(message(nil, 4, nil), 4, []byte(nameLabel)), 4, []byte("a")), 4, large), 4, slices.Concat(large, []byte("y")))
	sample := message(nil, 2, encodePoint(point{ms, 1}))
	parts := bytes.Repeat(number(nil, 1, 2), 1<<18)
	labels := bytes.Repeat(slices.Concat(message(nil, 1, message(nil, 1, []byte("x"))), message(nil, 2, nil)), 1<<15)
	var values, help []byte
	for i := range uint64(1 << 12) {
		values = message(values, 5, slices.Concat(message(nil, 1, []byte{1, 2, 3, 3 + byte(i%2)}), sample))
		help = message(help, 5, slices.Concat(message(nil, 1, []byte{1, 2}), sample, message(nil, 5, number(number(nil, 1, 1), 3, 3+i%2))))
	}
	for what, tt := range map[string]struct {
		protocol string
		body     []byte
	}{
		"large values":      {protocol2, slices.Concat(table, values)},
		"large help":        {protocol2, slices.Concat(table, help)},
		"many references":   {protocol2, slices.Concat(table, message(nil, 5, slices.Concat(message(nil, 1, bytes.Repeat([]byte{3}, 1<<20)), sample)))},
		"single references": {protocol2, slices.Concat(table, message(nil, 5, slices.Concat(parts, sample)))},
		"labels apart":      {protocol1, message(nil, 1, labels)},
	} {
		f := openDefault(t)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := f.h.intake.Begin(tt.protocol)
		err := f.h.decode(r, tt.protocol, tt.body)
		runtime.ReadMemStats(&after)
		r.End()
		if taken := int(after.TotalAlloc - before.TotalAlloc); err != nil || taken > 40*len(tt.body)+32<<20 {
			t.Errorf("%s: %d bytes taken for %d (%v)", what, taken, len(tt.body), err)
		}
		f.expectFine()
	}
}

func TestNoAllocationPerPoint(t *testing.T) {
	f := openDefault(t)
	all := devops(100, ms)
	second := encode2(all)
	for i := range all {
		all[i].typ = 0 // 1.0 sends metadata apart, now and then
	}
	for protocol, body := range map[string][]byte{protocol1: encode1(all), protocol2: second} {
		decode := func() {
			r := f.h.intake.Begin(protocol)
			if err := f.h.decode(r, protocol, body); err != nil || r.Len() != len(all) {
				t.Fatal(r.Len(), err)
			}
			r.End()
		}
		decode()
		// The garbage collector may empty a pool at any time.
		if n := testing.AllocsPerRun(20, decode); n > float64(len(all))/50 {
			t.Errorf("%s: %v allocations for %d points", protocol, n, len(all))
		}
	}
}

// fuzz sends anything as a message. No status besides the documented ones may come back,
// and a valid request must pass afterwards.
func fuzz(f *testing.F, typ string, encode func([]tseries) []byte) {
	f.Add(encode(two))
	f.Add(encode([]tseries{{labels: []string{"x", "", nameLabel, "a"}, points: []point{{ms, 1}}, histograms: 1, exemplars: 1, typ: 3, help: "h", unit: "u"}}))
	f.Add(encode(nil))
	f.Fuzz(func(t *testing.T, body []byte) {
		s := openDefault(t)
		for range 2 { // the second time, with what the first one left in the tables
			if w := s.post(typ, body); w.Code != 204 && w.Code != 400 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		if w := s.post(typ, encode(two)); w.Code != 204 {
			t.Fatalf("a valid request afterwards: %d %s", w.Code, w.Body)
		}
	})
}

func FuzzVersion1(f *testing.F) { fuzz(f, type1, encode1) }
func FuzzVersion2(f *testing.F) { fuzz(f, type2, encode2) }

// FuzzHandler sends anything with any headers.
func FuzzHandler(f *testing.F) {
	f.Add(type1, "snappy", snappy.Encode(nil, encode1(two)))
	f.Add(type2, "zstd", []byte("\x28\xb5\x2f\xfd"))
	f.Add("application/x-protobuf;proto", "gzip", []byte("\x1f\x8b"))
	f.Add(type1, "", binary.AppendUvarint(nil, 1<<31))
	f.Fuzz(func(t *testing.T, typ, encoding string, body []byte) {
		s := openDefault(t)
		switch w := s.send(typ, encoding, body); w.Code {
		case 204, 400, 413, 415:
		default:
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}
