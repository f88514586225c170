package serve

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/server/internal/config"
)

const deployed = "../../../deploy/"

func readDeployed(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(deployed + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The example of a configuration is one, also with all that is commented out, and what is
// commented out is the default.
func TestExampleConfiguration(t *testing.T) {
	text := readDeployed(t, "sydradb.toml")
	setting := regexp.MustCompile(`(?m)^#(\w+ = .*)$`)
	for _, whole := range []string{text, setting.ReplaceAllString(text, "$1")} {
		if err := config.Default().Parse([]byte(whole), "sydradb.toml"); err != nil {
			t.Error(err)
		}
	}
	initial := config.Default()
	noDefault := []string{"tokens_file", "tls_cert", "tls_key", "weather", "replica"}
	shown := setting.FindAllStringSubmatch(text, -1)
	for _, m := range shown {
		key, _, _ := strings.Cut(m[1], " ")
		if slices.Contains(noDefault, key) {
			continue
		}
		cfg := config.Default()
		if err := cfg.Parse([]byte(m[1]), "sydradb.toml"); err != nil {
			t.Error(err)
			continue
		}
		if cfg.Address() != initial.Address() {
			t.Errorf("%s is not the default", m[1])
		}
		if cfg.Listen = ""; cfg.String() != initial.String() {
			t.Errorf("%s is not the default", m[1])
		}
	}
	if len(shown) < 15 {
		t.Errorf("only %d settings were found", len(shown))
	}
}

// The variables of the image are settings, and the server starts with them if there is a
// token, and only then.
func TestImageSettings(t *testing.T) {
	variables := map[string]string{}
	for _, m := range regexp.MustCompile(`(SYDRADB_\w+)=(\S+)`).FindAllStringSubmatch(readDeployed(t, "Dockerfile"), -1) {
		variables[m[1]] = m[2]
	}
	load := func() (*config.Config, error) {
		return new(config.Loader).Load(func(name string) string { return variables[name] })
	}
	variables["SYDRADB_AUTH_TOKEN"] = strings.Repeat("x", 32)
	cfg, err := load()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.DataDir != "/data" || cfg.Loopback() {
		t.Errorf("the image keeps its data in %s and listens on %s", cfg.DataDir, cfg.Address())
	}
	delete(variables, "SYDRADB_AUTH_TOKEN")
	if _, err := load(); err == nil {
		t.Error("the image starts without a token")
	}
}
