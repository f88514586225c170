// Package page is the web page of the server: a query box with a graph and a table, the
// state of the database, what its series are made of, and commands that write points.
//
// It is files only, embedded as they stand in the folder: no build step makes them and no
// request leaves the server. What the page shows it asks of the HTTP interface like any
// other client, with the token that its user types in. So the routes need no token, and
// can be mounted before the database is open. Package serve does that. All of it is
// immutable and safe for concurrent use.
package page

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/sydradb/sydradb/server/internal/auth"
	"github.com/sydradb/sydradb/server/internal/web"
)

//go:embed index.html static
var files embed.FS

// policy is the content security policy of the page: its own files, its own server, and
// nothing written into the markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// types are the media types by extension. The package mime asks the system, which may
// know others.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	"":      "text/plain; charset=utf-8", // licences
}

// file is one that is served.
type file struct {
	content   []byte
	mediaType string
	tag       string // changes with the content, so that browsers can ask whether theirs is current
}

// Routes returns the routes of the page, which are open to everybody: the page itself at /
// and its files below /static/. The error is about files that are embedded wrongly, which
// the tests rule out.
func Routes() ([]web.Route, error) {
	all := map[string]*file{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		all[name], err = load(name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("web page: %w", err)
	}
	return []web.Route{
		{Pattern: "GET /{$}", Name: "page", Scope: auth.Open, Handler: serve(func(*http.Request) *file { return all["index.html"] })},
		{Pattern: "GET /static/{name...}", Name: "static", Scope: auth.Open, Handler: serve(func(r *http.Request) *file {
			return all["static/"+r.PathValue("name")]
		})},
	}, nil
}

func load(name string) (*file, error) {
	content, err := files.ReadFile(name)
	if err != nil {
		return nil, err
	}
	mediaType, known := types[path.Ext(name)]
	if !known {
		return nil, fmt.Errorf("no media type for %s", name)
	}
	sum := sha256.Sum256(content)
	return &file{content, mediaType, `"` + hex.EncodeToString(sum[:8]) + `"`}, nil
}

// serve returns a handler of the file that find chooses; nil is answered with 404. There is
// more in http.ServeContent than small files need: ranges, and statuses for bad ones.
func serve(find func(*http.Request) *file) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := find(r)
		if f == nil {
			web.Fail(w, r, &web.Error{Status: http.StatusNotFound, Code: "not_found", Message: "the page has no such file"})
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Content-Type", f.mediaType)
		h.Set("Cache-Control", "no-cache") // kept, but asked for each time: an upgrade shows at once
		h.Set("ETag", f.tag)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		if strings.Contains(r.Header.Get("If-None-Match"), f.tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Length", strconv.Itoa(len(f.content)))
		_, _ = w.Write(f.content) // a browser that went away has no use for an error
	})
}
