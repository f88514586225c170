package lint

import (
	"flag"
	"fmt"
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/golden"
)

// embed is a place in a page that shows a file of the repository: an HTML comment
// with its path, then a fenced block with its text.
var embed = regexp.MustCompile("(?s)(<!-- file: ([^ ]+) -->\n```[a-z]*\n)(.*?)(```\n)")

// withFiles returns the page with the present text of every file that it shows, and
// how many there are.
func withFiles(page string) (string, int, error) {
	var failed error
	n := 0
	page = embed.ReplaceAllStringFunc(page, func(block string) string {
		n++
		m := embed.FindStringSubmatch(block)
		text, err := os.ReadFile(filepath.Join(root, m[2]))
		if err != nil {
			failed = err
			return block
		}
		return m[1] + strings.TrimRight(string(text), "\n") + "\n" + m[4]
	})
	return page, n, failed
}

// The worked examples of these pages are the golden files of the packages that write
// them. With -rewrite the pages take over the present files.
func TestPagesShowTheGoldenFiles(t *testing.T) {
	pages := []string{"format/frame", "format/wal", "format/segment", "format/manifest", "format/catalog", "format/delete", "format/object", "format/pack", "format/codec", "durability", "aggregation"}
	for _, page := range pages {
		t.Run(path.Base(page), func(t *testing.T) {
			name := filepath.Join(root, "docs", page+".md")
			page, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			want, n, err := withFiles(string(page))
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				t.Fatalf("%s shows no golden file", name)
			}
			if rewriting := flag.Lookup("rewrite").Value.String() == "true"; want != string(page) && !rewriting {
				t.Fatalf("%s shows golden files as they were: run go test ./internal/lint -rewrite", name)
			}
			golden.Check(t, name, []byte(want))
		})
	}
}

var link = regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)

// deadLinks returns the relative links of a page that lead nowhere.
func deadLinks(page, text string, exists func(string) bool) []string {
	var out []string
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		if target := m[1]; !strings.Contains(target, "://") && !exists(path.Join(path.Dir(page), target)) {
			out = append(out, fmt.Sprintf("%s: dead link to %s", page, target))
		}
	}
	return out
}

func TestLinksLeadSomewhere(t *testing.T) {
	exists := func(p string) bool {
		_, err := os.Stat(filepath.Join(root, p))
		return err == nil
	}
	err := walk(".md", func(page, text string) error {
		for _, dead := range deadLinks(page, text, exists) {
			t.Error(dead)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := deadLinks("docs/x.md", "[a](y.md) [b](../README.md#z)", func(p string) bool { return p == "README.md" }); len(got) != 1 {
		t.Errorf("dead links not told from good ones: %q", got)
	}
}

func TestStyleGuideStaysShort(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/STYLE.md"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n > 150 {
		t.Errorf("docs/STYLE.md has %d lines, at most 150: nobody reads more", n)
	}
}

var makeTarget = regexp.MustCompile("`make ([a-z0-9-]+)")

// Every "make x" that a page names is a target.
func TestMakeTargetsExist(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	err = walk(".md", func(page, text string) error {
		for _, m := range makeTarget.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(string(makefile), "\n"+m[1]+":") {
				t.Errorf("%s: the Makefile has no target %s", page, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Every field of the options stands on the page about configuration.
func TestOptionsAreExplained(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := allFiles()
	if err != nil {
		t.Fatal(err)
	}
	fields := 0
	for _, f := range files {
		if f.path != "options.go" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || spec.Name.Name != "Options" {
				return true
			}
			for _, field := range spec.Type.(*ast.StructType).Fields.List {
				for _, name := range field.Names {
					fields++
					if !strings.Contains(string(page), "| `"+name.Name+"` |") {
						t.Errorf("docs/configuration.md lacks the option %s", name.Name)
					}
				}
			}
			return false
		})
	}
	if fields == 0 {
		t.Error("no options found in options.go")
	}
}
