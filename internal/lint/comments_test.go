package lint

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
	"testing"
)

// undocumented complains about exported symbols without a comment: types, functions,
// methods of exported types, constants, variables, and, in the root module, the members
// of interfaces. A comment over a group of constants or variables serves all of it.
func undocumented(f *file) []string {
	var out []string
	missing := func(name *ast.Ident, comments ...*ast.CommentGroup) {
		if !name.IsExported() {
			return
		}
		for _, c := range comments {
			if c != nil {
				return
			}
		}
		out = append(out, f.complain(name.Pos(), "exported %s is not documented", name.Name))
	}
	for _, decl := range f.ast.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || ast.IsExported(receiver(d)) {
				missing(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					missing(s.Name, s.Doc, d.Doc)
					if i, ok := s.Type.(*ast.InterfaceType); ok && s.Name.IsExported() && f.inRoot() {
						for _, method := range i.Methods.List {
							for _, name := range method.Names {
								missing(name, method.Doc, method.Comment)
							}
						}
					}
				case *ast.ValueSpec:
					for _, name := range s.Names {
						missing(name, s.Doc, s.Comment, d.Doc)
					}
				}
			}
		}
	}
	return out
}

// receiver returns the name of the type that a method belongs to.
func receiver(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

var promise = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

// unfinished complains about notes to oneself: what is to be done is an issue.
func unfinished(f *file) []string {
	var out []string
	for _, group := range f.ast.Comments {
		for _, c := range group.List {
			if m := promise.FindString(c.Text); m != "" {
				out = append(out, f.complain(c.Pos(), "%s in a comment: do it, or file an issue", m))
			}
		}
	}
	return out
}

func TestExportedSymbolsAreDocumented(t *testing.T) {
	apply(t, undocumented, shipped, nil)

	broken(t, undocumented, "internal/x/x.go", "package x\nfunc F() {}")
	broken(t, undocumented, "internal/x/x.go", "package x\n// T is.\ntype T[K any] struct{}\nfunc (t *T[K]) M() {}")
	broken(t, undocumented, "internal/x/x.go", "package x\n// I is.\ntype I interface{ M() }")
	broken(t, undocumented, "internal/x/x.go", "package x\nconst (\nA = 1\n// B is.\nB = 2\n)")
	fine(t, undocumented, "internal/x/x.go", "package x\n// T is.\ntype T struct{ F int }\ntype u int\nfunc (u) M() {}")
	fine(t, undocumented, "internal/x/x.go", "package x\n// Kinds.\nconst (\nA = 1\nB = 2\n)\nconst C = 1 // is")
}

func TestNoPromises(t *testing.T) {
	apply(t, unfinished, func(f *file) bool { return f.dir() != "internal/lint" }, nil)

	broken(t, unfinished, "x.go", "package x\n// TODO: later\n")
}

func TestPackageComments(t *testing.T) {
	files, err := allFiles()
	if err != nil {
		t.Fatal(err)
	}
	documented, first := map[string]bool{}, map[string]*file{}
	for _, f := range files {
		if f.test() {
			continue
		}
		if first[f.dir()] == nil {
			first[f.dir()] = f
		}
		if f.ast.Doc == nil {
			continue
		}
		if documented[f.dir()] {
			t.Error(f.complain(f.ast.Doc.Pos(), "a second package comment in %s", f.dir()))
		}
		documented[f.dir()] = true
		if name := f.ast.Name.Name; name != "main" && !strings.HasPrefix(f.ast.Doc.Text(), "Package "+name+" ") {
			t.Error(f.complain(f.ast.Doc.Pos(), "the package comment should begin with %q", "Package "+name))
		}
	}
	for dir, f := range first {
		if !documented[dir] {
			t.Error(f.complain(f.ast.Name.Pos(), "package %s has no package comment", dir))
		}
	}
}

// grabBags are names that say nothing about what is inside.
var grabBags = []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "types", "errors"}

func TestPackageNames(t *testing.T) {
	apply(t, grabBag, everyFile, nil)

	broken(t, grabBag, "internal/util/x.go", "package util")
	broken(t, grabBag, "internal/wal/x.go", "package log_file")
	fine(t, grabBag, "internal/wal/x_test.go", "package wal_test")
}

// grabBag complains about package names that are no noun of the design.
func grabBag(f *file) []string {
	name := strings.TrimSuffix(f.ast.Name.Name, "_test")
	for _, bad := range grabBags {
		if name == bad {
			return []string{f.complain(f.ast.Name.Pos(), "package name %s says nothing", name)}
		}
	}
	if strings.ContainsRune(name, '_') || !token.IsIdentifier(name) {
		return []string{f.complain(f.ast.Name.Pos(), "package name %s: one lower-case word", name)}
	}
	return nil
}
