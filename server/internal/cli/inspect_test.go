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
	files := map[string][]string{
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
