package page

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/server/internal/web"
)

// start returns a server with the page's routes only.
func start(t *testing.T) *web.Server {
	t.Helper()
	routes, err := Routes()
	if err != nil {
		t.Fatal(err)
	}
	s := web.New(web.Config{})
	if err := s.Mount(false, routes); err != nil {
		t.Fatal(err)
	}
	return s
}

func get(t *testing.T, s http.Handler, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("GET", target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// links are what a file makes the browser load: attributes, imports and addresses.
var links = []*regexp.Regexp{
	regexp.MustCompile(`(?:src|href)="([^"]*)"`),
	regexp.MustCompile(`(?m)^import .*?from '([^']*)'`),
	regexp.MustCompile(`import\('([^']*)'\)`),
	regexp.MustCompile(`url\(([^)]*)\)`),
}

// Everything that the page loads, directly or not, is served by the same server, with its
// type and under the page's policy; and everything embedded is loaded.
func TestFilesAreThere(t *testing.T) {
	s := start(t)
	seen := map[string]bool{}
	var visit func(target string)
	visit = func(target string) {
		if seen[target] {
			return
		}
		seen[target] = true
		w := get(t, s, target)
		if w.Code != 200 {
			t.Errorf("%s: status %d", target, w.Code)
			return
		}
		want := types[path.Ext(target)]
		if target == "/" {
			want = types[".html"]
		}
		if got := w.Header().Get("Content-Type"); got != want {
			t.Errorf("%s has the type %q, want %q", target, got, want)
		}
		if got := w.Header().Get("Content-Security-Policy"); got != policy {
			t.Errorf("%s has the policy %q", target, got)
		}
		if strings.Contains(target, "/vendor/") {
			return
		}
		for _, pattern := range links {
			for _, link := range pattern.FindAllStringSubmatch(w.Body.String(), -1) {
				to := link[1]
				if strings.Contains(to, ":") || strings.HasPrefix(to, "/") {
					t.Errorf("%s loads %s: want an address relative to the page", target, to)
					continue
				}
				visit(path.Join(path.Dir(target), to))
			}
		}
	}
	visit("/")

	err := fs.WalkDir(files, "static", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && path.Base(name) != "LICENSE" && !seen["/"+name] {
			t.Errorf("%s is embedded, but nothing loads it", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) < 10 {
		t.Errorf("only %d files were found", len(seen))
	}
}

// What the policy forbids would fail silently in a browser, and markup made of text would
// let who writes points write scripts.
func TestFilesKeepThePolicy(t *testing.T) {
	forbidden := map[string]*regexp.Regexp{
		"an address elsewhere": regexp.MustCompile(`https?://`),
		"markup made of text":  regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment`),
		"code made of text":    regexp.MustCompile(`\beval\(|new Function`),
		"a style in markup":    regexp.MustCompile(`\bstyle="|<style|setAttribute\('style'`),
		"a script in markup":   regexp.MustCompile(`<script>|\son\w+="|javascript:`),
	}
	namespace := "http://www.w3.org/2000/svg" // a name, loaded by nobody
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains(name, "/vendor/") {
			return err
		}
		text, err := files.ReadFile(name)
		for what, pattern := range forbidden {
			if at := pattern.FindString(strings.ReplaceAll(string(text), namespace, "")); at != "" {
				t.Errorf("%s has %s: %s", name, what, at)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy lacks %s", part)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %q", policy)
	}
}

// The script finds by these names what the page has to have.
func TestElementsAreThere(t *testing.T) {
	page, err := files.ReadFile("index.html")
	if err != nil {
		t.Fatal(err)
	}
	ids, asked := regexp.MustCompile(`id="([\w-]+)"`), regexp.MustCompile(`byId\('([\w-]+)'\)|querySelector\('#([\w-]+)`)
	have, found := map[string]bool{}, 0
	for _, id := range ids.FindAllStringSubmatch(string(page), -1) {
		if have[id[1]] {
			t.Errorf("two elements have the id %s", id[1])
		}
		have[id[1]] = true
	}
	scripts, err := fs.Glob(files, "static/*.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range scripts {
		text, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range asked.FindAllStringSubmatch(string(text), -1) {
			found++
			if !have[id[1]+id[2]] {
				t.Errorf("%s looks for #%s", name, id[1]+id[2])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d look-ups were found", found)
	}
}

func TestAnswers(t *testing.T) {
	s := start(t)
	for _, target := range []string{"/static/", "/static/vendor", "/static/none.js", "/static/../page.go", "/index.html", "/static/index.html"} {
		if w := get(t, s, target); w.Code == 200 {
			t.Errorf("%s is served", target)
		}
	}
	tag := get(t, s, "/").Header().Get("ETag")
	if w := get(t, s, "/", "If-None-Match", tag); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("the page was sent again: status %d", w.Code)
	}
	if w := get(t, s, "/", "Range", "bytes=9999999-", "If-Match", "x"); w.Code != http.StatusOK || w.Body.Len() == 0 {
		t.Errorf("a range is answered with %d", w.Code)
	}
	if w := get(t, s, "/static/vendor/uplot/LICENSE"); w.Code != 200 || !strings.Contains(w.Body.String(), "MIT") {
		t.Errorf("the licence of the graph is not served: status %d", w.Code)
	}
	r := httptest.NewRequest("POST", "/", nil)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST / has the status %d", w.Code)
	}
}
