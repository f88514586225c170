package lint

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// faultKeys are the rows of docs/faults.md, in their order. A fault that is thought of
// later gets a row and a line here; none goes.
var faultKeys = []string{
	"kill", "power-cut",
	"torn-record", "log-damage-proven", "log-damage-older", "log-empty",
	"read-error", "segment-damage", "manifest-damage", "catalog-damage", "object-damage", "tags-damage",
	"segment-missing", "manifest-missing", "own-temporary", "segment-unlisted", "foreign-file", "segment-swapped",
	"nospace-log", "nospace-flush", "nospace-manifest", "nospace-recovery",
	"write-error", "sync-log", "sync-others", "close-error", "many-files",
	"readonly-start", "readonly-later", "two-processes", "sigterm", "kill-recovery", "slow-disk", "lying-disk",
	"clock-back", "clock-forward",
	"odd-timestamps", "huge-batch", "malformed-input", "compression-bomb", "snappy-bomb",
	"slow-client", "many-connections", "cardinality", "hostile-query", "panic",
	"path-tricks", "restore-paths", "symlinks", "permissions", "token-timing", "secrets",
}

// faultRow is one row of the tables of docs/faults.md.
type faultRow struct {
	key, fault, outcome, tests string
}

// faultRows returns the rows of all tables of a page, but for their heads.
func faultRows(page string) (rows []faultRow, complaints []string) {
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| ---") || strings.HasPrefix(line, "| key ") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 4 {
			complaints = append(complaints, fmt.Sprintf("%d columns, want 4: %s", len(cells), line))
			continue
		}
		for i, c := range cells {
			if cells[i] = strings.TrimSpace(c); cells[i] == "" {
				complaints = append(complaints, "an empty column: "+line)
			}
		}
		rows = append(rows, faultRow{strings.Trim(cells[0], "`"), cells[1], cells[2], cells[3]})
	}
	return rows, complaints
}

var testName = regexp.MustCompile("^`([a-z0-9]+)\\.((?:Test|Fuzz)[A-Za-z0-9_]+)`$")

// faultTests returns what is wrong with the last column of a row: it lists tests that
// exist, with commas between them, or says why there are none.
func faultTests(cell string, exists func(pkg, name string) bool) (complaints []string) {
	if reason, ok := strings.CutPrefix(cell, "does not apply:"); ok {
		if len(strings.Fields(reason)) < 3 {
			complaints = append(complaints, "does not say why it does not apply")
		}
		return complaints
	}
	for name := range strings.SplitSeq(cell, ", ") {
		if m := testName.FindStringSubmatch(name); m == nil {
			complaints = append(complaints, fmt.Sprintf("%q is not the name of a test like `engine.TestFaults`", name))
		} else if !exists(m[1], m[2]) {
			complaints = append(complaints, "there is no "+name)
		}
	}
	return complaints
}

// testsByPackage returns the directories that have a test or fuzz target, by
// "package.Name"; the package at the top is called sydradb.
func testsByPackage() (map[string][]string, error) {
	files, err := allFiles()
	tests := map[string][]string{}
	for _, f := range files {
		if !f.test() {
			continue
		}
		pkg := path.Base(f.dir())
		if pkg == "." {
			pkg = "sydradb"
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				name := pkg + "." + fn.Name.Name
				if !slices.Contains(tests[name], f.dir()) {
					tests[name] = append(tests[name], f.dir())
				}
			}
		}
	}
	return tests, err
}

// Every fault that docs/faults.md lists is injected by tests that exist, or does not
// apply, and no fault that was once listed is lost.
func TestFaultsAreInjected(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/faults.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests, err := testsByPackage()
	if err != nil {
		t.Fatal(err)
	}
	rows, complaints := faultRows(string(page))
	for _, c := range complaints {
		t.Error(c)
	}
	var keys []string
	for _, r := range rows {
		keys = append(keys, r.key)
		for _, c := range faultTests(r.tests, func(pkg, name string) bool {
			return len(tests[pkg+"."+name]) == 1 // else which of them is meant?
		}) {
			t.Errorf("row %s: %s", r.key, c)
		}
	}
	if !slices.Equal(keys, faultKeys) {
		t.Errorf("the rows of docs/faults.md are\n%q, want\n%q", keys, faultKeys)
	}
}

func TestFaultRowsAreRead(t *testing.T) {
	rows, complaints := faultRows("| key | fault | what happens | tests |\n| --- | --- | --- | --- |\n| `a` | b | c | `engine.TestD`, `wal.FuzzE` |\n| `f` | | h | i |\n| `j` | k |\n")
	if len(rows) != 2 || rows[0] != (faultRow{"a", "b", "c", "`engine.TestD`, `wal.FuzzE`"}) || len(complaints) != 2 {
		t.Errorf("rows %q, complaints %q", rows, complaints)
	}
	exists := func(pkg, name string) bool { return pkg+"."+name == "engine.TestD" }
	for cell, want := range map[string]int{
		"`engine.TestD`":              0,
		"`engine.TestD`, `wal.FuzzE`": 1,
		"engine.TestD":                1,
		"later":                       1,
		"does not apply: there are no such files": 0,
		"does not apply: ":                        1,
	} {
		if got := faultTests(cell, exists); len(got) != want {
			t.Errorf("%s: %q, want %d complaints", cell, got, want)
		}
	}
}
