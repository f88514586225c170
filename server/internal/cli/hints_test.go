package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sydradb/sydradb"
)

// A hint is about what went wrong, not about another directory.
func TestHints(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", hall, "ingest")
	for name, text := range map[string]string{
		"old/segments/0/1-10-20-5.seg": "", // made damaged below
		"bad.csv":                      "ts,room,value\n1,x,2\n",
		"stray.csv":                    "ts,\"x\n1,2\n",
		"fine.csv":                     "ts,x\n1,2\n",
		"odd/file":                     "x",
	} {
		path := filepath.Join(p.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if text == "" {
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	damaged := filepath.Join(p.dir, "damaged")
	writeV0(t, damaged)
	if err := os.WriteFile(filepath.Join(damaged, "segments", "0", "1-10-20-5.seg"), []byte("SYSEG1"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		code int
		hint string // the whole of it; "" for none
	}{
		{"import v0 odd --data-dir new", ExitUsage, "DIR is a directory that version 0 wrote, with MANIFEST, segments and wal"},
		{"import v0 data --data-dir new", ExitUsage, "it needs no import; use it with: --data-dir data"},
		{"import v0 missing --data-dir new", ExitIO, ""},
		{"import v0 damaged --data-dir new", ExitDamaged, "nothing was imported; the file is one of damaged, which was not changed"},
		{"query a --data-dir old", ExitUsage, "make a new database of it with: sydradb import v0 old --data-dir NEW"},
		{"check --data-dir old", ExitUsage, "make a new database of it with: sydradb import v0 old --data-dir NEW"},
		{"query a --data-dir odd", ExitUsage, "--data-dir or SYDRADB_DATA_DIR names the directory of the database"},
		{"query a --data-dir missing", ExitUsage, "--data-dir or SYDRADB_DATA_DIR names the directory of the database"},
		{"inspect segment damaged/segments/0/1-10-20-5.seg", ExitDamaged, ""},
		{"inspect segment missing", ExitIO, ""},
		{"inspect segment data/MANIFEST", ExitDamaged, "it looks like a manifest: sydradb inspect manifest data/MANIFEST"},
		{"inspect segment data/FORMAT", ExitDamaged, ""},
		{"ingest bad.csv", ExitRefused, "say what the columns are with --csv-time, --csv-series or --csv-name, --csv-values and --csv-tags"},
		{"ingest stray.csv", ExitRefused, "the first line of a CSV file names the columns; --csv-comma says what separates them"},
		{"ingest fine.csv --csv-time when", ExitUsage, ""},
		{"ingest fine.csv --csv-tags room", ExitUsage, ""},
		{"ingest fine.csv --csv-tags x --csv-values x", ExitUsage, ""},
	} {
		r := p.run("", strings.Fields(tt.args)...)
		_, hint, _ := strings.Cut(r.stderr, "\n  hint: ")
		hint, _, _ = strings.Cut(hint, "\n")
		if r.code != tt.code || hint != tt.hint {
			t.Errorf("%s: exit code %d, want %d; the hint is not %q:\n%s", tt.args, r.code, tt.code, tt.hint, r.stderr)
		}
		if strings.Count(r.stderr, "header:") > 1 {
			t.Errorf("%s: an error is there twice:\n%s", tt.args, r.stderr)
		}
	}
}

// Programs read the last line of ingest, whatever happens.
func TestIngestEndsWithItsResult(t *testing.T) {
	p := newProgram(t)
	if err := os.WriteFile(filepath.Join(p.dir, "bad.csv"), []byte("a,b\n1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "bad.gz"), []byte("\x1f\x8bnonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sydradb.Open(filepath.Join(p.dir, "locked"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, tt := range []struct {
		args string
		code int
		last string
	}{
		{"- bad.csv", ExitRefused, "ingested 1 points (0 rejected)"},
		{"- bad.gz", ExitIO, "ingested 1 points (0 rejected)"},
		{"- missing", ExitIO, "ingested 0 points (0 rejected)"},
		{"- --data-dir locked", ExitLocked, "ingested 0 points (0 rejected)"},
		{"- --data-dir old", ExitUsage, "ingested 0 points (0 rejected)"},
	} {
		r := p.run(hall, append([]string{"ingest"}, strings.Fields(tt.args)...)...)
		lines := strings.Split(strings.TrimSuffix(r.stderr, "\n"), "\n")
		if r.code != tt.code || lines[len(lines)-1] != tt.last {
			t.Errorf("ingest %s: exit code %d, want %d, and %q at the end:\n%s", tt.args, r.code, tt.code, tt.last, r.stderr)
		}
		if strings.Count(r.stderr, "sydradb: ") != 1 {
			t.Errorf("ingest %s: not one error:\n%s", tt.args, r.stderr)
		}
	}
}
