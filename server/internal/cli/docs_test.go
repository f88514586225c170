package cli

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const manual = "../../../docs/CLI.md"

// The manual names every command and every flag, and its examples are what the
// program prints.
func TestManual(t *testing.T) {
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	app := &App{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: func(string) string { return "" }, Now: time.Now}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		path := strings.TrimPrefix(c.CommandPath(), "sydradb ")
		if c.Name() == "completion" || c.Name() == "help" {
			return
		}
		if c.HasParent() && !c.HasSubCommands() && !strings.Contains(string(text), "`sydradb "+path) {
			t.Errorf("%s lacks the command %s", manual, path)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && !strings.Contains(string(text), "--"+f.Name) {
				t.Errorf("%s lacks the flag --%s of %s", manual, f.Name, path)
			}
		})
		for _, child := range c.Commands() {
			walk(child)
		}
	}
	walk(app.rootCommand())

	blocks := regexp.MustCompile("(?ms)^## .*?$|^### .*?$|^```console\n(.*?)^```").FindAllStringSubmatch(string(text), -1)
	heading, ran := "", 0
	for _, b := range blocks {
		if b[1] == "" {
			heading = strings.TrimLeft(b[0], "# ")
			continue
		}
		ran++
		t.Run(heading, func(t *testing.T) {
			t.Parallel()
			runTranscript(t, b[1])
		})
	}
	if ran < 10 {
		t.Errorf("only %d examples found", ran)
	}
}
