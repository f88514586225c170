package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sydradb/sydradb/server/internal/auth"
	"github.com/sydradb/sydradb/server/internal/config"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/native"
	"github.com/sydradb/sydradb/server/internal/ndjson"
	"github.com/sydradb/sydradb/server/internal/node"
	"github.com/sydradb/sydradb/server/internal/upkeep"
	"github.com/sydradb/sydradb/server/internal/web"
)

// serveForTests is a server with what the command line itself talks to. The whole one is
// package serve, which is tested there.
func serveForTests(ctx context.Context, cfg *config.Config, out io.Writer) (err error) {
	var tokens []auth.Token
	if cfg.AuthToken != "" {
		token, err := auth.NewToken(string(cfg.AuthToken))
		if err != nil {
			return &config.InvalidError{Err: err}
		}
		tokens = append(tokens, token)
	}
	opts := cfg.Options()
	n := node.New(node.Config{Dir: cfg.DataDir, Options: opts})
	w := web.New(web.Config{Limits: cfg.Limits(), Guard: auth.NewGuard(tokens, time.Now), Refuse: n.Refuse})
	l, err := w.Listen(cfg.Address())
	if err != nil {
		return err
	}
	db, err := n.Open()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	routes := native.Routes(native.Config{DB: db, DataDir: cfg.DataDir, Rules: upkeep.Rules{All: opts.Retention, Namespaces: opts.NamespaceRetention}})
	if err := w.Mount(false, n.Routes(), routes, ndjson.Routes(intake.New(db, intake.DefaultLimits(), nil))); err != nil {
		return errors.Join(err, l.Close())
	}
	if _, err := fmt.Fprintf(out, "serving on http://%s\n", l.Addr()); err != nil {
		return errors.Join(err, l.Close())
	}
	return w.Serve(ctx, l, nil)
}

func TestServeRefusesWrongSettings(t *testing.T) {
	p := newProgram(t)
	for name, text := range map[string]string{
		"odd.toml":   "max_serie = 5\n",
		"short.toml": "auth_token = \"short\"\n",
		"open.toml":  "listen = \"0.0.0.0:0\"\n",
	} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		args  string
		words string
	}{
		{"--config odd.toml", `odd.toml:1: unknown key "max_serie"`},
		{"--config short.toml", "the token has 5 characters, want at least 32"},
		{"--config open.toml", "needs a token"},
		{"--config missing.toml", "missing.toml"},
		{"--listen nowhere", `--listen: listen = "nowhere": want HOST:PORT`},
		{"--fsync sometimes", "use one of always, interval, none"},
		{"--max-series -1", "want 0 or more"},
		{"--tls-cert x", "tls_cert and tls_key go together"},
		{"--data-dir points.ndjson", "points.ndjson is not a directory"},
		{"--data-dir old --listen 127.0.0.1:0", "import v0"},
		{"extra", "serve takes no arguments"},
	} {
		p.fails(ExitUsage, "", append([]string{"serve"}, strings.Fields(tt.args)...), tt.words)
	}
	p.env = append(p.env, "SYDRADB_MAX_SERIE=5")
	p.fails(ExitUsage, "", []string{"serve", "--data-dir", "old"}, "warning: the variable SYDRADB_MAX_SERIE is no setting")
	p.env = append(p.env, "SYDRADB_MAX_SERIES=many")
	p.fails(ExitUsage, "", []string{"serve"}, `SYDRADB_MAX_SERIES: "many": want a whole number`)
}

func TestServeSaysWhyItCannot(t *testing.T) {
	p := newProgram(t)
	p.want(0, "", hall, "ingest")
	locked := p.command("serve", "--listen", "127.0.0.1:0")
	stderr, err := locked.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := locked.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 256)
	n, err := stderr.Read(line)
	if err != nil || !strings.HasPrefix(string(line[:n]), "serving on http://127.0.0.1:") {
		t.Fatalf("the first line: %q, %v", line[:n], err)
	}
	p.fails(ExitLocked, "", []string{"serve", "--listen", "127.0.0.1:0"}, "hint: another process has ./data open")
	address := strings.TrimSpace(strings.TrimPrefix(string(line[:n]), "serving on http://"))
	p.fails(ExitIO, "", []string{"serve", "--listen", address, "--data-dir", "other"}, "sydradb: listen tcp "+address+": ", "hint: --listen HOST:PORT")
	if err := locked.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := locked.Wait(); err != nil {
		t.Errorf("a signal ended the server with %v", err)
	}
	manifest := filepath.Join(p.dir, "data", "MANIFEST")
	if err := os.Truncate(manifest, 3); err != nil {
		t.Fatal(err)
	}
	p.fails(ExitDamaged, "", []string{"serve", "--listen", "127.0.0.1:0"}, "nothing was changed; see all of the damage")
}
