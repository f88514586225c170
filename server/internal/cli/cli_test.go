package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sydradb/sydradb"
)

const hall = `{"series":"room.temp","ts":1694300000,"value":21.5,"tags":{"room":"hall"}}` + "\n"

func TestUsageErrors(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", hall, "ingest")
	for _, tt := range []struct {
		args  []string
		words []string
	}{
		{[]string{"frobnicate"}, []string{"unknown command", "hint"}},
		{[]string{"qeury", "a"}, []string{"Did you mean this?", "query"}},
		{[]string{"query"}, []string{"query takes a selector, or SERIES_ID START END\n  usage: sydradb query SELECTOR | query SERIES_ID START END [flags]\n"}},
		{[]string{"query", "--nonsense", "a"}, []string{"--nonsense"}},
		{[]string{"query", "a{"}, []string{`selector "a{"`}},
		{[]string{"query", "a", "1"}, []string{"SERIES_ID START END"}},
		{[]string{"query", "temp", "1", "2"}, []string{`"temp" is not a series id`}},
		{[]string{"query", "-7", "-2", "-1"}, []string{`"-7" is not a series id`}},
		{[]string{"query", "7", "soon", "2"}, []string{`START "soon": not a time`}},
		{[]string{"query", "7", "1", "later"}, []string{`END "later": not a time`}},
		{[]string{"query", "7", "2", "1"}, []string{"the start 2 is after the end 1"}},
		{[]string{"query", "7", "1", "2", "--last", "1h"}, []string{"go with a selector"}},
		{[]string{"query", "a", "--last", "1h", "--start", "1"}, []string{"--last goes with --end or by itself"}},
		{[]string{"help", "nothing"}, []string{`unknown command "nothing"`}},
		{[]string{"query", "a", "--last", "-1h"}, []string{`--last "-1h"`}},
		{[]string{"query", "a", "--format", "xml"}, []string{"use one of table, csv"}},
		{[]string{"query", "a", "--limit", "-1"}, []string{"negative"}},
		{[]string{"find", "a", "b"}, []string{`"a" is no KEY=VALUE`}},
		{[]string{"find", "=v"}, []string{"no key"}},
		{[]string{"find", "room=~h.*"}, []string{"write it as a selector: '{room=~\"h.*\"}'"}},
		{[]string{"find", "a=b", "room!=hall"}, []string{"write it as a selector: '{room!=\"hall\"}'"}},
		{[]string{"find", "room.temp", "room=hall", "k=v"}, []string{"\n  hint: write it as a selector: 'room.temp{room=\"hall\",k=\"v\"}'\n"}},
		{[]string{"find", "odd name", "odd key=1"}, []string{`'"odd name"{"odd key"="1"}'`}},
		{[]string{"ingest", "--precision", "m"}, []string{"use one of s, ms"}},
		{[]string{"ingest", "--csv-comma", "::"}, []string{"want one character"}},
		{[]string{"inspect", "ref", "x"}, []string{`unknown kind of file "ref": use wal, segment, pack, manifest, catalog, delete, object`}},
		{[]string{"inspect", "wal", "x", "--series", "1"}, []string{"are for packs"}},
		{[]string{"inspect", "pack", "x", "--series", "1", "--hour", "1"}, []string{"--export needs --series and --hour"}},
		{[]string{"inspect", "pack", "x", "--hour", "1", "--export", "y"}, []string{"--export needs --series and --hour"}},
		{[]string{"inspect", "pack", "x", "--series", "a"}, []string{`"a" is not a series id`}},
		{[]string{"delete"}, []string{"delete takes one selector\n  usage: "}},
		{[]string{"delete", "a"}, []string{"delete needs --start and --end, or --all"}},
		{[]string{"delete", "a", "--start", "1"}, []string{"delete needs --start and --end, or --all"}},
		{[]string{"delete", "a", "--start", "1", "--end", "2", "--all"}, []string{"delete needs --start and --end, or --all"}},
		{[]string{"delete", "a", "--start", "", "--end", ""}, []string{"delete needs --start and --end, or --all"}},
		{[]string{"delete", "a", "--start", "2", "--end", "1"}, []string{"the start 2 is after the end 1"}},
		{[]string{"retain"}, []string{"retain needs a rule"}},
		{[]string{"retain", "--retention-days", "0", "--retention", "a=0"}, []string{"retain needs a rule"}},
		{[]string{"retain", "--retention-days", "-1"}, []string{"want a number of days"}},
		{[]string{"retain", "--retention", "a.b=1"}, []string{`before its first dot, here "a"`}},
		{[]string{"flush", "--retention", "a"}, []string{"want NAMESPACE=DAYS"}},
		{[]string{"flush", "--retention", "a=1e9"}, []string{"want at most 106751 days"}},
		{[]string{"compact", "--max-segment-files", "-2"}, []string{"want a whole number, -1 or more"}},
		{[]string{"ingest", "--max-series", "many"}, []string{"want a whole number, 0 or more"}},
		{[]string{"ingest", "--max-disk-bytes", "1XB"}, []string{"such as 500MB"}},
		{[]string{"compact", "--data-dir", "nowhere"}, []string{"there is no database in nowhere"}},
		{[]string{"delete", "a", "--all", "--data-dir", "nowhere"}, []string{"there is no database in nowhere"}},
		{[]string{"inspect", "wal"}, []string{"inspect takes the kind of a file and its path\n  usage: sydradb inspect wal|segment|pack|manifest|catalog|delete|object FILE [flags]\n"}},
		{[]string{"stats", "extra"}, []string{"stats takes no arguments\n  usage: sydradb stats [flags]\n"}},
		{[]string{"export", "a", "b"}, []string{"export takes at most one selector\n  usage: "}},
		{[]string{"import"}, []string{"import takes one of v0\n  usage: sydradb import v0 DIR [flags]\n"}},
		{[]string{"import", "v1", "x"}, []string{"import takes one of v0"}},
		{[]string{"import", "v0"}, []string{"import v0 takes the directory of a database of version 0\n  usage: "}},
		{[]string{"import", "v0", "old"}, []string{"./data is not empty; --data-dir must name"}},
		{[]string{"completion"}, []string{"completion takes one of bash, fish, powershell, zsh\n  usage: sydradb completion bash"}},
		{[]string{"completion", "foo"}, []string{"completion takes one of"}},
		{[]string{"ingest", "--data-dir", "points.ndjson"}, []string{"--data-dir points.ndjson is not a directory", "ingested 0 points"}},
		{[]string{"stats", "--data-dir", "points.ndjson"}, []string{"--data-dir points.ndjson is not a directory"}},
		{[]string{"check", "--data-dir", "points.ndjson"}, []string{"--data-dir points.ndjson is not a directory"}},
		{[]string{"import", "v0", "old", "--data-dir", "points.ndjson"}, []string{"--data-dir points.ndjson is not a directory"}},
		{[]string{"stats", "--data-dir", "nowhere"}, []string{"there is no database in nowhere", "hint"}},
	} {
		p.fails(ExitUsage, "", tt.args, tt.words...)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "nowhere")); !os.IsNotExist(err) {
		t.Error("a command that reads created a database")
	}
}

func TestOtherExitCodes(t *testing.T) {
	p := newProgram(t)
	data := filepath.Join(p.dir, "data")
	p.want(0, "", hall, "ingest")
	p.fails(ExitRefused, "nonsense\n"+hall, []string{"ingest"}, "stdin:1: not JSON", "committed 1 points (1 rejected), line 2")
	p.fails(ExitIO, "", []string{"ingest", "missing.ndjson"}, "missing.ndjson")
	p.fails(ExitIO, "", []string{"inspect", "wal", "missing"}, "missing")
	p.fails(ExitRefused, "a,b\n1,2\n", []string{"ingest", "--format", "csv"}, "no column for the time")

	// Another process has it open.
	db, err := sydradb.Open(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"ingest"}, {"flush"}, {"compact"}, {"retain", "--retention-days", "1"}, {"delete", "room.temp", "--all", "--yes"}} {
		p.fails(ExitLocked, hall, args, "hint: another process has ./data open")
	}
	// Those that only read do not mind, and see what it has written.
	s, err := db.Series("room.temp", sydradb.Tag{Key: "room", Value: "hall"})
	if err != nil {
		t.Fatal(err)
	}
	b := db.NewBatch()
	b.Add(s, 1694300001e9, 22)
	if err := db.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	const both = hall + `{"series":"room.temp","ts":1694300001,"value":22,"tags":{"room":"hall"}}` + "\n"
	p.want(ExitFine, both, "", "query", "room.temp", "--format", "ndjson")
	p.want(ExitFine, both, "", "export")
	for _, args := range [][]string{{"find"}, {"stats"}, {"stats", "--top", "tags"}, {"check"}, {"inspect", "wal", "data/wal/current.wal"}} {
		p.fails(ExitFine, "", args)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	// No database, an older one, a newer one.
	p.fails(ExitUsage, "", []string{"query", "a", "--data-dir", "testdata"}, "no database")
	p.fails(ExitUsage, "", []string{"query", "a", "--data-dir", "old"}, "import v0")
	p.fails(ExitUsage, hall, []string{"ingest", "--data-dir", "."}, "not a SydraDB directory")
	newer := filepath.Join(p.dir, "newer")
	if err := os.CopyFS(newer, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	replaceInFile(t, filepath.Join(newer, "FORMAT"), `"format":1`, `"format":9`)
	p.fails(ExitUsage, "", []string{"stats", "--data-dir", "newer"}, "newer", "hint: use the version")

	// Damage.
	p.want(0, "flushed 2 points into 1 segment file\n", "", "flush")
	files, err := filepath.Glob(filepath.Join(data, "segments", "*", "*.seg"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	flipLastByte(t, files[0])
	name := filepath.Base(files[0])
	p.fails(ExitDamaged, "", []string{"query", "room.temp"}, name, "hint: see all of the damage, and what can be done, with: sydradb repair")
	if r := p.run("", "check"); r.code != ExitDamaged || !strings.Contains(r.stdout, "damage: segments/") || !strings.Contains(r.stdout, name) {
		t.Errorf("check of a damaged database: %+v", r)
	}
	p.fails(ExitDamaged, "", []string{"inspect", "manifest", files[0]}, name)
}

func replaceInFile(t *testing.T, path, old, replacement string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), old) {
		t.Fatalf("%s lacks %q: %s", path, old, b)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(b), old, replacement, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func flipLastByte(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// specials has every kind of value and time, some late, some written twice, one at
// each end of the accepted times.
const specials = `{"series":"s","ts":1694300000.123456789,"value":0.1,"tags":{"k e":"v,\"=\\ 温"}}
{"series":"s","ts":-1.5,"value":"NaN","tags":{"k e":"v,\"=\\ 温"}}
{"series":"s","ts":-4611686018.427387904,"value":"NaN:7ff0000000000002","tags":{"k e":"v,\"=\\ 温"}}
{"series":"s","ts":4611686018.427387904,"value":"-Inf","tags":{"k e":"v,\"=\\ 温"}}
{"series":"s","ts":0,"value":1}
{"series":"s","ts":0,"value":-0.0}
{"series":"s","ts":3600,"value":"+Inf"}
{"series":"s","ts":3599.999999999,"value":5e-324}
{"series":"s","ts":7,"value":"NaN:fff8000000000001"}
{"series_id":12345678901234567890,"ts":1,"value":1e+21}
`

const specialsOut = `{"series":"s","ts":0,"value":-0.0}
{"series":"s","ts":7,"value":"NaN:fff8000000000001"}
{"series":"s","ts":3599.999999999,"value":5e-324}
{"series":"s","ts":3600,"value":"+Inf"}
{"series":"s","ts":-4611686018.427387904,"value":"NaN:7ff0000000000002","tags":{"k e":"v,\"=\\ 温"}}
{"series":"s","ts":-1.5,"value":"NaN","tags":{"k e":"v,\"=\\ 温"}}
{"series":"s","ts":1694300000.123456789,"value":0.1,"tags":{"k e":"v,\"=\\ 温"}}
{"series":"s","ts":4611686018.427387904,"value":"-Inf","tags":{"k e":"v,\"=\\ 温"}}
{"series_id":12345678901234567890,"ts":1,"value":1e+21}
`

func TestExportedPointsComeBackBitByBit(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", specials, "ingest")
	p.want(0, specialsOut, "", "export")
	p.want(0, "flushed 9 points into 7 segment files\n", "", "flush")
	p.want(0, specialsOut, "", "export", "--format", "ndjson")
	for _, file := range []string{"all.ndjson", "all.ndjson.gz", "all.ndjson.zst"} {
		p.want(0, "", "", "export", "--output", file)
		copied := "copy-" + file
		p.want(0, "", "", "ingest", file, "--data-dir", copied)
		p.want(0, specialsOut, "", "export", "--data-dir", copied)
	}
	// The name of the file says what is in it, as it does for ingest.
	for _, file := range []string{"all.csv", "all.CSV.gz", "all.lp", "all.influx.zst", "all.json"} {
		p.run("", "export", "s", "--output", file, "--start", "0", "--end", "1")
		copied := "copy-" + file
		p.want(0, "", "", "ingest", file, "--data-dir", copied)
		p.want(0, specialsOut[:strings.IndexByte(specialsOut, '\n')+1], "", "export", "--data-dir", copied)
	}
	p.want(0, "", "", "export", "--output", "odd.csv", "--format", "ndjson")
	if text, err := os.ReadFile(filepath.Join(p.dir, "odd.csv")); err != nil || string(text) != specialsOut {
		t.Errorf("a format of its own: %s, %v", text, err)
	}
	if text, err := os.ReadFile(filepath.Join(p.dir, "all.csv")); err != nil || !strings.HasPrefix(string(text), "series,tags,ts,value\n") {
		t.Errorf("all.csv: %s, %v", text, err)
	}
	// The output of query as well, and a name that no ingest would make.
	r := p.run("", "query", `s{"k e"!=""}`, "--format", "ndjson")
	if r.code != 0 { // a key with a space may not be writable in a selector
		r = p.run("", "query", "s", "--format", "ndjson")
	}
	p.want(0, "", r.stdout, "ingest", "--data-dir", "again")
	p.want(0, r.stdout, "", "export", "--data-dir", "again")
	p.want(0, "1,1e+21\n", "", "query", "12345678901234567890", "0", "2")
	left, err := filepath.Glob(filepath.Join(p.dir, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("export left %v", left)
	}
}

func TestOtherFormatsComeBack(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", specials, "ingest")
	finite := `s value=-0.0 0
s value=5e-324 3599999999999
s,k\ e=v\,"\=\\ 温 value=0.1 1694300000123456789
series:ab54a98ceb1f0ad2 value=1e+21 1000000000
`
	r := p.want(ExitRefused, finite, "", "export", "--format", "influx")
	if !strings.Contains(r.stderr, "5 points cannot be written as influx") {
		t.Errorf("stderr: %s", r.stderr)
	}
	p.want(0, "", finite, "ingest", "--format", "influx", "--data-dir", "fromlp")
	p.want(0, finite, "", "export", "--format", "influx", "--data-dir", "fromlp")

	csv := p.run("", "query", "s", "--format", "csv").stdout
	if strings.Count(csv, "\n") != 9 {
		t.Errorf("csv:\n%s", csv)
	}
	p.want(0, "", csv, "ingest", "--format", "csv", "--data-dir", "fromcsv")
	p.want(0, csv, "", "export", "--format", "csv", "--data-dir", "fromcsv")

	var all []struct {
		Series string
		Tags   map[string]string
		Points [][2]any
	}
	js := p.run("", "query", "s", "--format", "json").stdout
	if err := json.Unmarshal([]byte(js), &all); err != nil || len(all) != 2 || len(all[0].Points) != 4 || all[1].Tags["k e"] == "" {
		t.Errorf("json: %v\n%s", err, js)
	}
}

// A number is a name, which a person who copied an id does not know.
func TestNumberThatIsNoName(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", hall+`{"series":"42","ts":1,"value":1}`+"\n", "ingest")
	const hint = "hint: 18117565319915605411 is a name here; the series with this id is series:fb6e85aae0818da3, or: sydradb query 18117565319915605411 START END\n"
	for _, args := range [][]string{
		{"query", "18117565319915605411"}, {"find", "18117565319915605411"},
		{"query", "18117565319915605411", "--format", "chart"}, {"query", "18117565319915605411", "--format", "csv"},
	} {
		if r := p.run("", args...); r.code != 0 || !strings.HasSuffix(r.stderr, hint) {
			t.Errorf("%v: %+v", args, r)
		}
	}
	for _, args := range [][]string{{"query", "42"}, {"find", "42"}, {"query", "nothing"}, {"query", "7", "1", "2"}, {"find", "a=1"}, {"query", "series:fb6e85aae0818da3"}} {
		if r := p.run("", args...); r.code != 0 || r.stderr != "" {
			t.Errorf("%v: %+v", args, r)
		}
	}
}

func TestCompletion(t *testing.T) {
	p := newProgram(t)
	const noFiles, files, directories = ":4", ":0", ":16"
	for args, want := range map[string]string{
		"query ": noFiles, "find a": noFiles, "stats ": noFiles, "flush ": noFiles, "check ": noFiles, "export ": noFiles,
		"query a --start ": noFiles, "find --end ": noFiles, "export --last ": noFiles, "query --limit ": noFiles,
		"inspect ": noFiles, "inspect wal ": files, "ingest ": files, "export --output ": files,
		"snapshot ": directories, "restore ": directories, "delete a": noFiles, "retain --retention ": noFiles,
		"inspect pack x --export ": files, "inspect pack x --hour ": noFiles,
		"import v0 ": directories, "stats --data-dir ": directories, "query --format ": noFiles,
	} {
		r := p.run("", append([]string{"__complete"}, strings.Split(args, " ")...)...)
		lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
		if got := lines[len(lines)-1]; got != want {
			t.Errorf("%q completes as %s, want %s", args, got, want)
		}
	}
}

func TestVersion(t *testing.T) {
	p := newProgram(t)
	r := p.run("", "version")
	if r.code != 0 || !strings.HasPrefix(r.stdout, "sydradb ") || strings.Count(r.stdout, "\n") != 1 {
		t.Errorf("%+v", r)
	}
	p.want(0, r.stdout, "", "--version")
}

func TestQueryRanges(t *testing.T) {
	p := newProgram(t)
	var in strings.Builder
	for ts := -3; ts <= 3; ts++ {
		fmt.Fprintf(&in, `{"series_id":7,"ts":%d.5,"value":%d}`+"\n", ts, ts)
	}
	now := time.Now().Unix()
	fmt.Fprintf(&in, `{"series":"fresh","ts":%d,"value":1}`+"\n", now-1800)
	fmt.Fprintf(&in, `{"series":"fresh","ts":%d,"value":2}`+"\n", now-3*86400)
	p.want(0, "", in.String(), "ingest")

	p.want(0, "-3.5,-3\n-2.5,-2\n", "", "query", "7", "-3.5", "-2.5")
	p.want(0, "series,tags,ts,value\nseries:7,,-2.5,-2\nseries:7,,-1.5,-1\n", "", "--data-dir", "./data", "query", "--format", "csv", "--limit", "2", "series:7", "--start", "-3")
	p.want(0, "", "", "query", "7", "-1h", "now")
	fresh := p.run("", "query", "fresh", "--last", "1h", "--format", "csv")
	if fresh.stdout != fmt.Sprintf("series,tags,ts,value\nfresh,,%d,1\n", now-1800) {
		t.Errorf("the last hour: %+v", fresh)
	}
	for _, args := range [][]string{{"--last", "1w"}, {"--start", "-4d", "--end", "now"}, {"--start", "-4d"}, {"--last", "3d", "--end", "now-1m"}} {
		if r := p.run("", append([]string{"query", "fresh", "--format", "ndjson"}, args...)...); strings.Count(r.stdout, "\n") != 2 {
			t.Errorf("%v: %+v", args, r)
		}
	}
}

func TestReadingCommands(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", "cpu,host=a,dc=x u=1 1\ncpu,host=b,dc=x u=2 2\nmem,host=a v=3 3\n", "ingest", "--format", "influx", "--precision", "s")
	a, b, m := `"series":"cpu_u","tags":{"dc":"x","host":"a"}}`, `"series":"cpu_u","tags":{"dc":"x","host":"b"}}`, `"series":"mem_v","tags":{"host":"a"}}`
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{nil, []string{a, b, m}},
		{[]string{"host=a"}, []string{a, m}},
		{[]string{"host=a", "dc=x"}, []string{a}},
		{[]string{"host=b", "dc=x", "--any"}, []string{a, b}},
		{[]string{"cpu_u"}, []string{a, b}},
		{[]string{`{host=~"a|b",dc=""}`}, []string{m}},
		{[]string{"host=a", "--start", "2"}, []string{m}},
		{[]string{"host=nowhere"}, nil},
	} {
		r := p.run("", append([]string{"find"}, tt.args...)...)
		lines := strings.SplitAfter(r.stdout, "\n")
		if len(lines)-1 != len(tt.want) || r.code != 0 {
			t.Errorf("find %v: %+v", tt.args, r)
			continue
		}
		for i, want := range tt.want {
			if !strings.HasSuffix(lines[i], want+"\n") || !strings.HasPrefix(lines[i], `{"series_id":`) {
				t.Errorf("find %v: line %d is %s, want %s", tt.args, i+1, lines[i], want)
			}
		}
	}
	r := p.want(0, "series,tags,ts,value\ncpu_u,\"{\"\"dc\"\":\"\"x\"\",\"\"host\"\":\"\"a\"\"}\",1,1\n", "", "query", "cpu_u", "--format", "csv", "--limit", "1")
	if !strings.Contains(r.stderr, "stopped at --limit 1") {
		t.Errorf("no word on the limit: %s", r.stderr)
	}
	if r := p.run("", "query", "cpu_u", "--format", "csv", "--limit", "2"); strings.Contains(r.stderr, "stopped") {
		t.Errorf("a word on a limit that was not reached: %s", r.stderr)
	}
	if r := p.run("", "query", "cpu_u", "--format", "chart"); !strings.Contains(r.stdout, `cpu_u{dc="x",host="b"}  min 2`) {
		t.Errorf("chart: %+v", r)
	}
	p.want(0, "", `{"series":"f","ts":-4611686018.427387904,"value":1}`+"\n"+`{"series":"f","ts":4611686018.427387904,"value":2}`+"\n", "ingest", "--data-dir", "limits")
	if r := p.run("", "query", "f", "--format", "chart", "--data-dir", "limits"); r.code != 0 || !strings.Contains(r.stdout, "1823-11-12 00:06:21 to 2116-02-20 23:53:38 UTC, 2 points") {
		t.Errorf("chart of all times: %+v", r)
	}
	p.want(0, "0 points of 0 series\n", "", "query", "nothing")
	p.want(0, "", "", "query", "nothing", "--format", "chart")
	p.want(0, "KEY   VALUES  SERIES\nhost  2       3\ndc    1       2\n", "", "stats", "--top", "tags")
	p.want(0, `[{"name":"cpu_u","series":2},{"name":"mem_v","series":1}]`+"\n", "", "stats", "--top", "names", "--format", "json")

	p.want(0, "flushed 3 points into 3 segment files\n", "", "flush")
	segments, err := filepath.Glob(filepath.Join(p.dir, "data", "segments", "0", "*.seg"))
	if err != nil || len(segments) != 3 {
		t.Fatal(segments, err)
	}
	for _, args := range [][]string{
		{"wal", "data/wal/current.wal"}, {"manifest", "data/MANIFEST"}, {"catalog", "data/CATALOG.1"}, {"segment", segments[0]},
	} {
		text := p.run("", append([]string{"inspect"}, args...)...)
		js := p.run("", append([]string{"inspect", "--format", "json"}, args...)...)
		var records []map[string]any
		if err := json.Unmarshal([]byte(js.stdout), &records); err != nil || len(records) == 0 {
			t.Errorf("inspect %v as JSON: %v\n%s%s", args, err, js.stdout, js.stderr)
		}
		if text.code != 0 || strings.Count(text.stdout, "\n") != len(records) {
			t.Errorf("inspect %v: %d records in JSON, as text:\n%s", args, len(records), text.stdout)
		}
	}
	if err := os.WriteFile(filepath.Join(p.dir, "data", "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := p.run("", "check"); r.code != 0 || !strings.Contains(r.stdout, "unknown: notes.txt") {
		t.Errorf("check with a foreign file: %+v", r)
	}
}

func TestCheckShowsDamageFirst(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", hall, "ingest")
	p.want(0, "flushed 1 point into 1 segment file\n", "", "flush")
	data := filepath.Join(p.dir, "data")
	files, err := filepath.Glob(filepath.Join(data, "segments", "*", "*.seg"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	flipLastByte(t, files[0])
	for i := range 13 {
		copyFile(t, files[0], filepath.Join(filepath.Dir(files[0]), fmt.Sprintf("1-1694300000000000000-1694300000000000000-%d.seg", i)))
	}
	copyFile(t, files[0], filepath.Join(data, "AAA"))
	r := p.run("", "check")
	var kinds []string
	for line := range strings.Lines(r.stdout) {
		kind, _, _ := strings.Cut(line, ": ")
		kinds = append(kinds, kind)
	}
	want := "damage,unknown" + strings.Repeat(",leftover", 10) + ",and 3 more leftovers\n"
	if got := strings.Join(kinds[2:], ","); got != want || r.code != ExitDamaged {
		t.Errorf("exit code %d, lines %s, want %s\n%s", r.code, got, want, r.stdout)
	}
	var report sydradb.CheckReport
	if err := json.Unmarshal([]byte(p.run("", "check", "--format", "json").stdout), &report); err != nil || len(report.Findings) != 15 {
		t.Errorf("%d findings as JSON, %v", len(report.Findings), err)
	}
}

func TestDataDirFromEnvironment(t *testing.T) {
	p := newProgram(t)
	p.env = append(p.env, "SYDRADB_DATA_DIR=elsewhere")
	p.want(0, "", hall, "ingest")
	p.want(0, "series,tags,ts,value\n", "", "query", "x", "--format", "csv", "--data-dir", "elsewhere")
	if _, err := os.Stat(filepath.Join(p.dir, "data")); !os.IsNotExist(err) {
		t.Error("./data was made")
	}
}

func TestImportV0(t *testing.T) {
	p := newProgram(t)
	p.want(0, "imported 3 points of 1 series from 1 segment and 1 log record\n", "", "import", "v0", "old", "--time-unit", "ms")
	p.want(0, "0.01,1.5\n0.02,2.5\n0.03,3.5\n", "", "query", "1", "0", "1")
	p.want(0, "series:1{room=\"hall\"}\n  1970-01-01T00:00:00.01Z  1.5\n  1970-01-01T00:00:00.02Z  2.5\n  1970-01-01T00:00:00.03Z  3.5\n\n3 points of 1 series\n", "", "query", "series:1")
	r := p.run("", "import", "v0", "old")
	if r.code == 0 {
		t.Error("imported into a database that exists")
	}
}
