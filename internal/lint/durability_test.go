package lint

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// testCommand finds the commands of a page that run certain tests of one package.
var testCommand = regexp.MustCompile("`go test [^`]*-run '([^']+)' \\./([a-z/]+)`")

// Each command of docs/durability.md that runs certain tests names some that exist. Those of the
// real binary are run anew each time: "go test" does not know what the binary was built from.
func TestPromisesAreTested(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/durability.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests, err := testsByPackage()
	if err != nil {
		t.Fatal(err)
	}
	commands := testCommand.FindAllSubmatch(page, -1)
	if len(commands) < 7 {
		t.Errorf("%d commands were found: what finds them is wrong", len(commands))
	}
	for _, c := range commands {
		wanted, pkg := regexp.MustCompile(string(c[1])), path.Base(string(c[2]))
		found := false
		for test := range tests {
			name, ok := strings.CutPrefix(test, pkg+".")
			found = found || ok && wanted.MatchString(name)
		}
		if !found {
			t.Errorf("%s: no test of that name", c[0])
		}
		if pkg == "torture" && !strings.Contains(string(c[0]), " -count 1 ") {
			t.Errorf("%s: without -count 1 it may show an outcome of another binary", c[0])
		}
	}
}
