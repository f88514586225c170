package lint

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// panics complains about calls of panic: an embedder's process must survive bad
// bytes, bad arguments and bad disks. Only a bug of our own may end in one.
func panics(f *file) []string {
	var out []string
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "panic" {
				out = append(out, f.complain(call.Pos(), "panic"))
			}
		}
		return true
	})
	return out
}

// clocks are the functions of package time that look at the clock or wait for it.
var clocks = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// timing complains about packages that ask what time it is: they are told, so that
// tests decide and nothing depends on the speed of a machine.
func timing(f *file) []string {
	var out []string
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "time" && slices.Contains(clocks, sel.Sel.Name) {
				out = append(out, f.complain(sel.Pos(), "time.%s: take the time, or a function for it, as an argument", sel.Sel.Name))
			}
		}
		return true
	})
	return out
}

// sleeps complains about waiting for time to pass. In the bubble of a synctest nobody
// waits: its clock jumps.
func sleeps(f *file) []string {
	if slices.ContainsFunc(f.ast.Imports, func(s *ast.ImportSpec) bool { return s.Path.Value == `"testing/synctest"` }) {
		return nil
	}
	return slices.DeleteFunc(timing(f), func(c string) bool { return !strings.Contains(c, "time.Sleep") })
}

// tricks complains about package unsafe but for its constants: Sizeof in a check at
// compile time is welcome, a pointer that the compiler cannot follow is not.
func tricks(f *file) []string {
	var out []string
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "unsafe" && !strings.HasSuffix(sel.Sel.Name, "of") {
				out = append(out, f.complain(sel.Pos(), "unsafe.%s", sel.Sel.Name))
			}
		}
		return true
	})
	return out
}

// suffixes of the files in a data directory.
var suffixes = []string{".wal", ".torn", ".seg", ".pack", ".del", ".tmp"}

// fileNames complains about string literals that end like the name of a file of the
// database: internal/base alone knows them.
func fileNames(f *file) []string {
	var out []string
	ast.Inspect(f.ast, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(lit.Value)
		if err != nil {
			return true
		}
		for _, suffix := range suffixes {
			if strings.HasSuffix(text, suffix) {
				out = append(out, f.complain(lit.Pos(), "file name %s: names are made in internal/base", lit.Value))
			}
		}
		return true
	})
	return out
}

func TestNoPanics(t *testing.T) {
	apply(t, panics, shipped, panicsAllowed)

	broken(t, panics, "x.go", "package x\nfunc f() { panic(1) }")
}

// panicsAllowed lists the files that may panic, with the mistake of ours that each
// of them reports.
var panicsAllowed = exceptions{
	"internal/engine/writer.go":  "passes a panic on to where nobody recovers it",
	"internal/memtable/table.go": "the engine wrote on long after the table said that it was full",
}

func TestStorageHasNoClock(t *testing.T) {
	apply(t, timing, func(f *file) bool { return storagePackage(f) && f.dir() != "internal/engine" }, exceptions{
		"internal/fuzzing/fuzzing.go": "measures how long a test took",
	})
	apply(t, sleeps, everyFile, nil)

	broken(t, timing, "internal/wal/x.go", "package wal\nimport \"time\"\nvar now = time.Now")
	broken(t, sleeps, "internal/wal/x_test.go", "package wal\nimport \"time\"\nfunc f() { time.Sleep(1) }")
	fine(t, sleeps, "internal/wal/x_test.go", "package wal\nimport (\n\"testing/synctest\"\n\"time\"\n)\nfunc f() { time.Sleep(1) }")
	fine(t, timing, "internal/wal/x.go", "package wal\nimport \"time\"\nvar d time.Duration")
}

func TestNoUnsafe(t *testing.T) {
	apply(t, tricks, everyFile, nil)

	broken(t, tricks, "x.go", "package x\nimport \"unsafe\"\nfunc f(b []byte) string { return unsafe.String(&b[0], len(b)) }")
	fine(t, tricks, "x.go", "package x\nimport \"unsafe\"\nvar _ [8]byte = [unsafe.Sizeof(0)]byte{}")
}

func TestFileNamesAreMadeInBase(t *testing.T) {
	apply(t, fileNames, func(f *file) bool { return shippedInRoot(f) && f.dir() != "internal/base" }, exceptions{
		"internal/fsys/atomic.go":    "stands in one layer with base and writes the temporary files; a test there would import upwards",
		"internal/manifest/entry.go": "checks the paths of a file that may come from anywhere, by its own rule",
	})

	broken(t, fileNames, "internal/wal/x.go", "package wal\nconst name = \"wal/current.wal\"")
	fine(t, fileNames, "internal/wal/x.go", "package wal\nconst name = \"wal\"")
}
