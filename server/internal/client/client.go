package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Options say how to reach a server.
type Options struct {
	URL   string // http or https, with a path if the server is behind one
	Token string // "" for none
	// UserAgent names the program to the server.
	UserAgent string
	// Transport carries the requests. Default: one like http.DefaultTransport.
	Transport http.RoundTripper
}

// Client is a server as its users see it.
type Client struct {
	base      *url.URL
	token     string
	userAgent string
	http      *http.Client
}

// New returns a client. It does not connect yet; the error is about o.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.URL)
	switch {
	case err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "":
		return nil, errors.New("that is not the URL of a server: want one such as http://127.0.0.1:8080")
	case base.RawQuery != "" || base.Fragment != "" || base.User != nil:
		return nil, errors.New("the URL of a server has a scheme, a host and a path alone") // the rest may be a secret
	}
	if strings.ContainsFunc(o.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the token holds characters that no token has")
	}
	transport := o.Transport
	if transport == nil {
		transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	return &Client{
		base: base, token: o.Token, userAgent: o.UserAgent,
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// URL returns the address of the server.
func (c *Client) URL() string { return c.base.String() }

// Close gives back what connections hold.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// request is what is asked of a server.
type request struct {
	method, path string
	form         url.Values // of the address of a GET, else the body
	body         []byte     // instead of form
	encoding     string     // of body
}

// do sends a request and returns the answer, whose body must be closed. An answer other
// than 2xx is an *Error.
func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	at := c.base.JoinPath(r.path)
	var body io.Reader
	switch {
	case r.body != nil:
		at.RawQuery = r.form.Encode()
		body = bytes.NewReader(r.body)
	case r.method == http.MethodPost:
		body = strings.NewReader(r.form.Encode())
	default:
		at.RawQuery = r.form.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, at.String(), body)
	if err != nil {
		return nil, err
	}
	switch {
	case r.body != nil:
		req.Header.Set("Content-Type", "application/x-ndjson")
	case body != nil:
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if r.encoding != "" {
		req.Header.Set("Content-Encoding", r.encoding)
	}
	if c.userAgent != "" {
		req.Header.Set("User-Agent", c.userAgent)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		return nil, c.refused(resp)
	}
	return resp, nil
}

// call sends a request and decodes its answer, one JSON value, into out.
func (c *Client) call(ctx context.Context, r request, out any) error {
	resp, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return c.brokenOff(ctx, err)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s answered %s what this program does not understand: %w", c.URL(), r.path, err)
	}
	return nil
}

// unreachable explains an error that came instead of an answer.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err // the address is named once, and without parameters
	}
	return &UnreachableError{URL: c.URL(), Err: err}
}

// brokenOff explains an error that ended an answer early.
func (c *Client) brokenOff(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("the answer of %s broke off: %w", c.URL(), err)
}

// retryAfter reads the header of that name, 0 if there is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 16); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
