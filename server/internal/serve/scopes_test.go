package serve

import (
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/server/internal/auth"
	"github.com/sydradb/sydradb/server/internal/config"
)

// scopes are those that paths need: the first that a path begins with.
var scopes = []struct {
	path  string
	scope auth.Scope
}{
	{"/api/v1/admin/", auth.Admin},
	{"/api/v1/write", auth.Write}, {"/api/v1/ingest", auth.Write}, {"/api/v1/import", auth.Write}, {"/api/v1/otlp/", auth.Write}, {"/v1/metrics", auth.Write},
	{"/write", auth.Write}, {"/query", auth.Write}, {"/api/v2/write", auth.Write}, {"/influx/write", auth.Write}, {"/influx/query", auth.Write}, {"/influx/api/v2/write", auth.Write},
	{"/api/v1/", auth.Read}, {"/metrics", auth.Read},
	{"/health", auth.Open}, {"/ready", auth.Open}, {"/-/", auth.Open}, {"/ping", auth.Open}, {"/influx/ping", auth.Open}, {"/static/", auth.Open}, {"/", auth.Open},
}

// Each route asks for the token that it should, and for no more.
func TestScopesOfAllRoutes(t *testing.T) {
	tokens := map[auth.Scope]string{auth.Read: strings.Repeat("r", 32), auth.Write: strings.Repeat("w", 32), auth.Admin: strings.Repeat("a", 32)}
	cfg := config.Default()
	cfg.TokensFile = filepath.Join(t.TempDir(), "tokens")
	var lines string
	for scope, token := range tokens {
		lines += scope.String() + " " + token + "\n"
	}
	if err := os.WriteFile(cfg.TokensFile, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	s, groups := memoryServerOf(t, cfg, io.Discard)
	holes := regexp.MustCompile(`\{[^}]*\}`)
	for _, routes := range groups {
		for _, route := range routes {
			method, path, _ := strings.Cut(route.Pattern, " ")
			path = holes.ReplaceAllString(strings.TrimSuffix(path, "{$}"), "x")
			want := auth.Admin
			for _, rule := range scopes {
				if strings.HasPrefix(path, rule.path) {
					want = rule.scope
					break
				}
			}
			for _, has := range []auth.Scope{auth.Open, auth.Read, auth.Write, auth.Admin} {
				r := httptest.NewRequest(method, path, nil)
				if token := tokens[has]; token != "" {
					r.Header.Set("Authorization", "Bearer "+token)
				}
				w := httptest.NewRecorder()
				s.web.ServeHTTP(w, r)
				refused, status := want != auth.Open && has != want && has != auth.Admin, 403
				if has == auth.Open {
					status = 401
				}
				if refused != (w.Code == status) || !refused && (w.Code == 401 || w.Code == 403) {
					t.Errorf("%s with a token of scope %s: %d; it needs %s", route.Pattern, has, w.Code, want)
				}
			}
		}
	}
}
