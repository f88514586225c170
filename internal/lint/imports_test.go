package lint

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// layers orders the packages of the root module. A package imports only packages of
// lower layers, so that each can be read, tested and replaced without those above.
var layers = map[string]int{
	".": 5, // sydradb, the public API

	"internal/engine": 4, // the only composer

	"internal/v0":        3, // reads what version 0 wrote, for the import
	"internal/compact":   3, // over manifest and segment
	"internal/retention": 3,

	"internal/wal":         2,
	"internal/memtable":    2,
	"internal/segment":     2,
	"internal/tombstone":   2,
	"internal/manifest":    2,
	"internal/catalog":     2,
	"internal/tags":        2,
	"internal/objectstore": 2,

	"internal/aggregate": 1,
	"internal/codec":     1,
	"internal/frame":     1,
	"internal/dict":      1,

	"internal/base":   0,
	"internal/blocks": 0,
	"internal/fsys":   0,
	"internal/plant":  0,
}

// sideways lists the imports within a layer that are allowed.
var sideways = exceptions{
	"internal/segment internal/manifest": "QueryRange works on a selection of manifest entries",
	"internal/fsys internal/plant":       "bugs are planted there, too",
}

// helpers are packages that only tests import: layering refuses them elsewhere. They
// stand beside the layers and may use the system, to read testdata for instance.
var helpers = []string{
	"internal/fuzzing",
	"internal/golden",
	"internal/lint",
	"internal/fsys/fsystest",
	"internal/objectstore/storetest",
}

// thirdParty says which package may import which module. What is not listed is not
// allowed; docs/dependencies.md has the reasons.
var thirdParty = map[string][]string{
	"internal/catalog":     {"github.com/cespare/xxhash/v2"},
	"internal/fsys":        {"golang.org/x/sys"},
	"internal/objectstore": {"github.com/zeebo/blake3"},
	"internal/segment":     {"github.com/zeebo/blake3"},
	"internal/tombstone":   {"github.com/zeebo/blake3"},
	"internal/tags":        {"github.com/RoaringBitmap/roaring/v2"},
}

// onlyTests are the modules that test files of the root module may import besides.
var onlyTests = []string{"pgregory.net/rapid", "go.uber.org/goleak"}

// local returns the directory of an import path of the root module.
func local(path string) (dir string, ok bool) {
	if path == modulePath {
		return ".", true
	}
	dir, ok = strings.CutPrefix(path, modulePath+"/")
	return dir, ok && inRoot(dir)
}

// layering complains about imports that do not point downwards.
func layering(f *file) []string {
	var out []string
	from := f.dir()
	layer, placed := layers[from]
	if !placed {
		if slices.Contains(helpers, from) {
			return nil
		}
		return []string{f.complain(f.ast.Name.Pos(), "package %s has no place in the layer table", from)}
	}
	for _, spec := range f.ast.Imports {
		dir, ok := local(strings.Trim(spec.Path.Value, `"`))
		if !ok || dir == from {
			continue
		}
		if to, placed := layers[dir]; placed && (to < layer || sideways[from+" "+dir] != "") {
			continue
		}
		out = append(out, f.complain(spec.Pos(), "layer %d (%s) must not import %s", layer, from, dir))
	}
	return out
}

// foreign complains about imports of modules that the table does not grant.
func foreign(f *file) []string {
	allowed := thirdParty[f.dir()]
	if f.test() {
		allowed = slices.Concat(allowed, onlyTests)
	}
	var out []string
	for _, spec := range f.ast.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		first, _, _ := strings.Cut(path, "/")
		if !strings.Contains(first, ".") || strings.HasPrefix(path+"/", modulePath+"/") {
			continue
		}
		if !slices.ContainsFunc(allowed, func(m string) bool { return strings.HasPrefix(path+"/", m+"/") }) {
			out = append(out, f.complain(spec.Pos(), "%s must not import %s", f.dir(), path))
		}
	}
	return out
}

// publicOnly complains about server and bench reaching into the root module: Go's rule for
// internal packages goes by import path and would let them.
func publicOnly(f *file) []string {
	var out []string
	for _, spec := range f.ast.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		if dir, ok := local(path); ok && dir != "." {
			out = append(out, f.complain(spec.Pos(), "only the root module imports %s: the others use the public API", dir))
		}
	}
	return out
}

// overPrometheus are the packages of the server that link Prometheus' own, which take
// minutes to compile: everything else is tested and built for other systems without them.
var overPrometheus = []string{
	"server/internal/prom", "server/internal/otlp", "server/internal/serve", "server/cmd/sydradb",
}

// withoutPrometheus complains about the server's other packages linking Prometheus.
func withoutPrometheus(f *file) []string {
	var out []string
	for _, spec := range f.ast.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		dir, _ := strings.CutPrefix(path, modulePath+"/")
		if strings.HasPrefix(path+"/", "github.com/prometheus/prometheus/") || slices.Contains(overPrometheus, dir) {
			out = append(out, f.complain(spec.Pos(), "%s must not link Prometheus, by way of %s", f.dir(), path))
		}
	}
	return out
}

// systemImports reach the operating system's files and processes, or C.
var systemImports = []string{"os", "os/exec", "os/signal", "io/ioutil", "syscall", "path/filepath", "C"}

// system complains about imports that go round internal/fsys, and about cgo, which
// the root module does without.
func system(f *file) []string {
	var out []string
	for _, spec := range f.ast.Imports {
		if path := strings.Trim(spec.Path.Value, `"`); slices.Contains(systemImports, path) {
			out = append(out, f.complain(spec.Pos(), "%s is imported outside internal/fsys", path))
		}
	}
	return out
}

// silent complains about packages that log: a library returns errors instead.
func silent(f *file) []string {
	var out []string
	for _, spec := range f.ast.Imports {
		if path := strings.Trim(spec.Path.Value, `"`); path == "log" || path == "log/slog" {
			out = append(out, f.complain(spec.Pos(), "%s is imported: leaf packages return errors", path))
		}
	}
	return out
}

func TestImportsPointDown(t *testing.T) {
	apply(t, layering, shippedInRoot, nil)

	broken(t, layering, "internal/wal/x.go", "package wal\nimport _ \""+modulePath+"/internal/manifest\"")
	broken(t, layering, "internal/frame/x.go", "package frame\nimport _ \""+modulePath+"/internal/wal\"")
	broken(t, layering, "internal/fsys/x.go", "package fsys\nimport _ \""+modulePath+"/internal/base\"")
	broken(t, layering, "internal/engine/x.go", "package engine\nimport _ \""+modulePath+"/internal/golden\"")
	broken(t, layering, "internal/newcomer/x.go", "package newcomer")
	fine(t, layering, "internal/segment/x.go", "package segment\nimport _ \""+modulePath+"/internal/manifest\"")
	fine(t, layering, "internal/wal/x.go", "package wal\nimport _ \""+modulePath+"/internal/frame\"")
}

// Tests may use the helpers and whatever stands below, and no more than that: a test
// that needs a higher layer belongs there.
func TestImportsOfTestsPointDown(t *testing.T) {
	apply(t, testLayering, func(f *file) bool { return f.test() && f.inRoot() }, nil)

	broken(t, testLayering, "internal/wal/x_test.go", "package wal\nimport _ \""+modulePath+"/internal/engine\"")
	fine(t, testLayering, "internal/wal/x_test.go", "package wal_test\nimport (\n_ \""+modulePath+"/internal/wal\"\n_ \""+modulePath+"/internal/golden\"\n)")
}

// testLayering is layering without the helpers.
func testLayering(f *file) []string {
	return slices.DeleteFunc(layering(f), func(complaint string) bool {
		return slices.ContainsFunc(helpers, func(h string) bool { return strings.HasSuffix(complaint, "import "+h) })
	})
}

func TestLayerTableHasNoGhosts(t *testing.T) {
	files, err := allFiles()
	if err != nil {
		t.Fatal(err)
	}
	for dir := range layers {
		if !slices.ContainsFunc(files, func(f *file) bool { return f.dir() == dir && !f.test() }) {
			t.Errorf("the layer table names %s, which does not exist", dir)
		}
	}
}

// The table in docs/ARCHITECTURE.md is this one.
func TestArchitecturePageHasTheLayers(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	for dir, layer := range layers {
		row := fmt.Sprintf("\n| %d | `%s` |", layer, dir)
		if dir == "." {
			row = fmt.Sprintf("\n| %d | `sydradb` (root) |", layer)
		}
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/ARCHITECTURE.md lacks the row %q", row[1:])
		}
	}
	rows := regexp.MustCompile(`(?m)^\| [0-9] \| `).FindAllString(string(page), -1)
	if len(rows) != len(layers) {
		t.Errorf("docs/ARCHITECTURE.md has %d rows with a layer, want %d", len(rows), len(layers))
	}
}

// The page names each package of the server, and no other.
func TestArchitecturePageHasTheServer(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`server/internal/[^|]*)\\|").FindAllStringSubmatch(string(page), -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			named[strings.TrimPrefix(name[1], "server/internal/")] = true
		}
	}
	packages, err := os.ReadDir(filepath.Join(root, "server/internal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range packages {
		if !named[dir.Name()] {
			t.Errorf("docs/ARCHITECTURE.md lacks server/internal/%s", dir.Name())
		}
		delete(named, dir.Name())
	}
	for name := range named {
		t.Errorf("docs/ARCHITECTURE.md names server/internal/%s, which does not exist", name)
	}
}

func TestForeignImports(t *testing.T) {
	apply(t, foreign, (*file).inRoot, nil)

	broken(t, foreign, "internal/wal/x.go", "package wal\nimport _ \"github.com/cespare/xxhash/v2\"")
	broken(t, foreign, "internal/tags/x.go", "package tags\nimport _ \"pgregory.net/rapid\"")
	fine(t, foreign, "internal/tags/x_test.go", "package tags\nimport _ \"pgregory.net/rapid\"")
	fine(t, foreign, "internal/tags/x.go", "package tags\nimport _ \"github.com/RoaringBitmap/roaring/v2/roaring64\"")
}

func TestOtherModulesUsePublicAPI(t *testing.T) {
	apply(t, publicOnly, func(f *file) bool { return !f.inRoot() }, nil)

	broken(t, publicOnly, "server/x.go", "package x\nimport _ \""+modulePath+"/internal/wal\"")
	fine(t, publicOnly, "server/x.go", "package x\nimport (\n_ \""+modulePath+"\"\n_ \""+modulePath+"/server/internal/cli\"\n)")
	broken(t, publicOnly, "bench/x.go", "package x\nimport _ \""+modulePath+"/internal/codec\"")
	fine(t, publicOnly, "bench/x.go", "package x\nimport _ \""+modulePath+"/bench/workload\"")
}

func TestFewLinkPrometheus(t *testing.T) {
	concerned := func(f *file) bool {
		return strings.HasPrefix(f.path, "server/") && !slices.Contains(overPrometheus, f.dir())
	}
	apply(t, withoutPrometheus, concerned, nil)

	broken(t, withoutPrometheus, "server/internal/x/x.go", "package x\nimport _ \"github.com/prometheus/prometheus/prompb\"")
	broken(t, withoutPrometheus, "server/internal/x/x.go", "package x\nimport _ \""+modulePath+"/server/internal/prom\"")
	fine(t, withoutPrometheus, "server/internal/x/x.go", "package x\nimport _ \"github.com/prometheus/client_golang/prometheus\"")
}

func TestOnlyFsysTouchesTheSystem(t *testing.T) {
	concerned := func(f *file) bool {
		return shippedInRoot(f) && f.dir() != "internal/fsys" && !slices.Contains(helpers, f.dir())
	}
	apply(t, system, concerned, exceptions{
		"internal/plant/on.go": "reads the environment variable that names the planted bug; never in a shipped build",
	})

	broken(t, system, "internal/wal/x.go", "package wal\nimport _ \"os\"")
	fine(t, system, "internal/wal/x.go", "package wal\nimport _ \"io/fs\"")
}

func TestLeavesDoNotLog(t *testing.T) {
	apply(t, silent, func(f *file) bool { return storagePackage(f) && layers[f.dir()] < 4 }, nil)

	broken(t, silent, "internal/wal/x.go", "package wal\nimport _ \"log/slog\"")
}
