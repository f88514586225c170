package lint

import (
	"go/ast"
	"strings"
	"testing"
)

// The limits, in lines.
const (
	maxFile     = 500
	maxTestFile = 1000
	maxFunction = 100 // aim at 70
)

// longFile complains about a file that nobody reads in one go.
func longFile(f *file) []string {
	limit := maxFile
	if f.test() {
		limit = maxTestFile
	}
	if n := f.lines(); n > limit {
		return []string{f.complain(f.ast.Name.Pos(), "%d lines, at most %d: split it by its nouns", n, limit)}
	}
	return nil
}

// longFunction complains about functions that do not fit on a screen or two. Tables
// of tests may be longer.
func longFunction(f *file) []string {
	var out []string
	for _, decl := range f.ast.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		n := f.fset.Position(fn.End()).Line - f.fset.Position(fn.Pos()).Line + 1
		if n > maxFunction {
			out = append(out, f.complain(fn.Pos(), "%s has %d lines, at most %d", fn.Name.Name, n, maxFunction))
		}
	}
	return out
}

func TestFileLength(t *testing.T) {
	apply(t, longFile, everyFile, nil)

	broken(t, longFile, "x.go", "package x\n"+strings.Repeat("\n", maxFile))
	fine(t, longFile, "x_test.go", "package x\n"+strings.Repeat("\n", maxFile))
	broken(t, longFile, "x_test.go", "package x\n"+strings.Repeat("\n", maxTestFile))
}

func TestFunctionLength(t *testing.T) {
	apply(t, longFunction, shipped, nil)

	broken(t, longFunction, "x.go", "package x\nfunc f() {"+strings.Repeat("\n", maxFunction)+"}\n")
	fine(t, longFunction, "x.go", "package x\nfunc f() {"+strings.Repeat("\n", maxFunction-1)+"}\n")
}
