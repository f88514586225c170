package config

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// The page names every key with its default, says which are flags, and nothing else; and
// its example is a file of settings.
func TestConfigurationPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, server, _ := strings.Cut(string(page), "\n## The server\n")
	server, _, found := strings.Cut(server, "\n## ")
	if !found {
		t.Fatal("the page has no part about the server")
	}
	rows := make(map[string][2]string)
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)`(\\*?) \\| ([^|]+) \\|").FindAllStringSubmatch(server, -1) {
		if _, twice := rows[row[1]]; twice {
			t.Errorf("%s is there twice", row[1])
		}
		rows[row[1]] = [2]string{row[2], row[3]}
	}
	for _, f := range Default().fields() {
		want := "none"
		if !f.table() {
			want = "`" + f.literal() + "`"
		}
		flag := ""
		if f.help != "" || f.key == "data_dir" || f.key == "insecure_no_auth" { // the command line has these two itself
			flag = "*"
		}
		row, ok := rows[f.key]
		switch {
		case !ok:
			t.Errorf("the page lacks %s, default %s", f.key, want)
		case row != [2]string{flag, want}:
			t.Errorf("%s: the page has flag %q and default %s, want %q and %s", f.key, row[0], row[1], flag, want)
		}
		delete(rows, f.key)
	}
	for key := range rows {
		t.Errorf("the page has %s, which is no key", key)
	}
	for _, example := range regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(server, -1) {
		if _, err := load(t, example[1], nil); err != nil {
			t.Errorf("an example of the page: %v", err)
		}
	}
}

// What String prints is a file with the same settings, secrets apart.
func TestStringIsAFileOfSettings(t *testing.T) {
	c, err := load(t, "max_series = 7\nlisten = \"127.0.0.1:1\"\nretention_days = 1.5\ntls_cert = \"a\\\"b\\\\\\n\"\ntls_key = \"x\"\n[retention]\na = 2\n[external_labels]\nb = \"c\"\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := load(t, c.String(), nil)
	if err != nil || again.String() != c.String() || again.ExternalLabels["b"] != "c" || again.TLSCert != "a\"b\\\n" {
		t.Errorf("%v\nfrom:\n%s\nbecame:\n%s", err, c, again)
	}
	if text := fmt.Sprint(c.LogValue()); strings.Contains(text, "fsync") || !strings.Contains(text, "max_series=7") {
		t.Errorf("the log gets %s", text)
	}
}

// Every main key is a flag that takes what the file takes.
func TestEveryFlagIsDescribed(t *testing.T) {
	set := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	new(Loader).AddFlags(set)
	set.VisitAll(func(f *pflag.Flag) {
		if f.Usage == "" || strings.HasSuffix(f.Usage, ".") {
			t.Errorf("--%s: %q", f.Name, f.Usage)
		}
	})
	if !set.HasFlags() {
		t.Error("no flags")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("max_series = 7\n[retention]\na = 2\n")
	f.Add(Default().String())
	f.Add("auth_token = \"" + canary + "\"\nx\n")
	f.Add("retention.a = 1\nretention = 5\n[[external_labels]]\nlisten = [1]")
	f.Fuzz(func(t *testing.T, text string) {
		c := Default()
		if err := c.Parse([]byte(text), "x.toml"); err != nil {
			if !strings.HasPrefix(err.Error(), "x.toml:") {
				t.Errorf("the error does not begin with the place: %v", err)
			}
			return
		}
		if c.validate() == nil {
			c.Limits()
			if opts := c.Options(); opts.Validate() != nil {
				t.Errorf("the library refuses what was accepted: %v\n%s", opts.Validate(), c)
			}
		}
		again := Default()
		if err := again.Parse([]byte(c.String()), "y.toml"); err != nil {
			t.Errorf("cannot read back:\n%s\n%v", c, err)
		}
	})
}
