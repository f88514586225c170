package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// block matches a part of a page that a test runs: a fenced block with its name before it.
var block = regexp.MustCompile("(?s)<!-- e2e: ([a-z0-9_]+) -->\n```[a-z]+\n(.*?)```\n")

// page returns the named block of a page of docs/use-with, the token filled in and the
// other texts replaced: pairs of what the page has and what this test needs. What a reader
// copies is then what was tested.
func page(t *testing.T, name, of string, replace ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "use-with", of))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		if m[1] != name {
			continue
		}
		out := strings.ReplaceAll(m[2], "TOKEN", token)
		for i := 0; i < len(replace); i += 2 {
			if !strings.Contains(out, replace[i]) {
				t.Fatalf("docs/use-with/%s: block %s has no %q", of, name, replace[i])
			}
			out = strings.ReplaceAll(out, replace[i], replace[i+1])
		}
		return out
	}
	t.Fatalf("docs/use-with/%s has no block %s", of, name)
	return ""
}

// startCommand runs a command as a page has it, with further arguments, in the background.
func startCommand(t *testing.T, command string, more ...string) *program {
	t.Helper()
	command = strings.TrimSpace(command)
	name, rest, _ := strings.Cut(command, " ")
	p := start(t, "/bin/sh", append([]string{"-c", "exec " + tool(t, name) + " " + rest + ` "$@"`, name}, more...)...)
	p.name = name
	return p
}
