package cli

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sydradb/sydradb"
)

func TestSnapshotAndRestore(t *testing.T) {
	p := newProgram(t)
	const later = `{"series":"room.temp","ts":1694300001,"value":22,"tags":{"room":"hall"}}` + "\n"
	p.want(0, "", hall, "ingest")
	p.want(0, "flushed 1 point into 1 segment file\n", "", "flush")
	p.want(0, "", later, "ingest")
	for _, dir := range []string{"backup", "new/dirs/backup", "slash/", "data/snapshots/one"} {
		p.want(0, dir+" holds 2 points of 1 series in 2 files (117 B)\n", "", "snapshot", dir)
		p.want(0, hall+later, "", "export", "--data-dir", dir)
	}
	if err := os.Mkdir(filepath.Join(p.dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.want(0, "empty holds 2 points of 1 series in 2 files (117 B)\n", "", "snapshot", "empty")

	// Both are independent.
	p.want(0, "deleted points of 1 series\n", "", "delete", "room.temp", "--all", "--yes")
	p.want(0, "", `{"series":"other","ts":1,"value":1}`+"\n", "ingest", "--data-dir", "backup")
	p.want(0, `{"series":"other","ts":1,"value":1}`+"\n"+hall+later, "", "export", "--data-dir", "backup")
	p.want(0, "", "", "export")
	p.want(0, "restored holds 3 points of 2 series in 2 files (117 B)\n", "", "restore", "backup", "--data-dir", "restored")
	for _, dir := range []string{"data", "backup", "restored", "empty"} {
		if r := p.run("", "check", "--data-dir", dir); r.code != 0 || !strings.HasSuffix(r.stdout, "nothing found\n") {
			t.Errorf("check of %s: %+v", dir, r)
		}
	}
}

func TestSnapshotRefuses(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", hall, "ingest")
	p.want(0, "flushed 1 point into 1 segment file\n", "", "flush")
	p.want(0, "good holds 1 point of 1 series in 1 file (59 B)\n", "", "snapshot", "good")
	p.want(0, "bad holds 1 point of 1 series in 1 file (59 B)\n", "", "snapshot", "bad")
	files, err := filepath.Glob(filepath.Join(p.dir, "bad", "segments", "*", "*.seg"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(p.dir, "odd", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args  string
		code  int
		words []string
	}{
		{"snapshot", ExitUsage, []string{"snapshot takes the directory to make\n  usage: "}},
		{"snapshot good", ExitUsage, []string{"good is not empty; DIR must name a directory"}},
		{"snapshot points.ndjson", ExitUsage, []string{"DIR points.ndjson is not a directory"}},
		{"snapshot points.ndjson/x", ExitIO, []string{"points.ndjson"}},
		{"snapshot .", ExitUsage, []string{". is not empty"}},
		{"snapshot data/wal/x", ExitUsage, []string{"lies within the database\n  hint: choose another place, or data/snapshots/NAME"}},
		{"snapshot data/snapshots", ExitUsage, []string{"lies within the database"}},
		{"snapshot data/snapshots/a/b", ExitUsage, []string{"lies within the database"}},
		{"snapshot x --data-dir nowhere", ExitUsage, []string{"there is no database in nowhere"}},
		{"snapshot x --data-dir odd", ExitUsage, []string{"not a SydraDB directory"}},
		{"restore", ExitUsage, []string{"restore takes the directory of a snapshot\n  usage: "}},
		{"restore good", ExitUsage, []string{"./data is not empty; --data-dir must name"}},
		{"restore good --data-dir good/x", ExitUsage, []string{"--data-dir good/x lies within good"}},
		{"restore points.ndjson --data-dir x", ExitUsage, []string{"DIR points.ndjson is not a directory"}},
		{"restore missing --data-dir x", ExitIO, []string{"missing: no such file"}},
		{"restore odd --data-dir x", ExitUsage, []string{"hint: DIR is a snapshot, or the directory of a database"}},
		{"restore old --data-dir x", ExitUsage, []string{"hint: make a new database of it with: sydradb import v0 old --data-dir x"}},
		{"restore bad --data-dir x", ExitDamaged, []string{filepath.Base(files[0]), "hint: nothing was restored; see what can be done with: sydradb repair --data-dir bad"}},
	} {
		p.fails(tt.code, "", strings.Fields(tt.args), tt.words...)
	}
	p.fails(ExitUsage, "", []string{"snapshot", ""}, "DIR is empty")
	db, err := sydradb.Open(filepath.Join(p.dir, "good"), nil)
	if err != nil {
		t.Fatal(err)
	}
	p.fails(ExitLocked, "", []string{"restore", "good", "--data-dir", "x"}, "hint: another process has good open, or restores into x")
	p.fails(ExitLocked, "", []string{"snapshot", "x", "--data-dir", "good"}, "hint: another process has good open")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x", "x.tmp"} {
		if _, err := os.Stat(filepath.Join(p.dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was made", name)
		}
	}
}

func TestRepair(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", hall+`{"series":"other","ts":1,"value":1}`+"\n", "ingest")
	p.want(0, "flushed 2 points into 2 segment files\n", "", "flush")
	p.want(0, "nothing to repair\n", "", "repair")
	p.want(0, "[]\n", "", "repair", "--format", "json")
	files, err := filepath.Glob(filepath.Join(p.dir, "data", "segments", "1694296800", "*.seg"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	flipLastByte(t, files[0])
	damaged, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(files[0])

	// Nothing is done unasked.
	p.fails(ExitDamaged, "", []string{"check"}, "hint: see what can be done with: sydradb repair --data-dir ./data")
	p.fails(ExitDamaged, "y\n", []string{"repair"}, "nothing was done; --yes does it without asking")
	var steps []sydradb.RepairStep
	r := p.run("", "repair", "--format", "json")
	if err := json.Unmarshal([]byte(r.stdout), &steps); err != nil || r.code != ExitDamaged || len(steps) != 2 {
		t.Errorf("repair as JSON: %+v, %v", r, err)
	}
	p.fails(ExitDamaged, "", []string{"query", "room.temp"}, name)

	db, err := sydradb.Open(filepath.Join(p.dir, "data"), nil)
	if err != nil {
		t.Fatal(err)
	}
	p.fails(ExitLocked, "", []string{"repair", "--yes"}, "hint: another process has ./data open")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	r = p.run("", "repair", "--yes")
	if r.code != 0 || !strings.Contains(r.stdout, "set-aside: segments/1694296800/"+name+": ") || !strings.HasSuffix(r.stderr, "repaired; what was set aside or written anew is in data/quarantine as it was\n") {
		t.Errorf("repair: %+v", r)
	}
	var kept []byte
	err = filepath.WalkDir(filepath.Join(p.dir, "data", "quarantine"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.Contains(d.Name(), name) {
			kept, err = os.ReadFile(path)
		}
		return err
	})
	if err != nil || string(kept) != string(damaged) {
		t.Errorf("quarantine holds %q, %v; want %q", kept, err, damaged)
	}
	if r := p.run("", "check"); r.code != 0 || !strings.HasSuffix(r.stdout, "nothing found\n") {
		t.Errorf("check after repair: %+v", r)
	}
	p.want(0, "", "", "export", "room.temp")
	p.want(0, `{"series":"other","ts":1,"value":1}`+"\n", "", "export")
	p.fails(ExitUsage, "", []string{"repair", "--data-dir", "nowhere"}, "there is no database in nowhere")
	p.fails(ExitUsage, "", []string{"repair", "--data-dir", "old"}, "hint: make a new database of it with: sydradb import v0 old")
}
