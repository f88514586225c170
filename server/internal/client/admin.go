package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/upkeep"
)

// Stats returns counters and sizes.
func (c *Client) Stats(ctx context.Context) (s sydradb.Stats, err error) {
	err = c.call(ctx, request{method: http.MethodGet, path: "/api/v1/stats"}, &s)
	return s, err
}

// TopTags returns the n tag keys with the most values.
func (c *Client) TopTags(ctx context.Context, n int) ([]upkeep.Top, error) {
	return c.top(ctx, "tags", n)
}

// TopNames returns the n names with the most series.
func (c *Client) TopNames(ctx context.Context, n int) ([]upkeep.Top, error) {
	return c.top(ctx, "names", n)
}

func (c *Client) top(ctx context.Context, what string, n int) (out []upkeep.Top, err error) {
	form := url.Values{"top": {what}, "limit": {strconv.Itoa(n)}}
	err = c.call(ctx, request{method: http.MethodGet, path: "/api/v1/stats", form: form}, &out)
	return out, err
}

// Flush writes what is in the server's memory to segment files.
func (c *Client) Flush(ctx context.Context) (done upkeep.Flushed, err error) {
	err = c.admin(ctx, "flush", nil, &done)
	return done, err
}

// Compact merges files as far as possible. When ctx ends, what has been merged stays.
func (c *Client) Compact(ctx context.Context) (done upkeep.Compacted, err error) {
	err = c.admin(ctx, "compact", nil, &done)
	return done, err
}

// Retain lets points expire by the server's rules.
func (c *Client) Retain(ctx context.Context, force bool) (done upkeep.Retained, err error) {
	form := url.Values{}
	if force {
		form.Set("now", "1")
	}
	err = c.admin(ctx, "retain", form, &done)
	return done, err
}

// Delete deletes the points from start to end of the series that sel selects.
func (c *Client) Delete(ctx context.Context, sel sydradb.Selector, start, end int64) error {
	form := selection(sel)
	setTimes(form, start, end)
	return c.admin(ctx, "delete", form, &struct{}{})
}

// Snapshot makes a snapshot below the data directory of the server and returns its name.
func (c *Client) Snapshot(ctx context.Context) (name string, err error) {
	var done struct {
		Name string `json:"name"`
	}
	err = c.admin(ctx, "snapshot", nil, &done)
	return done.Name, err
}

func (c *Client) admin(ctx context.Context, what string, form url.Values, out any) error {
	return c.call(ctx, request{method: http.MethodPost, path: "/api/v1/admin/" + what, form: form}, out)
}
