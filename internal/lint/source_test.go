package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// root is the top of the repository, seen from this package.
const root = "../.."

// modulePath is the import path of the root module.
const modulePath = "github.com/sydradb/sydradb"

// file is one parsed Go file of any module in the repository.
type file struct {
	path string // from the top of the repository, with '/'
	text string
	fset *token.FileSet
	ast  *ast.File
}

// dir returns the directory of the file: "." at the top.
func (f *file) dir() string {
	if i := strings.LastIndexByte(f.path, '/'); i >= 0 {
		return f.path[:i]
	}
	return "."
}

// test reports whether the file is compiled into tests only.
func (f *file) test() bool { return strings.HasSuffix(f.path, "_test.go") }

// modules are the directories of the other modules.
var modules = []string{"server", "bench", "e2e", "tools"}

// inRoot reports whether the file belongs to the root module.
func (f *file) inRoot() bool { return inRoot(f.dir()) }

func inRoot(dir string) bool {
	top, _, _ := strings.Cut(dir, "/")
	return !slices.Contains(modules, top)
}

// lines returns the number of lines.
func (f *file) lines() int { return strings.Count(f.text, "\n") }

// complain formats a complaint about the node at pos.
func (f *file) complain(pos token.Pos, format string, args ...any) string {
	p := f.fset.Position(pos)
	return fmt.Sprintf("%s:%d: %s", f.path, p.Line, fmt.Sprintf(format, args...))
}

// parse makes a file of source text. It fails on text that is not Go.
func parse(path, text string) (*file, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &file{path: path, text: text, fset: fset, ast: tree}, nil
}

// allFiles parses every Go file of the repository once.
var allFiles = sync.OnceValues(func() ([]*file, error) {
	var out []*file
	err := walk(".go", func(path, text string) error {
		f, err := parse(path, text)
		if err == nil {
			out = append(out, f)
		}
		return err
	})
	return out, err
})

// walk calls fn with each file of the repository whose name ends in suffix, leaving
// out hidden directories and testdata.
func walk(suffix string, fn func(path, text string) error) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin" || name == "data") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, suffix) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return fn(filepath.ToSlash(rel), string(text))
	})
}

// rule looks at one file and returns what it has to say against it.
type rule func(*file) []string

// exceptions maps what a rule leaves alone, mostly a path, to the reason why.
type exceptions map[string]string

// apply runs a rule over all files that it concerns. A file that the exceptions name
// may break the rule, and has to: an exception that nothing needs is to be deleted.
func apply(t *testing.T, r rule, concerns func(*file) bool, except exceptions) {
	t.Helper()
	files, err := allFiles()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, f := range files {
		if !concerns(f) {
			continue
		}
		complaints := r(f)
		if _, ok := except[f.path]; ok {
			used[f.path] = len(complaints) > 0
			continue
		}
		for _, c := range complaints {
			t.Error(c)
		}
	}
	for path, reason := range except {
		if reason == "" {
			t.Errorf("the exception for %s lacks its reason", path)
		}
		if !used[path] {
			t.Errorf("the exception for %s is no longer needed: delete it", path)
		}
	}
}

// Which files a rule concerns.
func everyFile(*file) bool        { return true }
func shipped(f *file) bool        { return !f.test() }
func shippedInRoot(f *file) bool  { return !f.test() && f.inRoot() }
func storagePackage(f *file) bool { return shippedInRoot(f) && strings.HasPrefix(f.path, "internal/") }

// broken checks that a rule complains about a snippet, once.
func broken(t *testing.T, r rule, path, text string) {
	t.Helper()
	f, err := parse(path, text)
	if err != nil {
		t.Fatal(err)
	}
	if got := r(f); len(got) != 1 {
		t.Errorf("%s: %d complaints, want 1: %q\n%s", path, len(got), got, text)
	}
}

// fine checks that a rule has nothing against a snippet.
func fine(t *testing.T, r rule, path, text string) {
	t.Helper()
	f, err := parse(path, text)
	if err != nil {
		t.Fatal(err)
	}
	if got := r(f); len(got) != 0 {
		t.Errorf("%s: unfounded complaints %q\n%s", path, got, text)
	}
}
