package cli

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// Every command has an example, and each is a transcript: lines that begin with "$ "
// are typed ("> " goes on), the others are what is printed, with "..." for what
// changes from run to run.
func TestExamplesInHelp(t *testing.T) {
	app := &App{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: func(string) string { return "" }, Now: time.Now}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		generated := c.HasParent() && c.Parent().Name() == "completion" || c.Name() == "help"
		if !generated {
			t.Run(strings.ReplaceAll(c.CommandPath(), " ", "/"), func(t *testing.T) {
				t.Parallel()
				runTranscript(t, regexp.MustCompile("(?m)^  ").ReplaceAllString(c.Example, ""))
			})
		}
		for _, child := range c.Commands() {
			walk(child)
		}
	}
	walk(app.rootCommand())
}

type step struct{ command, output string }

func parseTranscript(t *testing.T, text string) []step {
	var steps []step
	for line := range strings.Lines(text) {
		switch command, isCommand := strings.CutPrefix(line, "$ "); {
		case isCommand:
			steps = append(steps, step{command: command})
		case len(steps) == 0:
			t.Fatalf("the example does not begin with a command: %q", line)
		case strings.HasPrefix(line, "> "):
			steps[len(steps)-1].command += line[2:]
		default:
			steps[len(steps)-1].output += line
		}
	}
	if len(steps) == 0 {
		t.Fatal("no example")
	}
	steps[len(steps)-1].output = strings.TrimSuffix(steps[len(steps)-1].output, "\n")
	return steps
}

func runTranscript(t *testing.T, text string) {
	p := newProgram(t)
	for _, s := range parseTranscript(t, text) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		c := exec.CommandContext(ctx, "sh", "-c", s.command)
		c.Dir, c.Env = p.dir, p.env
		got, err := c.CombinedOutput()
		if err != nil && c.ProcessState == nil {
			t.Fatal(err)
		}
		if !matches(strings.TrimSuffix(s.output, "\n"), strings.TrimSuffix(string(got), "\n")) {
			t.Errorf("$ %s\n%s\nwant:\n%s", s.command, got, s.output)
		}
	}
}

// matches compares a text with what an example says, where "..." stands for any
// number of characters.
func matches(want, got string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(want), `\.\.\.`, `(?s:.*)`)
	return regexp.MustCompile("^" + pattern + "$").MatchString(got)
}
