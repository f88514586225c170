package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// api asks the Prometheus HTTP API of a server. It keeps values as the text that the
// server sent: a float that is printed the same is the same.
type api struct {
	url   string
	token string // "" asks without
}

// sample is one value at a time in milliseconds.
type sample struct {
	T int64
	V string
}

// UnmarshalJSON reads [seconds, "value"] without going through a float.
func (s *sample) UnmarshalJSON(text []byte) error {
	var pair [2]json.RawMessage
	if err := json.Unmarshal(text, &pair); err != nil {
		return err
	}
	seconds, fraction, _ := strings.Cut(string(pair[0]), ".")
	ms, err := strconv.ParseInt(seconds+(fraction + "000")[:3], 10, 64)
	if err != nil || len(fraction) > 3 {
		return fmt.Errorf("time %s is not in milliseconds", pair[0])
	}
	s.T = ms
	return json.Unmarshal(pair[1], &s.V)
}

// result is what a query answered: samples in order of time by the text of their labels.
type result map[string][]sample

// labelText writes labels in order of their names.
func labelText(labels map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(&b, "%s=%q ", name, labels[name])
	}
	return b.String()
}

// get asks for a path of the API and decodes the member "data" of the answer.
func (a api) get(ctx context.Context, path string, params url.Values, data any) error {
	answer, err := a.do(ctx, http.MethodGet, path+"?"+params.Encode(), nil, "")
	if err != nil {
		return err
	}
	var outer struct {
		Status   string
		Data     json.RawMessage
		Warnings []string
	}
	if err := json.Unmarshal(answer, &outer); err != nil {
		return fmt.Errorf("%s%s: %w in %.200s", a.url, path, err, answer)
	}
	if outer.Status != "success" || len(outer.Warnings) > 0 {
		return fmt.Errorf("%s%s?%s: %.400s", a.url, path, params.Encode(), answer)
	}
	return json.Unmarshal(outer.Data, data)
}

// do sends a request and returns the body of the answer if its status is a good one.
func (a api) do(ctx context.Context, method, path string, body io.Reader, contentType string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, a.url+path, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s%s: %s: %.400s", method, a.url, path, resp.Status, answer)
	}
	return answer, err
}

// query evaluates expr at a time in milliseconds. The answer to a range selector has all
// raw samples.
func (a api) query(ctx context.Context, expr string, at int64) (result, error) {
	return a.evaluate(ctx, "/api/v1/query", url.Values{"query": {expr}, "time": {seconds(at)}})
}

// queryRange evaluates expr from start to end (milliseconds) in steps of the given length.
func (a api) queryRange(ctx context.Context, expr string, start, end int64, step time.Duration) (result, error) {
	return a.evaluate(ctx, "/api/v1/query_range", url.Values{
		"query": {expr}, "start": {seconds(start)}, "end": {seconds(end)}, "step": {strconv.FormatFloat(step.Seconds(), 'f', -1, 64)},
	})
}

func (a api) evaluate(ctx context.Context, path string, params url.Values) (result, error) {
	var data struct {
		ResultType string
		Result     json.RawMessage
	}
	if err := a.get(ctx, path, params, &data); err != nil {
		return nil, err
	}
	if data.ResultType == "scalar" {
		var s sample
		err := json.Unmarshal(data.Result, &s)
		return result{"scalar": {s}}, err
	}
	var series []struct {
		Metric map[string]string
		Value  *sample
		Values []sample
	}
	if err := json.Unmarshal(data.Result, &series); err != nil {
		return nil, err
	}
	out := make(result, len(series))
	for _, s := range series {
		key := labelText(s.Metric)
		if _, twice := out[key]; twice {
			return nil, fmt.Errorf("%s: series %s answered twice", params.Get("query"), key)
		}
		if s.Value != nil {
			s.Values = []sample{*s.Value}
		}
		out[key] = s.Values
	}
	return out, nil
}

// names asks for a list of strings: /api/v1/labels or the values of a label.
func (a api) names(ctx context.Context, path string, params url.Values) ([]string, error) {
	var out []string
	err := a.get(ctx, path, params, &out)
	slices.Sort(out)
	return out, err
}

// series lists the series that a selector matches between start and end (milliseconds).
func (a api) series(ctx context.Context, selector string, start, end int64) ([]string, error) {
	var found []map[string]string
	err := a.get(ctx, "/api/v1/series", url.Values{"match[]": {selector}, "start": {seconds(start)}, "end": {seconds(end)}}, &found)
	var out []string
	for _, labels := range found {
		out = append(out, labelText(labels))
	}
	slices.Sort(out)
	return out, err
}

// mustQuery is query for a test that cannot go on without the answer.
func (a api) mustQuery(t *testing.T, expr string, at int64) result {
	t.Helper()
	r, err := a.query(t.Context(), expr, at)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// valueText writes a value as the API does.
func valueText(v float64) string {
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.FormatFloat(v, format, -1, 64)
}

func seconds(ms int64) string {
	sign := ""
	if ms < 0 {
		sign, ms = "-", -ms
	}
	return fmt.Sprintf("%s%d.%03d", sign, ms/1000, ms%1000)
}

// points counts the samples of a result.
func (r result) points() int {
	n := 0
	for _, s := range r {
		n += len(s)
	}
	return n
}

// same says whether two values are equal: both the same text, or, if tolerance is not 0,
// two numbers whose relative difference is within it.
func same(a, b string, tolerance float64) bool {
	if a == b {
		return true
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if tolerance == 0 || errX != nil || errY != nil {
		return false
	}
	return max(x-y, y-x) <= tolerance*max(x, -x, y, -y)
}

// compare returns the first few differences between the two answers, nil if there are none.
func compare(want, got result, tolerance float64) error {
	var diffs []string
	differ := func(format string, args ...any) { diffs = append(diffs, fmt.Sprintf(format, args...)) }
	for _, key := range slices.Sorted(maps.Keys(want)) {
		w, g := want[key], got[key]
		if g == nil {
			differ("%s: missing, want %d samples", key, len(w))
			continue
		}
		if len(w) != len(g) {
			differ("%s: %d samples, want %d; the first that is not there: %s", key, len(g), len(w), odd(w, g))
			continue
		}
		for i := range w {
			if w[i].T != g[i].T || !same(w[i].V, g[i].V, tolerance) {
				differ("%s: sample %d is %v, want %v", key, i, g[i], w[i])
				break
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if want[key] == nil {
			differ("%s: %d samples, want none", key, len(got[key]))
		}
	}
	if len(diffs) == 0 {
		return nil
	}
	return fmt.Errorf("%d series differ, of %d and %d:\n%s", len(diffs), len(want), len(got), strings.Join(diffs[:min(5, len(diffs))], "\n"))
}

// odd names the first sample that only one of the two has.
func odd(want, got []sample) string {
	for _, w := range want {
		if !slices.ContainsFunc(got, func(g sample) bool { return g.T == w.T }) {
			return fmt.Sprint("wanted ", w)
		}
	}
	for _, g := range got {
		if !slices.ContainsFunc(want, func(w sample) bool { return g.T == w.T }) {
			return fmt.Sprint("not wanted ", g)
		}
	}
	return "none: times repeat"
}
