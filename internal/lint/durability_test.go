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

// Each promise of docs/durability.md is followed by a command, and the command runs a test.
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
	}
}
