package codec

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fuzzing"
)

// bytesOf puts together a column: numbers below 256 are bytes, int64 zigzag varints, and
// uint64 varints.
func bytesOf(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			out = append(out, byte(p))
		case int64:
			out = appendVarint(out, p)
		case uint64:
			out = binary.AppendUvarint(out, p)
		case []byte:
			out = append(out, p...)
		}
	}
	return out
}

// codedBody returns a body of three bins with two residuals in 16 states. The weights and
// the sizes of the distances are as given.
func codedBody(weights [3]uint64, sizes [2]uint) []byte {
	w := bitWriter{buf: bytesOf(4, 3, int64(0))}
	for i, weight := range weights {
		w.put(weight-1, 4)
		w.put(1, widthBits)
		if i > 0 {
			w.put(uint64(sizes[i-1]), distanceBits)
			if size := sizes[i-1]; size > 1 && size <= 64 {
				w.put(0, size-1)
			}
		}
	}
	w.put(0, 64) // states and residuals
	return w.finish()
}

// What a stream says about itself, number by number. Every one that could lead a decoder
// astray is refused before it is used.
func TestDamagedStream(t *testing.T) {
	const count = 100
	huge := uint64(math.MaxUint64)
	nines := slices.Repeat([]byte{0xff}, 9)
	constant := func(n int64) []byte { return bytesOf(kindConstant, n) }
	for name, c := range map[string]struct {
		src   []byte
		count int
		err   error
	}{
		"bit 5 and another":         {bytesOf(0x21|0x40, 2), count, errHeader},
		"bit 6":                     {bytesOf(0x40, 2), count, errHeader},
		"bit 7":                     {bytesOf(0x80, 2), count, errHeader},
		"order 3":                   {bytesOf(kindPacked|3<<orderShift, 0, 0), count, errHeader},
		"order 2 of a constant":     {bytesOf(kindConstant|2<<orderShift, 0, 0), count, errHeader},
		"order 2 of runs":           {bytesOf(kindRuns|2<<orderShift, 0, 0), count, errHeader},
		"constant with a factor":    {bytesOf(kindConstant|factorFlag, 2, 0, 0), count, errHeader},
		"factor 0":                  {bytesOf(kindPacked|factorFlag, 0, 0, 0), count, errFactor},
		"factor 1":                  {bytesOf(kindPacked|factorFlag, 1, 0, 0), count, errFactor},
		"factor of 65 bits":         {bytesOf(kindPacked|factorFlag, nines, 2, 0), count, errVarint},
		"order 2 of one number":     {bytesOf(kindPacked|2<<orderShift, 0, 0, 0, 0), 1, errOrder},
		"65 bits a number":          {bytesOf(kindPacked, 65, 0), count, errWidth},
		"255 bits a number":         {bytesOf(kindPacked, 255, 0), count, errWidth},
		"block without its bits":    {bytesOf(kindPacked, 8, 0, make([]byte, 99)), count, errShort},
		"second block missing":      {bytesOf(kindPacked, 0, 0), 129, errShort},
		"8 states":                  {bytesOf(kindCoded, 3, 2, 0), count, errStateBits},
		"2048 states":               {bytesOf(kindCoded, 11, 2, 0), count, errStateBits},
		"one bin":                   {bytesOf(kindCoded, 4, 1, 0), count, errBins},
		"129 bins":                  {bytesOf(kindCoded, 10, 129, 0), count, errBins},
		"weights of 15":             {bytesOf(kindCoded, codedBody([3]uint64{5, 5, 5}, [2]uint{1, 1})), 2, errWeights},
		"weights of 17":             {bytesOf(kindCoded, codedBody([3]uint64{5, 5, 7}, [2]uint{1, 1})), 2, errWeights},
		"distance of 65 bits":       {bytesOf(kindCoded, codedBody([3]uint64{5, 5, 6}, [2]uint{1, 65})), 2, errDistance},
		"bins cut off":              {bytesOf(kindCoded, codedBody([3]uint64{5, 5, 6}, [2]uint{1, 1})[:6]), 2, errShort},
		"residuals cut off":         {bytesOf(kindCoded, codedBody([3]uint64{5, 5, 6}, [2]uint{1, 1})), 50, errShort},
		"no runs":                   {bytesOf(kindRuns, int64(0), 0), count, errRuns},
		"more runs than fit":        {bytesOf(kindRuns, int64(0), 9, constant(0), constant(0)), count, errRuns},
		"very many runs":            {bytesOf(kindRuns, int64(0), huge, constant(0), constant(0)), count, errRuns},
		"runs of too few":           {bytesOf(kindRuns|1<<orderShift, int64(0), int64(0), 1, constant(0), constant(0)), 12, errRuns},
		"gap below 0":               {bytesOf(kindRuns, int64(0), 1, constant(-1), constant(0)), count, errGap},
		"gap too long":              {bytesOf(kindRuns, int64(0), 1, constant(89), constant(0)), count, errGap},
		"gaps too long together":    {bytesOf(kindRuns, int64(0), 2, constant(40), constant(0)), count, errGap},
		"length below 0":            {bytesOf(kindRuns, int64(0), 1, constant(0), constant(-1)), count, errGap},
		"length too long":           {bytesOf(kindRuns, int64(0), 1, constant(0), constant(89)), count, errGap},
		"length that overflows":     {bytesOf(kindRuns, int64(0), 1, constant(0), constant(math.MaxInt64)), count, errGap},
		"length and gap too long":   {bytesOf(kindRuns, int64(0), 1, constant(80), constant(9)), count, errGap},
		"lengths too long together": {bytesOf(kindRuns, int64(0), 2, constant(0), constant(39)), count, errGap},
		"runs in gaps":              {bytesOf(kindRuns, int64(0), 1, kindRuns, int64(0), 1), count, errHeader},
		"runs in lengths":           {bytesOf(kindRuns, int64(0), 1, constant(0), kindRuns, int64(0), 1), count, errHeader},
		"runs in literals":          {bytesOf(kindRuns, int64(0), 1, constant(0), constant(0), kindRuns, int64(0), 1), count, errHeader},
		"no literals":               {bytesOf(kindRuns, int64(0), 1, constant(0), constant(0)), count, errShort},
		"more moves than points":    {bytesOf(lineByte, int64(0), int64(1), 101), count, errMoves},
		"very many moves":           {bytesOf(lineByte, int64(0), int64(1), huge), count, errMoves},
		"move behind the end":       {bytesOf(lineByte, int64(0), int64(1), 1, 100, int64(1), constant(0)), count, errMoves},
		"moves behind the end":      {bytesOf(lineByte, int64(0), int64(1), 2, 60, int64(1), 40, int64(1), constant(0)), count, errMoves},
		"move very far behind":      {bytesOf(lineByte, int64(0), int64(1), 1, huge, int64(1), constant(0)), count, errMoves},
		"line in a line":            {bytesOf(lineByte, int64(0), int64(1), 0, lineByte, constant(0)), count, errHeader},
		"65,537 points":             {bytesOf(constant(0), make([]byte, MaxPoints)), MaxPoints + 1, errCount},
	} {
		src := slices.Clip(c.src)
		_, err := decodeColumnTS(make([]int64, c.count), TimestampsStream, src, 0)
		var damage *base.CorruptionError
		if !errors.As(err, &damage) || !errors.Is(err, c.err) || damage.Offset < 0 || damage.Offset > int64(len(src)) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
}

// The largest of each number that is still sound.
func TestSoundStream(t *testing.T) {
	constant := func(n int64) []byte { return bytesOf(kindConstant, n) }
	for name, c := range map[string]struct {
		src  []byte
		want []int64
	}{
		"order 1 of one number":  {bytesOf(kindPacked|1<<orderShift, int64(7)), []int64{7}},
		"order 2 of two numbers": {bytesOf(kindPacked|2<<orderShift, int64(7), int64(3)), []int64{7, 10}},
		"coded, nothing left":    {bytesOf(kindCoded|2<<orderShift, int64(7), int64(3), codedBody([3]uint64{5, 5, 6}, [2]uint{1, 1})[:11]), []int64{7, 10}},
		"as many runs as fit":    {bytesOf(kindRuns, int64(5), 2, constant(0), constant(0)), slices.Repeat([]int64{5}, 24)},
		"a gap as long as fits":  {bytesOf(kindRuns, int64(5), 1, constant(3), constant(0), constant(1)), append([]int64{1, 1, 1}, slices.Repeat([]int64{5}, 12)...)},
		"a length as long":       {bytesOf(kindRuns, int64(5), 1, constant(0), constant(8)), slices.Repeat([]int64{5}, 20)},
		"a move of the last":     {bytesOf(lineByte, int64(1), int64(10), 1, 2, int64(4), constant(0)), []int64{1, 11, 61}},
		"moves in one place":     {bytesOf(lineByte, int64(1), int64(10), 2, 1, int64(4), 0, int64(-1), constant(0)), []int64{1, 41, 51}},
		"a factor that wraps":    {bytesOf(kindPacked|factorFlag, uint64(1)<<63, int64(1), 1, int64(0), 2), []int64{1, math.MinInt64 + 1}},
	} {
		got := make([]int64, len(c.want))
		rest, err := decodeColumnTS(got, TimestampsStream, c.src, 0)
		if err != nil || len(rest) > 0 || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %d bytes left, error %v, want %v", name, got, len(rest), err, c.want)
		}
	}
}

func TestDamagedValues2(t *testing.T) {
	const count = 100
	constant := bytesOf(kindConstant, int64(5))
	exception := make([]byte, 8)
	for name, c := range map[string]struct {
		src []byte
		err error
	}{
		"mode 3":                     {bytesOf(3, 0, constant), errMode},
		"mode 0 with exceptions":     {bytesOf(modeSame|exceptionFlag, exception), errMode},
		"mode 2 with exceptions":     {bytesOf(modeOrdered|exceptionFlag, 0, constant), errMode},
		"value cut off":              {bytesOf(modeSame, exception[:7]), errShort},
		"exponent 15":                {bytesOf(modeDecimal, 15, constant), errExponent},
		"exponent 127":               {bytesOf(modeDecimal, 127|quickFlag, constant), errExponent},
		"61 zero bits":               {bytesOf(modeOrdered, 61, constant), errZeros},
		"no exceptions":              {bytesOf(modeDecimal|exceptionFlag, 0, 0, constant), errExceptions},
		"more exceptions than fit":   {bytesOf(modeDecimal|exceptionFlag, 0, 101, constant), errExceptions},
		"very many exceptions":       {bytesOf(modeDecimal|exceptionFlag, 0, uint64(math.MaxUint64), constant), errExceptions},
		"exception behind the end":   {bytesOf(modeDecimal|exceptionFlag, 0, 1, 100, exception, constant), errExceptions},
		"exception far behind":       {bytesOf(modeDecimal|exceptionFlag, 0, 1, uint64(math.MaxUint64), exception, constant), errExceptions},
		"exceptions behind the end":  {bytesOf(modeDecimal|exceptionFlag, 0, 2, 50, 49, exception, exception, constant), errExceptions},
		"exceptions without numbers": {bytesOf(modeDecimal|exceptionFlag, 0, 2, 50, 48, exception, exception[:7]), errShort},
		"no stream":                  {bytesOf(modeDecimal|exceptionFlag, 0, 1, 50, exception), errShort},
		"a line":                     {bytesOf(modeDecimal, 0, lineByte, int64(0), int64(1), 0, constant), errHeader},
	} {
		_, err := decodeColumn(make([]float64, count), ValuesStream, slices.Clip(c.src))
		var damage *base.CorruptionError
		if !errors.As(err, &damage) || !errors.Is(err, c.err) || damage.Offset < 0 || damage.Offset > int64(len(c.src)) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
	got := make([]float64, 100)
	rest, err := decodeColumn(got, ValuesStream, bytesOf(modeDecimal|exceptionFlag, 1, 2, 50, 48, exception, exception, constant))
	want := slices.Repeat([]float64{0.5}, 100)
	want[50], want[99] = 0, 0
	if err != nil || len(rest) > 0 || !slices.Equal(got, want) {
		t.Errorf("the last place for exceptions: %v, error %v", got, err)
	}
	if _, err := decodeColumn(make([]float64, MaxPoints+1), ValuesStream, make([]byte, MaxPoints+1)); !errors.Is(err, errCount) {
		t.Errorf("65,537 values: %v", err)
	}
}

// Columns with bytes changed, added or cut off decode to something or fail; they do not
// panic, hang or allocate.
func TestMutatedColumns(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	var d Decoder
	mutate := func(encoded []byte) []byte {
		src := slices.Clone(encoded)
		for range 1 + rng.IntN(3) {
			at := rng.IntN(len(src))
			if rng.IntN(2) == 0 {
				at = rng.IntN(min(len(src), 24))
			}
			src[at] = byte(rng.Uint32())
		}
		return slices.Clip(src[:len(src)-rng.IntN(2)*rng.IntN(len(src))])
	}
	rounds, failed := 0, 0
	try := func(src []byte, decode func() error) {
		rounds++
		var err error
		fuzzing.Bounded(t, len(src), func() { err = decode() })
		if err != nil {
			failed++
			checkPlace(t, err, len(src))
		}
	}
	for _, v := range variants[1:] {
		for _, ts := range timestampColumns() {
			if len(ts) == 0 {
				continue
			}
			encoded, got := v.timestamps(t, ts), make([]int64, len(ts))
			for range 100 {
				src := mutate(encoded)
				try(src, func() error { _, err := d.Timestamps(got, v.id, src, 0); return err })
			}
		}
		for _, values := range valueColumns() {
			if len(values) == 0 {
				continue
			}
			encoded, got := v.values(t, values), make([]float64, len(values))
			for range 100 {
				src := mutate(encoded)
				try(src, func() error { _, err := d.Values(got, v.id, src); return err })
			}
		}
	}
	if failed == 0 || failed == rounds {
		t.Errorf("%d of %d columns refused: the test has lost its point", failed, rounds)
	}
}
