package ingest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
	"github.com/sydradb/sydradb/server/internal/literal"
)

// fakeDB hands out series that it can name afterwards. Names that begin with "bad"
// are refused.
type fakeDB struct {
	tb     testing.TB
	names  map[*sydradb.Series]string
	byName map[string]*sydradb.Series
	asked  int
}

func newFakeDB(tb testing.TB) *fakeDB {
	return &fakeDB{tb: tb, names: map[*sydradb.Series]string{}, byName: map[string]*sydradb.Series{}}
}

func (f *fakeDB) Series(name string, tags ...sydradb.Tag) (*sydradb.Series, error) {
	if strings.HasPrefix(name, "bad") {
		return nil, errors.New("bad name")
	}
	tags = slices.Clone(tags)
	slices.SortFunc(tags, func(a, b sydradb.Tag) int { return strings.Compare(a.Key, b.Key) })
	for _, t := range tags {
		name += fmt.Sprintf(" %s=%s", t.Key, t.Value)
	}
	return f.get(name), nil
}

func (f *fakeDB) SeriesByID(id sydradb.SeriesID, _ ...sydradb.Tag) (*sydradb.Series, error) {
	return f.get(fmt.Sprintf("id:%d", id)), nil
}

func (f *fakeDB) get(name string) *sydradb.Series {
	f.asked++
	if f.byName[name] == nil {
		f.byName[name] = dbtest.Series(f.tb, len(f.byName))
		f.names[f.byName[name]] = name
	}
	return f.byName[name]
}

// recorder keeps points as text: "name ts value".
type recorder struct {
	db     *fakeDB
	points []string
}

func (r *recorder) Add(s *sydradb.Series, ts int64, value float64) error {
	r.points = append(r.points, fmt.Sprintf("%s %d %s", r.db.names[s], ts, literal.AppendValue(nil, value)))
	return nil
}

// parseAll runs the text through records and a parser, as a Job does, and returns the
// points and the refusals: "line: reason".
func parseAll(t *testing.T, format Format, o ParserOptions, text string) (points, refusals []string, total Outcome, fatal error) {
	t.Helper()
	db := newFakeDB(t)
	r := &recorder{db: db}
	if o.Now == nil {
		o.Now = func() int64 { return 42 }
	}
	p := NewParser(format, NewCache(db), o)
	cut := records{format: format, comma: ','}
	if o.CSV.Comma != 0 {
		cut.comma = byte(o.CSV.Comma)
	}
	cut.add([]byte(text))
	cut.end()
	for {
		record, tooLong, ok := cut.next()
		if !ok || p.Err() != nil {
			return r.points, refusals, total, p.Err()
		}
		var out Outcome
		if tooLong {
			out = refused(errors.New("too long"))
		} else {
			out = p.Parse(record, r)
		}
		total.Refused += out.Refused
		total.Rounded += out.Rounded
		if (out.Refused > 0) != (out.Err != nil) {
			t.Errorf("outcome %+v of %q: a refusal without a reason, or the other way round", out, record)
		}
		if out.Refused > 0 {
			refusals = append(refusals, fmt.Sprintf("%d: %v", cut.first, out.Err))
		}
	}
}

type parseTest struct {
	name    string
	text    string
	options ParserOptions
	want    []string // points
	refused []string // each a line number and a part of the reason
	rounded int
	fatal   string
}

func runParseTests(t *testing.T, format Format, tests []parseTest) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			points, refusals, total, fatal := parseAll(t, format, tt.options, tt.text)
			if !slices.Equal(points, tt.want) {
				t.Errorf("points:\n%s\nwant:\n%s", strings.Join(points, "\n"), strings.Join(tt.want, "\n"))
			}
			if len(refusals) != len(tt.refused) {
				t.Errorf("refused: %q, want %q", refusals, tt.refused)
			}
			for i := range min(len(refusals), len(tt.refused)) {
				line, reason, _ := strings.Cut(tt.refused[i], ": ")
				if !strings.HasPrefix(refusals[i], line+": ") || !strings.Contains(refusals[i], reason) {
					t.Errorf("refused %q, want %q", refusals[i], tt.refused[i])
				}
			}
			if total.Rounded != tt.rounded {
				t.Errorf("%d rounded, want %d", total.Rounded, tt.rounded)
			}
			if (fatal == nil) != (tt.fatal == "") || fatal != nil && !strings.Contains(fatal.Error(), tt.fatal) {
				t.Errorf("error %v, want %q", fatal, tt.fatal)
			}
		})
	}
}

func TestNDJSON(t *testing.T) {
	runParseTests(t, NDJSON, []parseTest{
		{name: "contract", text: `{"series":"weather.room1","ts":1694300000,"value":24.2,"tags":{"k":"v"}}`,
			want: []string{"weather.room1 k=v 1694300000000000000 24.2"}},
		{name: "no tags, spaces, order, unknown members", text: "\ufeff { \"value\" : 1 , \"x\":[{}], \"ts\":1 , \"series\":\"a\" }\r\n\n\r\n{\"series\":\"a\",\"ts\":2,\"value\":2,\"tags\":null}",
			want: []string{"a 1000000000 1", "a 2000000000 2"}},
		{name: "times", text: `{"series":"a","ts":1694300000.123456789,"value":1}
{"series":"a","ts":-1.5,"value":1}
{"series":"a","ts":"2023-09-09T22:53:20.25Z","value":1}
{"series":"a","ts":"1694300000.5","value":1}
{"series":"a","ts":1.6943e9,"value":1}`,
			want: []string{"a 1694300000123456789 1", "a -1500000000 1", "a 1694300000250000000 1", "a 1694300000500000000 1", "a 1694300000000000000 1"}},
		{name: "precision", options: ParserOptions{Unit: literal.Millisecond}, text: `{"series":"a","ts":1694300000123,"value":1}`,
			want: []string{"a 1694300000123000000 1"}},
		{name: "values", text: `{"series":"a","ts":0,"value":"NaN"}
{"series":"a","ts":0,"value":"+Inf"}
{"series":"a","ts":0,"value":"-Inf"}
{"series":"a","ts":0,"value":"NaN:7ff0000000000002"}
{"series":"a","ts":0,"value":-0.0}
{"series":"a","ts":0,"value":5e-324}
{"series":"a","ts":0,"value":1234567890123456789012345}`,
			want: []string{"a 0 NaN", "a 0 +Inf", "a 0 -Inf", "a 0 NaN:7ff0000000000002", "a 0 -0.0", "a 0 5e-324", "a 0 1.2345678901234568e+24"}},
		{name: "ids", text: `{"series_id":18446744073709551615,"ts":0,"value":1}
{"series_id":"7","ts":0,"value":1}
{"series_id":-1,"ts":0,"value":1}
{"series_id":"x","ts":0,"value":1}
{"series_id":{},"ts":0,"value":1}`,
			want:    []string{"id:18446744073709551615 0 1", "id:7 0 1"},
			refused: []string{"3: series_id", "4: series_id", "5: series_id"}},
		{name: "fields", text: `{"series":"a","ts":1,"fields":{"x":1,"value":2,"s":"on","b":true,"n":"NaN"},"tags":{"k":"v"}}
{"series":"a","ts":2,"fields":{"x":3},"tags":{"k":"v"}}`,
			want:    []string{"a_x k=v 1000000000 1", "a k=v 1000000000 2", "a_n k=v 1000000000 NaN", "a_x k=v 2000000000 3"},
			refused: []string{`1: field "s": not a number`}},
		{name: "escapes", text: `{"series":"a\"\\\n\u00e9\ud83c\udf21","ts":1,"value":1,"tags":{"k\\ud800":"v"}}
{"series":"a\ud800","ts":1,"value":1}
{"series":"\udc00","ts":1,"value":1}
{"series":"a\q","ts":1,"value":1}`,
			want:    []string{"a\"\\\né🌡 k\\ud800=v 1000000000 1"},
			refused: []string{"2: surrogate", "3: surrogate", "4: JSON"}},
		{name: "refused", text: `{"series":"a","ts":1,"value":1
nonsense
[1]
{"series":"a","value":1}
{"series":"a","ts":true,"value":1}
{"series":"a","ts":"soon","value":1}
{"series":"a","ts":1e99,"value":1}
{"series":"a","ts":1}
{"series":"a","ts":1,"value":1e999}
{"series":"a","ts":1,"value":"24.2"}
{"series":"a","ts":1,"value":null}
{"series":"a","ts":1,"value":1-2}
{"ts":1,"value":1}
{"series":1,"ts":1,"value":1}
{"series":"a","ts":1,"value":1,"tags":{"k":1}}
{"series":"a","ts":1,"value":1,"tags":[]}
{"series":"a","ts":1,"value":1,"fields":{"x":1}}
{"series":"a","ts":1,"fields":{}}
{"series":"a","ts":1,"fields":1}
{"series_id":1,"ts":1,"fields":{"x":1}}
{"series":"bad","ts":1,"value":1}
{"series":"a` + "\xff" + `","ts":1,"value":1}
{"series":"a","ts":1,"value":1} {}
{"series":"fine","ts":1,"value":1}`,
			want: []string{"fine 1000000000 1"},
			refused: []string{"1: not JSON", "2: not JSON", "3: not a JSON object", `4: "ts" is missing`, "5: ts: not a time", `6: ts "soon": not a time`,
				"7: accepted range", `8: "value" is missing`, "9: range of a 64-bit float", "10: not a number", "11: not a number", "12: not a number",
				`13: "series" is missing`, `14: "series" is not a string`, `15: tag "k" is not a string`, `16: "tags" is not an object`, "17: exclude",
				`18: "fields" is empty`, `19: "fields" is not an object`, `20: "fields" needs "series"`, "21: bad name", "22: UTF-8", "23: after top-level value"}},
	})
}

// What is nested very deeply is refused at once: some libraries take minutes, or all of the
// stack of the process.
func TestDeepJSON(t *testing.T) {
	deep := strings.Repeat("[", 512<<10)
	for _, tt := range []struct {
		format Format
		text   string
	}{
		{NDJSON, `{"series":"a\n","ts":1,"value":` + deep},
		{NDJSON, `{"series":"a\n","ts":1,"value":1,"tags":` + deep + strings.Repeat("]", len(deep)) + "}"},
		{CSV, "time,series,value,tags\n1,a,1," + deep},
	} {
		points, refusals, _, err := parseAll(t, tt.format, ParserOptions{}, tt.text)
		if err != nil || len(points) > 0 || len(refusals) != 1 || !strings.Contains(refusals[0], "not JSON") {
			t.Errorf("%s %.40s: %d points, refused %.200q, error %v", tt.format, tt.text, len(points), refusals, err)
		}
	}
}

// Who forgets to name the unit is told which one it may be.
func TestTimeInAFinerUnit(t *testing.T) {
	for _, tt := range []struct {
		format Format
		unit   literal.Unit
		text   string
		want   string // the end of the only refusal
	}{
		{NDJSON, literal.Second, `{"series":"a","ts":1694300000123,"value":1}`, "; with precision ms it would be 2023-09-09T22:53:20.123Z"},
		{NDJSON, literal.Second, `{"series":"a","ts":-1694300000000000,"value":1}`, "; with precision us it would be 1916-04-24T01:06:40Z"},
		{NDJSON, literal.Second, `{"series":"a","ts":1e99,"value":1}`, " to 2116-02-20"},
		{NDJSON, literal.Second, `{"series":"a","ts":"2200-01-01T00:00:00Z","value":1}`, " to 2116-02-20"},
		{NDJSON, literal.Nanosecond, `{"series":"a","ts":9999999999999999999,"value":1}`, " to 2116-02-20"},
		{Influx, literal.Millisecond, "m v=1 1694300000000000000", "; with precision ns it would be 2023-09-09T22:53:20Z"},
		{CSV, literal.Second, "ts,v\n1694300000123,1", "; with precision ms it would be 2023-09-09T22:53:20.123Z"},
	} {
		points, refusals, _, err := parseAll(t, tt.format, ParserOptions{Unit: tt.unit}, tt.text)
		if err != nil || len(points) > 0 || len(refusals) != 1 || !strings.HasSuffix(refusals[0], tt.want) {
			t.Errorf("%s: points %q, refusals %q, error %v; want %q", tt.text, points, refusals, err, tt.want)
		}
	}
}

func TestInflux(t *testing.T) {
	runParseTests(t, Influx, []parseTest{
		{name: "contract", text: "cpu,host=a,dc=x usage=0.5,value=2,count=3i,up=t,down=F 1694300000000000001\ncpu,host=a,dc=x usage=0.75 1694300000000000002",
			want: []string{"cpu_usage dc=x host=a 1694300000000000001 0.5", "cpu dc=x host=a 1694300000000000001 2", "cpu_count dc=x host=a 1694300000000000001 3",
				"cpu_up dc=x host=a 1694300000000000001 1", "cpu_down dc=x host=a 1694300000000000001 0", "cpu_usage dc=x host=a 1694300000000000002 0.75"}},
		{name: "no time, precision", options: ParserOptions{Unit: literal.Second}, text: "m v=1\nm v=2 7\n",
			want: []string{"m_v 42 1", "m_v 7000000000 2"}},
		{name: "comments, blanks, indents", text: "# x=\"\n\n  m v=1 1\n\t# y\n", want: []string{"m_v 1 1"}},
		{name: "escapes", text: `my\ m,ta\,g=a\=b\ c fi\ eld=1 1` + "\n" + `my\ m,ta\,g=a\=b\ c fi\ eld=2 2`,
			want: []string{`my m_fi eld ta,g=a=b c 1 1`, `my m_fi eld ta,g=a=b c 2 2`}},
		{name: "strings", text: "m s=\"a b,c=1\",v=1 1\nm s=\"two\nlines\\\" 2\n\",v=2 2\nm v=3 3",
			want:    []string{"m_v 1 1", "m_v 2 2", "m_v 3 3"},
			refused: []string{`1: field "s": strings are not stored`, `2: field "s"`}},
		{name: "stray quote", text: "m s=\"a,v=1 1\nm v=2 2\nm v=3 3",
			want:    []string{"m_v 2 2", "m_v 3 3"},
			refused: []string{"1: column"}},
		{name: "big integers", text: "m a=9007199254740993i,b=9007199254740992i,c=-9223372036854775808i,d=9223372036854775807i,e=18446744073709551615u,f=18446744073709549568u 1",
			want: []string{"m_a 1 9007199254740992", "m_b 1 9007199254740992", "m_c 1 -9223372036854776000", "m_d 1 9223372036854776000", "m_e 1 18446744073709552000", "m_f 1 18446744073709550000"}, rounded: 3},
		{name: "refused", text: "m\nm,host= v=1 1\nm,host=a v=1 1\nm,host=a v=x 1\nm,host=a v=1 x\nm,host=a v=1 9999999999999999999\nm,host=a v=99999999999999999999i 1\nbad v=1 1\nm,host=a v=1e999 1\nm,host=a v=1 1 1\nm,host=a  2",
			want: []string{"m_v host=a 1 1"},
			refused: []string{"1: no fields", "2: column 8", "4: column 12", "5: column 14", "6: accepted range", `7: field "v": number is outside`,
				`8: field "v": bad name`, `9: field "v": number is outside`, "10: column 16", "11: column 12"}},
	})
}

func TestCSV(t *testing.T) {
	runParseTests(t, CSV, []parseTest{
		{name: "own output", text: "series,tags,ts,value\na,\"{\"\"k\"\":\"\"v\"\"}\",1,2.5\na,{},2,NaN:7ff0000000000002\nb,,3,-0.0\n",
			want: []string{"a k=v 1000000000 2.5", "a 2000000000 NaN:7ff0000000000002", "b 3000000000 -0.0"}},
		{name: "ids", text: "series,series_id,ts,value\n,18446744073709551615,1,2\nb,7,1,2\n,x,1,2\n,,1,2\n",
			want:    []string{"id:18446744073709551615 1000000000 2", "b 1000000000 2"},
			refused: []string{"4: series_id", "5: no name"}},
		{name: "tag columns", text: "time,series,room,floor,value\n2023-09-09T22:53:20Z,t,kitchen,2,21.5\n2023-09-09T22:53:21Z,t,,2,22\n",
			want: []string{"t floor=2 room=kitchen 1694300000000000000 21.5", "t floor=2 room= 1694300001000000000 22"}},
		{name: "wide", text: "timestamp,temp,hum\n1,20,50\n2,,51\n3,x,\n", options: ParserOptions{CSV: Columns{Name: "room"}},
			want:    []string{"room_temp 1000000000 20", "room_hum 1000000000 50", "room_hum 2000000000 51"},
			refused: []string{`4: temp "x"`}},
		{name: "wide without a name", text: "ts,temp\n1,20\n", want: []string{"temp 1000000000 20"}},
		{name: "mapping", text: "when;what;where;v;ignored\n1;t;here;5;x\n",
			options: ParserOptions{Unit: literal.Millisecond, CSV: Columns{Comma: ';', Time: "when", Series: "what", Tags: []string{"where"}, Values: []string{"v"}}},
			want:    []string{"t_v where=here 1000000 5"}},
		{name: "quotes", text: "\ufeffseries,ts,value\n\"a, \"\"b\"\"\nc\",1,2\nx\"y,2,3\nd,3,4\r\n\"e\",4,5",
			want:    []string{"a, \"b\"\nc 1000000000 2", "d 3000000000 4", "e 4000000000 5"},
			refused: []string{"4: column 2"}},
		{name: "stray quotes", text: "series,ts,value\na,1,1\n\"b,2,2\nc,3,3\nd,\"4,4\ne,5,5\n\"f\",6,6\n\"g\nh\",7,7\ni,8,\"8\nj,9,9\n",
			want:    []string{"a 1000000000 1", "c 3000000000 3", "e 5000000000 5", "f 6000000000 6", "g\nh 7000000000 7", "j 9000000000 9"},
			refused: []string{"3: column", "5: column", "10: column"}},
		{name: "refused", text: "series,ts,value,tags\na,1\na,x,1,\na,1,,\na,1,1,[]\na,1,1,{\na,1,1,\"{\"\"k\"\":1}\"\nbad,1,1,\na,1,1,\n\xff,1,1,\n",
			want:    []string{"a 1000000000 1"},
			refused: []string{"2: 2 columns", `3: ts "x"`, "5: not a JSON object", "6: not JSON", `7: tag "k"`, "8: bad name", "10: UTF-8"}},
		{name: "no time", text: "a,b\n1,2\n", fatal: "no column for the time"},
		{name: "no value", text: "ts,series\n1,2\n", fatal: "no column for values"},
		{name: "twice", text: "ts,v,v\n1,2,3\n", fatal: `two columns are called "v"`},
		{name: "mapped to nothing", text: "ts,v\n1,2\n", options: ParserOptions{CSV: Columns{Time: "when"}}, fatal: `no column "when" among "ts", "v"`},
		{name: "mapped twice", text: "ts,v\n1,2\n", options: ParserOptions{CSV: Columns{Values: []string{"v"}, Tags: []string{"v"}}}, fatal: `column "v" is to be two things at once`},
		{name: "no name", text: "ts,room,value\n1,x,2\n", fatal: "no column for the name of the series"},
		{name: "header with a stray quote", text: "ts,\"a\n1,2\n", fatal: "header: column 6"},
		{name: "header not UTF-8", text: "ts,\xff\nts,a\n1,2\n", fatal: "UTF-8"},
		{name: "empty value", text: "series,ts,value\na,1,\na,x,\na,2,2\n", want: []string{"a 2000000000 2"}, refused: []string{"3: ts"}},
	})
}

// A series that was seen costs no allocation in NDJSON, and does not ask the database.
func TestKnownSeriesIsFree(t *testing.T) {
	for _, text := range []string{
		`{"series":"weather.room1","ts":1694300000.5,"value":24.2,"tags":{"k":"v","room":"kitchen"}}`,
		`{"series":"weather.room1","ts":"1694300000","fields":{"temp":24.2,"hum":0.30000000000000004}}`,
		`{"series_id":18446744073709551615,"ts":1694300000,"value":"NaN"}`,
	} {
		db := newFakeDB(t)
		p := NewParser(NDJSON, NewCache(db), ParserOptions{})
		record := []byte(text)
		var out discard
		p.Parse(record, &out)
		asked := db.asked
		if n := testing.AllocsPerRun(100, func() {
			if o := p.Parse(record, &out); o.Refused != 0 {
				t.Fatal(o.Err)
			}
		}); n != 0 {
			t.Errorf("%v allocations for %s", n, text)
		}
		if db.asked != asked {
			t.Errorf("the database was asked again for %s", text)
		}
	}
}

type discard struct{ n int }

func (d *discard) Add(*sydradb.Series, int64, float64) error {
	d.n++
	return nil
}

// A short record must not make a batch of unbounded size.
func TestRecordWithVeryLargeTags(t *testing.T) {
	var b strings.Builder
	b.WriteString("m,k=" + strings.Repeat("x", 1<<20))
	for i := range 20 {
		fmt.Fprintf(&b, "%cf%d=1", " ,"[min(i, 1)], i)
	}
	points, _, total, _ := parseAll(t, Influx, ParserOptions{}, b.String())
	if len(points) != 8 || total.Refused != 12 {
		t.Errorf("%d points and %d refused, want 8 and 12", len(points), total.Refused)
	}
}

func TestRecordEnds(t *testing.T) {
	long := strings.Repeat("x", maxRecord)
	lines := func(n int) string { return strings.Repeat("\n", n) }
	tests := []struct {
		format Format
		text   string
		want   []string // "line:record", "line:-" for one that was too long
	}{
		{NDJSON, "a\nb\r\n\n \nc", []string{"1:a", "2:b", "5:c"}},
		{NDJSON, "\ufeffa\n", []string{"1:a"}},
		{NDJSON, "a\n" + long + long + "\nb\n" + long, []string{"1:a", "2:-", "3:b", "4:" + long}},
		{NDJSON, long + long, []string{"1:-"}},
		{CSV, "a\"b\nc\"\"d\n\"e\nf\",\"g\"\"\n\"\n\"h\"x\ni", []string{"1:a\"b", "2:c\"\"d", "5:\"e\nf\",\"g\"\"\n\"", "6:\"h\"x", "7:i"}},
		{CSV, "\"open\nto the end", []string{"1:\"open", "2:to the end"}},
		{CSV, "\"open\nx,y\n\"z\",1\n\"two\nlines\",2\r\n", []string{"1:\"open", "2:x,y", "3:\"z\",1", "5:\"two\nlines\",2"}},
		{CSV, "\"" + lines(maxQuotedLines-1) + "\"\nb", []string{"256:\"" + lines(maxQuotedLines-1) + "\"", "257:b"}},
		{CSV, "\"x" + lines(maxQuotedLines) + "\"", append([]string{"1:\"x"}, `257:"`)},
		{CSV, "\"\n" + long[:maxQuoted] + "\"\nb", []string{"1:\"", "2:" + long[:maxQuoted] + "\"", "3:b"}},
		{Influx, "m v=\"a\nm w=1\nm x=\"b\"", []string{"1:m v=\"a", "2:m w=1", "3:m x=\"b\""}},
		{Influx, "#\"\nm\" v=1\nm v=\"a\\\"\nb\"\nc", []string{"1:#\"", "2:m\" v=1", "4:m v=\"a\\\"\nb\"", "5:c"}},
	}
	for _, tt := range tests {
		for _, size := range []int{1, 3, 1000, 1 << 30} {
			if size < 1000 && len(tt.text) > maxQuoted {
				continue
			}
			r := records{format: tt.format, comma: ','}
			var got []string
			take := func() {
				for {
					record, tooLong, ok := r.next()
					if !ok {
						return
					}
					if tooLong {
						record = []byte("-")
					}
					got = append(got, fmt.Sprintf("%d:%s", r.line, record))
				}
			}
			for rest := []byte(tt.text); len(rest) > 0; {
				n := min(size, len(rest))
				r.add(rest[:n])
				rest = rest[n:]
				take()
			}
			r.end()
			take()
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s in pieces of %d:\n%.200q\nwant\n%.200q", tt.format, size, got, tt.want)
			}
		}
	}
}

func TestFormatOf(t *testing.T) {
	for name, want := range map[string]Format{
		"a.csv": CSV, "a.CSV.gz": CSV, "x/a.lp": Influx, "a.influx.zst": Influx, "a.ndjson": NDJSON, "a.jsonl.gz": NDJSON, "-": NDJSON, "a.csv.d/b": NDJSON,
	} {
		if got := FormatOf(name); got != want {
			t.Errorf("FormatOf(%q) = %s, want %s", name, got, want)
		}
	}
}

// FuzzParsers: no input makes a parser panic, lose count, or add a point outside the
// accepted times.
func FuzzParsers(f *testing.F) {
	f.Add(byte(0), []byte(`{"series":"a","ts":1,"value":1,"tags":{"k":"v"}}`+"\n"+`{"series":"a","ts":"2023-09-09T22:53:20Z","fields":{"x":"NaN"}}`))
	f.Add(byte(0), []byte(`{"series":"\ud83c\udf21\\","ts":1e3,"value":-0.0}`))
	f.Add(byte(1), []byte("cpu,host=a usage=0.5,n=3i,s=\"x\ny\" 1694300000000000001\ncpu,host=a usage=1"))
	f.Add(byte(2), []byte("series,tags,ts,value\na,\"{\"\"k\"\":\"\"v\"\"}\",1,2.5\n"))
	f.Add(byte(2), []byte("ts,a,b\n1,2,\"3\n\"\n"))
	f.Fuzz(func(t *testing.T, format byte, text []byte) {
		formats := []Format{NDJSON, Influx, CSV}
		db := newFakeDB(t)
		p := NewParser(formats[format%3], NewCache(db), ParserOptions{Now: func() int64 { return 0 }})
		cut := records{format: formats[format%3], comma: ','}
		cut.add(text)
		cut.end()
		checked := checkedPoints{t: t}
		for {
			record, tooLong, ok := cut.next()
			if !ok || p.Err() != nil {
				break
			}
			if tooLong {
				continue
			}
			o := p.Parse(record, &checked)
			if (o.Refused > 0) != (o.Err != nil) {
				t.Fatalf("outcome %+v", o)
			}
		}
		if p.Err() == nil && cut.line > strings.Count(string(text), "\n")+1 {
			t.Fatalf("line %d of %q", cut.line, text)
		}
	})
}

type checkedPoints struct{ t *testing.T }

func (c *checkedPoints) Add(s *sydradb.Series, ts int64, value float64) error {
	if s == nil || ts < sydradb.MinTime || ts > sydradb.MaxTime {
		c.t.Fatalf("point %v %d %x", s, ts, math.Float64bits(value))
	}
	return nil
}
