package lineproto

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
	"github.com/sydradb/sydradb/server/internal/literal"
)

// names gives out series that it can name afterwards. Names that begin with "bad" are
// refused.
type names struct {
	tb     testing.TB
	names  map[*sydradb.Series]string
	byName map[string]*sydradb.Series
	asked  int
}

func newNames(tb testing.TB) *names {
	return &names{tb: tb, names: map[*sydradb.Series]string{}, byName: map[string]*sydradb.Series{}}
}

var errBad = errors.New("bad name")

func (n *names) Series(name string, tags []sydradb.Tag, _ int64) (*sydradb.Series, error) {
	n.asked++
	if strings.HasPrefix(name, "bad") {
		return nil, errBad
	}
	key := fmt.Sprintf("%q%q", name, tags)
	if n.byName[key] == nil {
		n.byName[key] = dbtest.Series(n.tb, len(n.byName))
		n.names[n.byName[key]] = key
	}
	return n.byName[key], nil
}

// read returns what p finds in a body, a text for each point and for the refused
// fields of each line, and
// how many lines were refused as a whole.
func (n *names) read(p *Parser, body []byte, o Options) (found []string, refused int) {
	p.Reset(body, n, o)
	for l := p.Next(); l != nil; l = p.Next() {
		for _, pt := range l.Points {
			found = append(found, fmt.Sprintf("%s %d %s", n.names[pt.Series], l.Time, literal.AppendValue(nil, pt.Value)))
		}
		switch fields := len(l.Refused); {
		case fields > 0 && l.Refused[0].Field == nil:
			refused++
		case fields > 0:
			found = append(found, fmt.Sprint("refused ", fields))
		}
		if l.Rounded > 0 {
			found = append(found, fmt.Sprint("rounded ", l.Rounded))
		}
	}
	return found, refused
}

// oracle returns what the reference finds in a body, in the form of read.
func oracle(body []byte, o Options) (found []string) {
	d := lineprotocol.NewDecoderWithBytes(body)
	for d.Next() {
		line, ok := oracleLine(d, o)
		if ok {
			found = append(found, line...)
		}
	}
	return found
}

// oracleLine reads one line; ok is false if the reference refuses it, or its time.
func oracleLine(d *lineprotocol.Decoder, o Options) (found []string, ok bool) {
	measurement, err := d.Measurement()
	if err != nil {
		return nil, false
	}
	name := string(measurement)
	var tags []sydradb.Tag
	for {
		k, v, err := d.NextTag()
		if err != nil {
			return nil, false
		}
		if k == nil {
			break
		}
		tags = append(tags, sydradb.Tag{Key: string(k), Value: string(v)})
	}
	var points, refused []string
	var values []float64
	rounded := 0
	for {
		k, kind, text, err := d.NextFieldBytes()
		if err != nil {
			return nil, false
		}
		if k == nil {
			break
		}
		series := name + "_" + string(k)
		if string(k) == "value" {
			series = name
		}
		v, err := lineprotocol.NewValueFromBytes(kind, append([]byte(nil), text...))
		if err != nil || kind == lineprotocol.String || strings.HasPrefix(series, "bad") {
			refused = append(refused, string(k))
			continue
		}
		value, inexact := oracleValue(v)
		if inexact {
			rounded++
		}
		points = append(points, fmt.Sprintf("%q%q", series, tags))
		values = append(values, value)
	}
	at := time.Unix(0, o.Now)
	if text, err := d.TimeBytes(); err != nil {
		return nil, false
	} else if text != nil {
		n, err := oracleTime(text, o)
		if err != nil {
			return nil, false
		}
		at = time.Unix(0, n)
	}
	for i := range points {
		found = append(found, fmt.Sprintf("%s %d %s", points[i], at.UnixNano(), literal.AppendValue(nil, values[i])))
	}
	if len(refused) > 0 {
		found = append(found, fmt.Sprintf("refused %d", len(refused)))
	}
	if rounded > 0 {
		found = append(found, fmt.Sprint("rounded ", rounded))
	}
	return found, true
}

func oracleValue(v lineprotocol.Value) (value float64, inexact bool) {
	switch v.Kind() {
	case lineprotocol.Int:
		value = float64(v.IntV())
		return value, fmt.Sprintf("%.0f", value) != fmt.Sprint(v.IntV())
	case lineprotocol.Uint:
		value = float64(v.UintV())
		return value, fmt.Sprintf("%.0f", value) != fmt.Sprint(v.UintV())
	case lineprotocol.Bool:
		if v.BoolV() {
			return 1, false
		}
		return 0, false
	}
	return v.FloatV(), false
}

// oracleTime reads an integer of units by way of literal's exact decimals.
func oracleTime(text []byte, o Options) (int64, error) {
	switch o.Unit {
	case time.Minute, time.Hour:
		n, err := literal.ParseTime(text, literal.Nanosecond)
		if err != nil || n > sydradb.MaxTime/int64(o.Unit) || n < sydradb.MinTime/int64(o.Unit) {
			return 0, errors.New("out of range")
		}
		return n * int64(o.Unit), nil
	}
	return literal.ParseTime(text, literal.Unit(max(o.Unit, 1)))
}

// sameAsOracle compares what is read of a body, by each path, with the reference.
func sameAsOracle(t *testing.T, body []byte, o Options) {
	t.Helper()
	want := oracle(body, o)
	n := newNames(t)
	p := NewParser(NewTable(0, 0))
	for round, spare := range []int{0, 100, slack, 7} { // unused capacity; the first time, nothing is known
		own := make([]byte, len(body), len(body)+spare)
		copy(own, body)
		for i := range own[len(body):cap(own)] {
			own[:cap(own)][len(body)+i] = "1234567890, \n=\\i"[i%16] // rubbish that looks like more input
		}
		found, _ := n.read(p, own, o)
		if fmt.Sprint(found) != fmt.Sprint(want) {
			t.Fatalf("%q, round %d:\n%q\nthe reference reads\n%q", body, round, found, want)
		}
	}
}

// bodies are those of the tables here, and what is hard about line protocol.
var bodies = []string{
	"", "\n", " ", "m v=1", "m v=1\n", "m v=1 2", "m v=1 2\n", "m v=1 2\r\n", "m v=1 2 \n", "m  v=1   2\n", "m v=1\r", "m v=1 \r\nm v=2\n",
	"cpu,host=a,dc=x usage=0.5,value=2,count=3i,up=t,down=F 1694300000000000001\ncpu,host=a,dc=x usage=0.75 1694300000000000002\n",
	"# comment\n  # another\n\n  m v=1 1\n#\n", "# \x01\nm v=1\n", "#\xff\nm v=1\n", " \r\nm v=1\n", "\rm v=1\nm v=2\n",
	`my\ m,ta\,g=a\=b\ c fi\ eld=1 1` + "\n" + `my\ m,ta\,g=a\=b\ c fi\ eld=2 2` + "\n", `m\,n,a\\=b\\ c\\=1 1`, `m,a=\b v=1`, "m,a=b\\", `m\a\\ v=1`,
	`m,a=b\ v=1` + "\n" + `m,a=b\ c v=1 1` + "\n", "m\\\nv=1\nm v=2\n", "=m v=1\n", "m\" v=1\n", "\"m\",a=\"b\" \"v\"=1 1\n",
	"m s=\"a b,c=1\",v=1 1\nm s=\"two\nlines\\\" 2\n\",v=2 2\nm v=3 3\n", "m s=\"a,v=1 1\nm v=2 2\n", "m s=\"a\nm t=\"b\" 1\nm v=2\n", `m s="\\" 1`, `m s="\q\"",v=1`, "m s=\"\xff\" 1\nm v=2\n", `m s="a"b 1`, "m s=\"\\", "m v=1,s=\"\" 5\nm v=1,s=\"\" 6\n",
	"m a=9007199254740993i,b=9007199254740992i,c=-9223372036854775808i,d=9223372036854775807i,e=18446744073709551615u,f=18446744073709549568u 1\n",
	"m a=9223372036854775808i,b=18446744073709551616u,c=-1u,d=1e3i,e=i,f=-i,g=1_0i,h=0x10i,k=007i,l=-0i 1\n",
	"m a=1e3,b=1E-3,c=.5,d=5.,e=-.5,f=-0,g=-,h=.,i=1e,j=1e999,k=0x1p-2,l=-inf,m=-Infinity,n=1.2.3,o=1e+5,p=NaN,q=1\nm a=1e3,b=1E-3,c=.5,d=5.,e=-.5,f=-0\n",
	"m a=123456789012345,b=1234567890123456,c=12345678.1234567,d=12345678.12345678,e=0.30000000000000004,f=0.000000000000001,g=00000000000000000001,h=9007199254740993.0,i=12345678,j=1234567,k=123456789\n",
	"m a=t,b=T,c=true,d=True,e=TRUE,f=f,g=F,h=false,i=False,j=FALSE,k=tRUE,l=fa,m=truex\n",
	"m\nm,host= v=1 1\nm,host=a v=1 1\nm,host=a v=x 1\nm,host=a v=1 x\nm,host=a v=1 9999999999999999999\nm,host=a v=99999999999999999999i 1\nbad v=1 1\nm,host=a v=1e999 1\nm,host=a v=1 1 1\nm,host=a  2\n",
	"m,=a v=1\nm,a v=1\nm, v=1\nm,a=b, v=1\nm,a=b,c v=1\nm,,a=b v=1\nm,a=b=c v=1\nm,a=b,c=d\n,a=b v=1\n v=1\nm =1\nm v=\nm v=,w=1\nm v=1,\nm v=1, w=2\nm v\nm v=1;\nm,a=b\tv=1\nm\tv=1\nm v=1\t1\n",
	"m v=1 -5\nm v=1 -4611686018427387904\nm v=1 -4611686018427387905\nm v=1 4611686018427387904\nm v=1 4611686018427387905\nm v=1 -\nm v=1 1-2\nm v=1 --1\nm v=1 0001\nm v=1 00000000000000000000000000000001\nm v=1 1.5\nm v=1 12345678\nm v=1 1234567890123456\nm v=1 12345678901234567890\n",
	"m v=1 5 \r\nm v=1 5\rx\nm v=1 \rm v=3\nm v=1\rm v=2\nm v=4\n", "m v=1 5\r",
	"m a=1,a=2,b=3,a=4 1\nm b=1,a=2 2\nm a=1,c=3 3\nm c=1 4\nm a=1,s=\"x\",b=2 5\nm a=1,b=\"x\" 6\n",
	"m,a=1,a=1 v=1\nm,a=b value=1,value2=2\n", "m,t=ü v=1\nm,t=\xff v=1\nm v\xff=1\nm\xff v=1\n", "longmeasurementname,k=v averylongfieldname=1,averylongfieldnamf=2,eightlen=3,eightlem=4,eightle=5,averylongfield=6 1\nlongmeasurementname,k=v averylongfieldname=1,averylongfieldnamf=2,eightlen=3,eightlem=4,eightle=5,averylongfield=6 2\n",
}

func TestSameAsReference(t *testing.T) {
	for _, body := range bodies {
		for _, unit := range []time.Duration{0, time.Microsecond, time.Millisecond, time.Second, time.Minute, time.Hour} {
			sameAsOracle(t, []byte(body), Options{Unit: unit, Now: 42})
			sameAsOracle(t, []byte(body+body), Options{Unit: unit, Now: 42})
		}
	}
}

// FuzzSameAsReference: no body is read differently than by the reference, whichever path
// reads it, and none makes the parser panic.
func FuzzSameAsReference(f *testing.F) {
	for _, body := range bodies {
		f.Add([]byte(body), uint8(0))
	}
	f.Fuzz(func(t *testing.T, body []byte, unit uint8) {
		units := []time.Duration{1, time.Microsecond, time.Millisecond, time.Second, time.Minute, time.Hour}
		sameAsOracle(t, body, Options{Unit: units[int(unit)%len(units)], Now: 42})
	})
}
