package cli

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"time"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/client"
	"github.com/sydradb/sydradb/server/internal/ingest"
	"github.com/sydradb/sydradb/server/internal/upkeep"
)

// server is the target that --url names.
type server struct {
	app    *App
	client *client.Client
}

// newServer returns the server at an address, to which it does not connect yet.
func (a *App) newServer(url, tokenFile string) (*server, error) {
	token, err := a.token(tokenFile)
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Options{URL: url, Token: token, UserAgent: "sydradb/" + builtVersion()})
	if err != nil {
		return nil, usage("%w", err)
	}
	return &server{a, c}, nil
}

// token returns the token for a server: that of a file, else that of the environment.
func (a *App) token(file string) (string, error) {
	if file == "" {
		return a.Getenv("SYDRADB_TOKEN"), nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return "", usage("--token-file: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return "", hinted(usage("--token-file %s: others than its owner may read it", file), "chmod 600 %s", file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", usage("--token-file: %w", err)
	}
	token := bytes.TrimSpace(text)
	if len(token) == 0 || bytes.ContainsAny(token, " \t\r\n") {
		return "", usage("--token-file %s: want the token, and nothing else", file)
	}
	return string(token), nil
}

func (s *server) read(do func(store) error) error { return s.explain(do(s.client)) }

func (s *server) change(_ sydradb.Options, do func(store) error) error {
	return s.explain(do(s.client))
}

func (s *server) ingest(ctx context.Context, _ sydradb.Options, waiting func(error, time.Duration), do func(ingest.Database) error) error {
	w, err := s.client.NewWriter(ctx)
	if err != nil {
		return err
	}
	w.Waiting = waiting
	err = do(w)
	return s.explain(errors.Join(err, w.Close()))
}

func (s *server) retain(ctx context.Context, _ sydradb.Options, force bool) (upkeep.Retained, error) {
	done, err := s.client.Retain(ctx, force)
	return done, s.explain(err)
}

func (s *server) snapshot(ctx context.Context, _ sydradb.Options, _ string) error {
	name, err := s.client.Snapshot(ctx)
	if err != nil {
		return s.explain(err)
	}
	return printTo(s.app.Out, "made snapshots/%s in the data directory of the server\n", name)
}

// explain adds to an error of the server what can be done about it.
func (s *server) explain(err error) error {
	var (
		away    *client.UnreachableError
		refused *client.Error
	)
	switch {
	case errors.As(err, &away):
		return hinted(err, "is it running, and does it listen there? sydradb serve starts one; --url or SYDRADB_URL says where it is")
	case !errors.As(err, &refused):
		return err
	}
	ready, _ := url.JoinPath(s.client.URL(), "ready")
	switch {
	case refused.Status == http.StatusUnauthorized:
		return hinted(&codedError{ExitUsage, err}, "give the server's token in SYDRADB_TOKEN, or in a file with --token-file")
	case refused.Status == http.StatusForbidden:
		return hinted(&codedError{ExitUsage, err}, "use a token that may do this, with SYDRADB_TOKEN or --token-file")
	case refused.Code == "":
		return hinted(&codedError{ExitUsage, err}, "--url or SYDRADB_URL names a server of SydraDB; is there another program, or an older version?")
	case refused.Code == "starting":
		return hinted(err, "wait until it has read its log; how far it is: %s", ready)
	case refused.Code == "query_limit", refused.Code == "query_timeout":
		return hinted(err, "ask for fewer series or a shorter time, or read the directory itself, which has no such limits")
	case refused.Code == "corrupt_data":
		return hinted(err, "see all of the damage on the machine of the server with: sydradb check")
	case refused.Code == "disk_full", refused.Code == "overloaded", refused.Code == "too_many_queries", refused.Code == "draining":
		return hinted(err, "run the command again later; what was committed is safe")
	case refused.Code == "storage_failed":
		return hinted(err, "the server's disk or its connection has a fault; look at its log before starting it again")
	case refused.Status/100 == 4:
		return &codedError{ExitUsage, err}
	}
	return err
}
