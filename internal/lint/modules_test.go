package lint

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The root module's budget: what a program that embeds the database has to take in.
const (
	maxDirect = 10
	maxTotal  = 20
)

const goVersion = "1.26.0"

// requirement is one line of a require block.
type requirement struct {
	module   string
	version  string
	indirect bool
}

var requireLine = regexp.MustCompile(`^(?:require )?([a-zA-Z0-9.\-_/~]+\.[a-zA-Z0-9.\-_/~]+) (v[^ ]+)( // indirect)?$`)

// requirements reads the requirements of a go.mod file.
func requirements(t *testing.T, path string) []requirement {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	var out []requirement
	for line := range strings.Lines(string(text)) {
		if m := requireLine.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			out = append(out, requirement{m[1], m[2], m[3] != ""})
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s: no requirement found", path)
	}
	return out
}

func TestRootModuleBudget(t *testing.T) {
	direct, total := 0, 0
	for _, r := range requirements(t, "go.mod") {
		if slices.Contains(onlyTests, r.module) {
			continue
		}
		total++
		if !r.indirect {
			direct++
		}
	}
	if direct > maxDirect || total > maxTotal {
		t.Errorf("the root module requires %d modules, %d in all; its budget is %d and %d", direct, total, maxDirect, maxTotal)
	}
}

func TestDependenciesAreExplained(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"go.mod", "server/go.mod"} {
		for _, r := range requirements(t, path) {
			if r.indirect && path != "go.mod" {
				continue // what the server's own bring with them is theirs to explain
			}
			row := "| `" + r.module + "` | " + r.version + " |"
			if !strings.Contains(string(page), row) {
				t.Errorf("docs/dependencies.md lacks the row %q (%s)", row, path)
			}
		}
	}
}

func TestModuleFiles(t *testing.T) {
	for _, path := range []string{"go.mod", "server/go.mod", "go.work"} {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "\ngo "+goVersion+"\n") && !strings.HasPrefix(string(text), "go "+goVersion+"\n") {
			t.Errorf("%s: want the line %q", path, "go "+goVersion)
		}
		for line := range strings.Lines(string(text)) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if word == "replace" || word == "toolchain" || word == "exclude" {
				t.Errorf("%s: a %s directive binds nobody but us: %s", path, word, line)
			}
		}
	}
}
