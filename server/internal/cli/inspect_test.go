package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Rows of a log show their series, wherever it was introduced.
func TestInspectNamesTheSeriesOfRows(t *testing.T) {
	p := newProgram(t)
	const points = hall + `{"series_id":7,"ts":1,"value":1}` + "\n" + `{"series":"odd name","ts":1,"value":1,"tags":{"k":"v"}}` + "\n"
	const log, older = "data/wal/current.wal", "alone/wal/0000000000000001.wal"
	p.want(0, "", points, "ingest")
	if err := os.MkdirAll(filepath.Join(p.dir, "alone", "wal"), 0o700); err != nil {
		t.Fatal(err)
	}
	copyFile(t, filepath.Join(p.dir, log), filepath.Join(p.dir, older))
	p.want(0, "flushed 3 points into 3 segment files\n", "", "flush")
	p.want(0, "", points, "ingest")
	copyFile(t, filepath.Join(p.dir, log), filepath.Join(p.dir, "alone/wal/current.wal"))
	check := func(what, log string, known bool) {
		t.Helper()
		r := p.run("", "inspect", "wal", log)
		if r.code != 0 {
			t.Errorf("%s: %+v", what, r)
		}
		if strings.Contains(r.stdout, "  series ") {
			t.Fatalf("%s: the log introduces the series itself:\n%s", what, r.stdout)
		}
		for _, want := range []string{
			`row ordinal=0 id=18117565319915605411 series=room.temp{room="hall"} ts=`,
			`row ordinal=1 id=7 series=series:7 ts=`,
			` series="\"odd name\"{k=\"v\"}" ts=`,
		} {
			if strings.Contains(r.stdout, want) != known {
				t.Errorf("%s: %q is there: %v, want %v\n%s", what, want, !known, known, r.stdout)
			}
		}
		var records []map[string]any
		r = p.run("", "inspect", "wal", "--format", "json", log)
		if err := json.Unmarshal([]byte(r.stdout), &records); err != nil || strings.Contains(r.stdout, `"series":"room.temp{room=`) != known {
			t.Errorf("%s: %v\n%s", what, err, r.stdout)
		}
	}
	check("with a catalog", log, true)
	check("with an older log", "alone/wal/current.wal", true)
	if err := os.WriteFile(filepath.Join(p.dir, older), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("with a damaged log", "alone/wal/current.wal", false)
	flipLastByte(t, filepath.Join(p.dir, older))
	copyFile(t, filepath.Join(p.dir, "data", "CATALOG.1"), filepath.Join(p.dir, "alone", "CATALOG.1"))
	check("with a catalog and a damaged log", "alone/wal/current.wal", true)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestInspectRecognisesOtherKinds(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", hall, "ingest")
	p.want(0, "flushed 1 point into 1 segment file\n", "", "flush")
	segments, err := filepath.Glob(filepath.Join(p.dir, "data", "segments", "*", "*.seg"))
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	p.want(0, "deleted points of 1 series\n", "", "delete", "room.temp", "--all", "--yes")
	p.want(0, "flushed 0 points into 0 segment files\n", "", "flush")
	p.want(0, "", hall, "ingest", "--data-dir", "packed")
	p.want(0, "flushed 1 point into 1 segment file\n", "", "flush", "--data-dir", "packed", "--max-segment-files", "0")
	one := func(pattern string) string {
		found, err := filepath.Glob(filepath.Join(p.dir, filepath.FromSlash(pattern)))
		if err != nil || len(found) != 1 {
			t.Fatal(pattern, found, err)
		}
		return found[0]
	}
	const object = "objects/a0d243e83dc3a401c410e9142a0e0d0d371fb6d0b69fcaf7805f197015d0a404"
	if err := os.Mkdir(filepath.Join(p.dir, "objects"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, object), []byte("\x01\x0e\x00\x00\x00SydraDB object"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := map[string][]string{
		"pack": {one("packed/segments/*/*.pack")}, "delete": {one("data/deletes/*.del")}, "object": {object},
		"wal": {"data/wal/current.wal", "old/wal/current.wal"}, "manifest": {"data/MANIFEST", "old/MANIFEST"},
		"catalog": {"data/CATALOG.1"}, "segment": {segments[0], "old/segments/0/1-10-20-5.seg"},
	}
	for kind := range files {
		for other, paths := range files {
			for _, path := range paths {
				if other == kind {
					p.fails(ExitFine, "", []string{"inspect", kind, path})
				} else {
					p.fails(ExitDamaged, "", []string{"inspect", kind, path}, "hint: it looks like a "+other+": sydradb inspect "+other+" "+path)
				}
			}
		}
	}
	r := p.run("", "inspect", "segment", segments[0])
	if !strings.Contains(r.stdout, " id=18117565319915605411 id_hex=fb6e85aae0818da3 ") || !strings.HasPrefix(filepath.Base(segments[0]), "fb6e85aae0818da3-") {
		t.Errorf("the id of %s:\n%s", segments[0], r.stdout)
	}
}

// Ids alone say little to a person.
func TestInspectNamesTheSeriesOfFiles(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", hall+`{"series_id":7,"ts":1694300001,"value":1}`+"\n", "ingest")
	p.want(0, "flushed 2 points into 1 segment file\n", "", "flush", "--max-segment-files", "0")
	p.want(0, "deleted points of 1 series\n", "", "delete", "{room=\"hall\"}", "--all", "--yes")
	const room = `id=18117565319915605411 id_hex=fb6e85aae0818da3 series=room.temp{room="hall"} `
	find := func(pattern string) string {
		found, err := filepath.Glob(filepath.Join(p.dir, pattern))
		if err != nil || len(found) != 1 {
			t.Fatal(pattern, found, err)
		}
		return found[0]
	}
	pack := find("data/segments/*/*.pack")
	contains := func(r result, words ...string) {
		t.Helper()
		for _, w := range words {
			if r.code != 0 || !strings.Contains(r.stdout, w) {
				t.Errorf("%q is missing: exit code %d\n%s%s", w, r.code, r.stdout, r.stderr)
			}
		}
	}
	contains(p.run("", "inspect", "pack", pack), "pack bucket=1694296800000000000 ", "series "+room, "series id=7 id_hex=7 series=series:7 count=1 ", "block count=1 ")
	contains(p.run("", "inspect", "wal", "data/wal/current.wal"), `of id=18117565319915605411 series=room.temp{room="hall"}`+"\n")
	p.want(0, "flushed 0 points into 0 segment files\n", "", "flush")
	contains(p.run("", "inspect", "delete", find("data/deletes/*.del")), "delete lsn=", `of id=18117565319915605411 series=room.temp{room="hall"}`+"\n")

	one := p.run("", "inspect", "pack", pack, "--series", "7")
	contains(one, "pack bucket=", "series id=7 ", "block count=1 ")
	if strings.Contains(one.stdout, "room.temp") {
		t.Errorf("other series are there, too:\n%s", one.stdout)
	}
	p.fails(ExitUsage, "", []string{"inspect", "pack", pack, "--series", "8"}, "has no series 8")
	p.fails(ExitUsage, "", []string{"inspect", "pack", pack, "--series", "7", "--hour", "1", "--export", "x.seg"}, pack+": no points of this series in this hour")
	p.want(0, "", "", "inspect", "pack", pack, "--series", "series:fb6e85aae0818da3", "--hour", "1694300399", "--export", "x.seg")
	exported := p.run("", "inspect", "segment", "x.seg")
	contains(exported, "header version=2 id=18117565319915605411 ", "point ts=1694300000000000000 value=21.5\n")
	p.fails(ExitIO, "", []string{"inspect", "pack", "missing"}, "missing: no such file")
	p.fails(ExitIO, "", []string{"inspect", "pack", "missing", "--series", "7", "--hour", "1", "--export", "x.seg"}, "missing: no such file")
}
