package lint

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A promise of docs/durability.md is a numbered item that begins in bold; each line under it that is
// all code is a command that shows that it holds.
var (
	numbered    = regexp.MustCompile(`(?m)^(\d+)\. \*\*`)
	itemEnd     = regexp.MustCompile(`(?m)^\S`)
	codeLine    = regexp.MustCompile("(?m)^   `([^`]+)`$")
	testCommand = regexp.MustCompile(`^go test ((?:-v |-count 1 )*)(?:-run '([^']+)' )?\./(\S+)$`)
)

// promises returns the commands of a page by the numbers of the promises that they are under.
func promises(page string) (commands [][]string, complaints []string) {
	for i, at := range numbered.FindAllStringSubmatchIndex(page, -1) {
		if number := page[at[2]:at[3]]; number != strconv.Itoa(i+1) {
			complaints = append(complaints, fmt.Sprintf("promise %s is the %d. one", number, i+1))
		}
		_, text, _ := strings.Cut(page[at[1]:], "\n")
		if end := itemEnd.FindStringIndex(text); end != nil {
			text = text[:end[0]]
		}
		var under []string
		for _, m := range codeLine.FindAllStringSubmatch(text, -1) {
			under = append(under, m[1])
		}
		if len(under) == 0 {
			complaints = append(complaints, fmt.Sprintf("promise %d has no command", i+1))
		}
		commands = append(commands, under)
	}
	return commands, complaints
}

// promiseTest returns what is wrong with a command: it is a script that can be run, or runs tests
// that exist. Those of the real binary are run anew each time: "go test" does not know what the
// binary was built from.
func promiseTest(command string, tests map[string][]string) string {
	if strings.HasPrefix(command, "scripts/") {
		info, err := os.Stat(filepath.Join(root, command))
		if err != nil {
			return err.Error()
		}
		if !info.Mode().IsRegular() || runtime.GOOS != "windows" && info.Mode()&0o111 == 0 {
			return "it cannot be run"
		}
		return ""
	}
	m := testCommand.FindStringSubmatch(command)
	if m == nil {
		return "neither a script nor a test of one package"
	}
	wanted, err := regexp.Compile(m[2]) // all of them without -run
	if err != nil {
		return err.Error()
	}
	if path.Base(m[3]) == "torture" && !strings.Contains(m[1], "-count 1 ") {
		return "without -count 1 it may show an outcome of another binary"
	}
	for test, dirs := range tests {
		_, name, _ := strings.Cut(test, ".")
		if strings.HasPrefix(name, "Test") && wanted.MatchString(name) && slices.Contains(dirs, m[3]) {
			return ""
		}
	}
	return "no test of that name"
}

// Each promise of docs/durability.md has a command, and each command runs something.
func TestPromisesAreTested(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/durability.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests, err := testsByPackage()
	if err != nil {
		t.Fatal(err)
	}
	commands, complaints := promises(string(page))
	for _, c := range complaints {
		t.Error(c)
	}
	if len(commands) < 9 {
		t.Errorf("%d promises were found: one was dropped, or what finds them is wrong", len(commands))
	}
	for i, under := range commands {
		for _, c := range under {
			if wrong := promiseTest(c, tests); wrong != "" {
				t.Errorf("promise %d: %s: %s", i+1, c, wrong)
			}
		}
	}
}

func TestPromisesAreRead(t *testing.T) {
	commands, complaints := promises("1. Bytes are bytes.\n\n# Head\n\n1. **A**, by\n   `b` and\n   `go test ./c`\n2. **D**\n   e\n4. **F**\n   `g`\n\nH\n   `i`\n")
	if got, want := fmt.Sprint(commands), "[[go test ./c] [] [g]]"; got != want || len(complaints) != 2 {
		t.Errorf("%s, want %s; %q", got, want, complaints)
	}
	tests := map[string][]string{"b.TestX": {"a/b"}, "torture.TestY": {"torture"}, "d.helper": {"d"}}
	for command, sound := range map[string]bool{
		"go test ./a/b":                               true,
		"go test -v ./a/b":                            true,
		"go test -v -run '^TestX$' ./a/b":             true,
		"go test -v -run '^TestY$' ./a/b":             false,
		"go test -v -run '(' ./a/b":                   false,
		"go test -v ./b":                              false,
		"go test ./d":                                 false,
		"go test -v -run TestX":                       false,
		"go test -v -run 'TestY' ./torture":           false,
		"go test -v -count 1 -run '^TestY' ./torture": true,
		"scripts/test.sh":                             true,
		"scripts/missing.sh":                          false,
		"scripts":                                     false,
		"make test":                                   false,
	} {
		if wrong := promiseTest(command, tests); (wrong == "") != sound {
			t.Errorf("%s: %q", command, wrong)
		}
	}
}
