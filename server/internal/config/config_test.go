package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/sydradb/sydradb"
)

// write puts a file of settings into a new directory.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sydradb.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for _, pair := range pairs {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

// load is Load of a file, an environment and flags.
func load(t *testing.T, text string, env []string, flags ...string) (*Config, error) {
	t.Helper()
	l := Loader{File: write(t, text)}
	set := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	l.AddFlags(set)
	if err := set.Parse(flags); err != nil {
		return nil, err
	}
	return l.Load(environment(env...))
}

func TestPrecedence(t *testing.T) {
	const file = "max_series = 10\nlog_level = \"warn\"\nfsync = \"none\"\n[retention]\na = 1\nb = 2\n"
	c, err := load(t, file, []string{"SYDRADB_MAX_SERIES=20", "SYDRADB_FSYNC=always", "SYDRADB_RETENTION=c=3,d=0.5"}, "--max-series=30", "--retention", "e=1", "--retention=f=2")
	if err != nil {
		t.Fatal(err)
	}
	if c.MaxSeries != 30 || c.Fsync != "always" || c.LogLevel != "warn" || c.LogFormat != "text" || c.Retention.String() != "e=1,f=2" {
		t.Errorf("got %d %s %s %s %s", c.MaxSeries, c.Fsync, c.LogLevel, c.LogFormat, c.Retention)
	}
	c, err = load(t, file, []string{"SYDRADB_RETENTION=c=3,d=0.5"})
	if err != nil || c.Retention.String() != "c=3,d=0.5" || c.MaxSeries != 10 {
		t.Errorf("got %v, %v", c, err)
	}
	if c, err = load(t, file, nil); err != nil || c.Retention.String() != "a=1,b=2" {
		t.Errorf("got %v, %v", c, err)
	}
}

// The keys of version 0 keep their names and their meaning.
func TestKeysOfVersion0(t *testing.T) {
	c, err := load(t, `data_dir = "/var/lib/sydradb"
http_port = 9000
fsync = "always"
flush_interval_ms = 20000
memtable_max_bytes = 8388608
mem_limit_bytes = 268435456
retention_days = 30
auth_token = ""
enable_influx = false
enable_prom = false

[retention]
weather = 365
debug = 0.5
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	opts := c.Options()
	if c.DataDir != "/var/lib/sydradb" || c.Address() != "127.0.0.1:9000" || c.EnableInflux || c.EnableProm {
		t.Errorf("got %s", c)
	}
	if opts.Sync != sydradb.SyncAlways || opts.FlushInterval != 20*time.Second || opts.MemtableBytes != 8<<20 || opts.CacheBytes != 32<<20 ||
		opts.Retention != 30*24*time.Hour || opts.NamespaceRetention["weather"] != 365*24*time.Hour || opts.NamespaceRetention["debug"] != 12*time.Hour {
		t.Errorf("got %+v", opts)
	}
	if err := opts.Validate(); err != nil {
		t.Error(err)
	}
	if c, err = load(t, "http_port = 9000\nlisten = \"127.0.0.1:7000\"\n", nil); err != nil || c.Address() != "127.0.0.1:7000" {
		t.Errorf("listen does not win over http_port: %v, %v", c, err)
	}
}

func TestDefaultsAreThoseOfTheLibraryAndTheFrame(t *testing.T) {
	c, err := load(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	opts := c.Options()
	if err := opts.Validate(); err != nil {
		t.Error(err)
	}
	if opts.Sync != sydradb.SyncInterval || opts.MaxSeries != 1_000_000 || opts.CacheBytes != 64<<20 || opts.MemtableBytes != 128<<20 {
		t.Errorf("got %+v", opts)
	}
	if want := webDefaults(); c.Limits() != want {
		t.Errorf("the frame gets other limits than its own:\n%+v\n%+v", c.Limits(), want)
	}
}

func TestErrorsSayWhereAndWhat(t *testing.T) {
	for _, tt := range []struct {
		file, env, flag string
		words           string // %s stands for the path
	}{
		{file: "data_dir = \"x\"\nmax_serie = 5\n", words: `%s:2: unknown key "max_serie"; docs/configuration.md lists the keys`},
		{file: "max-series = 5\n", words: `%s:1: unknown key "max-series"; did you mean max_series?`},
		{file: "[limits]\nmax_series = 5\n", words: `%s:1: unknown key "limits"`},
		{file: "\nfsync = \"sometimes\"\n", words: `%s:2: fsync = "sometimes": use one of always, interval, none`},
		{file: "max_series = \"many\"\n", words: `%s:1: max_series = "many": want a whole number`},
		{file: "enable_prom = 1\n", words: `%s:1: enable_prom = 1: want true or false`},
		{file: "data_dir = 1\n", words: `%s:1: data_dir = 1: want a text in quotes`},
		{file: "max_disk_bytes = \"1XB\"\n", words: `%s:1: max_disk_bytes = "1XB": want a number of bytes, such as 500MB or 2GiB`},
		{file: "query_timeout = 30\n", words: `%s:1: query_timeout = 30: want a span of time in quotes`},
		{file: "retention_days = -1\n", words: `%s:1: retention_days = -1: want a number of days, 0 or more`},
		{file: "[retention]\n\"a.b\" = 1\n", words: `%s:1: retention = `},
		{file: "[retention]\na = \"x\"\n", words: `%s:2: retention.a = "x": want a number of days`},
		{file: "retention = 5\n", words: `%s:1: retention = 5: want `},
		{file: "[external_labels]\n\"a-b\" = \"x\"\n", words: `"a-b" is not the name of a label`},
		{file: "max_connections = 0\n", words: `%s:1: max_connections = 0: want 1 to 1048576`},
		{file: "max_line_bytes = 5\n", words: `%s:1: max_line_bytes = "5": want 1KiB to 32MiB`},
		{file: "listen = \"nowhere\"\n", words: `%s:1: listen = "nowhere": want HOST:PORT`},
		{file: "listen = \"127.0.0.1:99999\"\n", words: `want a port from 0 to 65535`},
		{file: "x\n", words: "%s:1:"},
		{file: "fsync = \"none\"\nfsync = \"none\"\n", words: "%s:2"},
		{file: "mem_limit_bytes = \"1MB\"\n", words: `%s:1: mem_limit_bytes = "1000000": want at least 32MiB, or 0`},
		{file: "mem_limit_bytes = \"64MiB\"\nmemtable_max_bytes = \"32MiB\"\n", words: `want at most 16MiB`},
		{file: "tls_cert = \"x\"\n", words: "tls_cert and tls_key go together"},
		{file: "tls_client_ca = \"x\"\n", words: "client certificates need TLS"},
		{env: "SYDRADB_FSYNC=sometimes", words: `SYDRADB_FSYNC: "sometimes": use one of always, interval, none`},
		{env: "SYDRADB_MAX_SERIES=-1", words: `SYDRADB_MAX_SERIES: max_series = -1: want 0 or more`},
		{env: "SYDRADB_ENABLE_PROM=maybe", words: `SYDRADB_ENABLE_PROM: "maybe": want true or false`},
		{env: "SYDRADB_RETENTION=\xff=3", words: `is not a namespace`}, // which would be a label of metrics
		{env: "SYDRADB_EXTERNAL_LABELS=x", words: `SYDRADB_EXTERNAL_LABELS: "x": want NAME=VALUE`},
		{flag: "--fsync=sometimes", words: `use one of always, interval, none`},
		{flag: "--listen=0.0.0.0:80", words: `--listen: listen = "0.0.0.0:80": an address that others can reach needs a token`},
		{flag: "--listen=:80", words: "needs a token"},
		{flag: "--listen=example.org:80", words: "needs a token"},
	} {
		var env, flags []string
		if tt.env != "" {
			env = append(env, tt.env)
		}
		if tt.flag != "" {
			flags = append(flags, tt.flag)
		}
		_, err := load(t, tt.file, env, flags...)
		before, after, _ := strings.Cut(tt.words, "%s")
		if err == nil || !strings.Contains(err.Error(), before) || !strings.Contains(err.Error(), after) {
			t.Errorf("%q %s %s: the error lacks %q:\n%v", tt.file, tt.env, tt.flag, tt.words, err)
		}
	}
}

// What is no address at all is not also said to need a token.
func TestOneFaultOfAnAddress(t *testing.T) {
	_, err := load(t, "", nil, "--listen=8099")
	if err == nil || strings.Contains(err.Error(), "token") {
		t.Error(err)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Chdir(t.TempDir())
	if c, err := new(Loader).Load(environment()); err != nil || c.File != "" {
		t.Errorf("without a file: %v, %v", c, err)
	}
	if _, err := (&Loader{File: "missing.toml"}).Load(environment()); err == nil || !strings.Contains(err.Error(), "missing.toml") {
		t.Errorf("a file that was asked for is missing: %v", err)
	}
	if _, err := new(Loader).Load(environment("SYDRADB_CONFIG=missing.toml")); err == nil || !strings.Contains(err.Error(), "missing.toml") {
		t.Errorf("a file that was asked for is missing: %v", err)
	}
	if err := os.WriteFile("sydradb.toml", []byte("max_series = 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := new(Loader).Load(environment()); err != nil || c.File != DefaultFile || c.MaxSeries != 7 {
		t.Errorf("the usual file: %v, %v", c, err)
	}
	if _, err := (&Loader{File: write(t, strings.Repeat("#", maxFile+1))}).Load(environment()); err == nil || !strings.Contains(err.Error(), "more than 1MiB") {
		t.Errorf("a huge file: %v", err)
	}
}

func TestAccessFromElsewhereNeedsAToken(t *testing.T) {
	for _, tt := range []struct {
		file string
		fine bool
	}{
		{`listen = "0.0.0.0:8080"`, false},
		{`listen = "[::]:8080"`, false},
		{`listen = "[::1]:8080"`, true},
		{`listen = "localhost:8080"`, true},
		{`listen = "127.9.9.9:8080"`, true},
		{"listen = \"0.0.0.0:8080\"\nauth_token = \"" + canary + "\"", true},
		{"listen = \"0.0.0.0:8080\"\ntokens_file = \"x\"", true},
		{"listen = \"0.0.0.0:8080\"\ninsecure_no_auth = true", true},
	} {
		if _, err := load(t, tt.file, nil); (err == nil) != tt.fine {
			t.Errorf("%s: %v", tt.file, err)
		}
	}
}

const canary = "canary-0123456789-0123456789-0123456789"

// Names of other sites count where nothing else protects the server, or where they are set.
func TestAllowedHosts(t *testing.T) {
	for text, want := range map[string]string{
		"": "[]", "allowed_hosts = \"DB.example.com., x\"": "[db.example.com x]", "listen = \"[::1]:1\"": "[]", "allowed_hosts = \"*\"": "[*]",
		"auth_token = \"" + canary + "\"": "<nil>", "tokens_file = \"x\"": "<nil>", "listen = \"0.0.0.0:1\"\ninsecure_no_auth = true": "<nil>",
		"allowed_hosts = \"x\"\nauth_token = \"" + canary + "\"": "[x]", "allowed_hosts = \"x\"\ntokens_file = \"x\"": "[x]",
		"allowed_hosts = \"x, 10.0.0.5, 2001:DB8:0::1\"\nlisten = \"0.0.0.0:1\"\ninsecure_no_auth = true": "[x 10.0.0.5 2001:db8::1]",
		"allowed_hosts = \" , \"\nauth_token = \"" + canary + "\"":                                        "<nil>",
	} {
		c, err := load(t, text, nil)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var got any
		if hosts := c.Hosts(); hosts != nil {
			got = hosts
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
	for _, bad := range []string{"http://x", "x:1", "a b", "[::1]"} {
		if _, err := load(t, "allowed_hosts = \""+bad+"\"", nil); err == nil || !strings.Contains(err.Error(), "allowed_hosts") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// No way of printing settings, and no error about them, shows a secret.
func TestSecretsStaySecret(t *testing.T) {
	c, err := load(t, "auth_token = \""+canary+"\"\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%v %+v %#v %s %v %v", c, c, c, c.String(), c.LogValue(), c.AuthToken)
	if strings.Contains(text, "canary") || !strings.Contains(text, "(masked)") {
		t.Errorf("shown: %s", text)
	}
	for _, file := range []string{
		"auth_token = " + canary + "\n",
		"auth_token = [\"" + canary + "\"]\n",
		"auth_token = \"" + canary + "\n",
		"auth_token = \"" + canary + "\" x\n",
		"auth_token = '" + canary + "'\nauth_token = '" + canary + "'\n",
		"auth_token = 1234567890123456789012345678901234567890\n",
		"[auth_token]\nx = \"" + canary + "\"\n",
	} {
		_, err := load(t, file, nil)
		if err == nil || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "123456") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestUnknownVariables(t *testing.T) {
	got := UnknownVariables([]string{
		"SYDRADB_MAX_SERIE=3", "SYDRADB_MAX_SERIES=3", "SYDRADB_CONFIG=x", "SYDRADB_URL=", "SYDRADB_TOKEN=y",
		"HOME=/", "SYDRADB_DATA_DIR=d", "SYDRADB_RETENTION=a=1", "SYDRADB_TEST_X=1", "SYDRADB_",
	})
	if want := []string{"SYDRADB_MAX_SERIE", "SYDRADB_"}; !slices.Equal(got, want) {
		t.Errorf("unknown: %q, want %q", got, want)
	}
}
