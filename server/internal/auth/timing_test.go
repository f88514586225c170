package auth

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"testing"
)

// secretNames are names of what a client could find out by the time that a comparison takes.
var secretNames = regexp.MustCompile(`(?i)secret|password|token|\bsum\b|authorization`)

// comparisons returns where a file compares secrets in a time that depends on them: all but
// comparisons with nothing or nil, and of lengths.
func comparisons(t *testing.T, name string, source any) (found []string) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	harmless := func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.BasicLit:
			return true
		case *ast.Ident:
			return e.Name == "nil"
		}
		return false
	}
	tells := func(e ast.Expr) (is bool) {
		ast.Inspect(e, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "len" {
					return false
				}
			case *ast.Ident:
				is = is || secretNames.MatchString(n.Name)
			}
			return true
		})
		return is
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if (n.Op == token.EQL || n.Op == token.NEQ) && !harmless(n.X) && !harmless(n.Y) && (tells(n.X) || tells(n.Y)) {
				found = append(found, files.Position(n.Pos()).String())
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && regexp.MustCompile(`^(Equal|Compare|EqualFold|HasPrefix|DeepEqual)$`).MatchString(f.Sel.Name) && len(n.Args) == 2 && (tells(n.Args[0]) || tells(n.Args[1])) {
				found = append(found, files.Position(n.Pos()).String())
			}
		}
		return true
	})
	return found
}

// Tokens are compared in constant time, and in one place.
func TestTokensAreComparedInConstantTime(t *testing.T) {
	for _, name := range []string{"guard.go", "tokens.go", "throttle.go", "doc.go", "../web/server.go", "../serve/serve.go", "../influx/write.go", "../influx/query.go"} {
		for _, place := range comparisons(t, name, nil) {
			t.Errorf("%s compares a secret: use subtle.ConstantTimeCompare on sums", place)
		}
	}
	for _, bad := range []string{"secret == other", "t.sum != sum", "bytes.Equal(sum, x)", "strings.EqualFold(x, password)", "g.Token == x"} {
		if len(comparisons(t, "x.go", "package x\nvar _ = "+bad)) != 1 {
			t.Errorf("%s is not noticed", bad)
		}
	}
	for _, fine := range []string{`secret == ""`, "len(token) == other", "token == nil", "subtle.ConstantTimeCompare(sum, x)"} {
		if found := comparisons(t, "x.go", "package x\nvar _ = "+fine); len(found) > 0 {
			t.Errorf("%s: %s", fine, strings.Join(found, ", "))
		}
	}
}
