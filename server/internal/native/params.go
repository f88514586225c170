package native

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fastjson"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
	"github.com/sydradb/sydradb/server/internal/web"
)

const (
	// maxText is the longest selector, as of a query in another language.
	maxText = 16 << 10
	// maxBody is the largest body, without its compression. Parsed it takes some 80 times
	// as much.
	maxBody = 1 << 20
)

func badRequest(format string, args ...any) error {
	return &web.Error{Status: http.StatusBadRequest, Code: web.CodeBadRequest, Message: fmt.Sprintf(format, args...)}
}

// params are the parameters of a request: those in its address, and those in its body,
// which is a form or a JSON object.
type params struct{ values url.Values }

// readParams returns the parameters of r, which must be among those known. Errors are
// for web.Fail.
func readParams(w http.ResponseWriter, r *http.Request, known ...string) (params, error) {
	body, err := web.ReadBody(w, r)
	if err != nil {
		return params{}, err
	}
	defer body.Release()
	if len(body.Bytes()) > maxBody {
		return params{}, &web.Error{
			Status: http.StatusRequestEntityTooLarge, Code: web.CodeTooLarge,
			Message: fmt.Sprintf("the parameters take more than %d MiB", maxBody>>20),
		}
	}
	return parseParams(r.URL.RawQuery, body.Bytes(), known)
}

func parseParams(query string, body []byte, known []string) (params, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return params{}, badRequest("the parameters in the address cannot be read: %v", err)
	}
	// What a form is called by clients says little: it is what curl -d calls JSON, too.
	var more url.Values
	if body = bytes.TrimSpace(body); len(body) > 0 && body[0] == '{' {
		if more, err = parseObject(body); err != nil {
			return params{}, err
		}
	} else if more, err = url.ParseQuery(string(body)); err != nil {
		return params{}, badRequest("the parameters in the body cannot be read, neither as a form nor as a JSON object: %v", err)
	}
	for name, texts := range more {
		values[name] = append(values[name], texts...)
	}
	for name := range values {
		if !slices.Contains(known, name) {
			return params{}, badRequest("unknown parameter %.40q: there are %s", name, strings.Join(known, ", "))
		}
	}
	return params{values}, nil
}

// parseObject reads the parameters in a JSON object. Numbers keep all of their digits;
// an array stands for a parameter given several times, an object for its own text.
func parseObject(text []byte) (url.Values, error) {
	v, err := parseJSON(string(text))
	if err != nil {
		return nil, badRequest("the body is not JSON: %.80s", err)
	}
	values := url.Values{}
	v.GetObject().Visit(func(name []byte, v *fastjson.Value) {
		items := []*fastjson.Value{v}
		if v.Type() == fastjson.TypeArray {
			items = v.GetArray()
		}
		for _, item := range items {
			switch item.Type() {
			case fastjson.TypeNull:
			case fastjson.TypeString:
				values.Add(string(name), string(item.GetStringBytes()))
			case fastjson.TypeArray:
				err = badRequest("%.40q: an array within an array", name)
			default:
				values.Add(string(name), string(item.MarshalTo(nil)))
			}
		}
	})
	return values, err
}

// parseJSON parses text, and looks into escapes, which the fast parser alone does not. It
// comes first because it bounds how deep text may be nested: to validate a few kilobytes of
// brackets takes minutes, and some megabytes the whole process.
func parseJSON(text string) (*fastjson.Value, error) {
	v, err := fastjson.Parse(text)
	if err == nil {
		err = fastjson.Validate(text)
	}
	return v, err
}

// has reports whether a parameter is given. An empty one is not: a variable that a shell
// does not know must not delete all there is.
func (p params) has(name string) bool {
	return slices.ContainsFunc(p.values[name], func(text string) bool { return text != "" })
}

// one returns a parameter that must not be given twice, "" if it is absent.
func (p params) one(name string) (string, error) {
	switch texts := p.values[name]; len(texts) {
	case 0:
		return "", nil
	case 1:
		return texts[0], nil
	}
	return "", badRequest("%s is given more than once", name)
}

// parsed reads a parameter that must not be given twice, if it is given.
func parsed[T any](p params, name string, to *T, parse func(string) (T, error)) error {
	text, err := p.one(name)
	if err != nil || text == "" {
		return err
	}
	value, err := parse(text)
	if err != nil {
		return badRequest("%s %.40q: %v", name, text, err)
	}
	*to = value
	return nil
}

// times returns start and end, by default the beginning and the end.
func (p params) times() (start, end int64, err error) {
	start, end = sydradb.MinTime, sydradb.MaxTime
	if err := parsed(p, "start", &start, parseTime); err != nil {
		return 0, 0, err
	}
	if err := parsed(p, "end", &end, parseTime); err != nil {
		return 0, 0, err
	}
	if start > end {
		return 0, 0, badRequest("the start %s is after the end %s", literal.AppendTime(nil, start), literal.AppendTime(nil, end))
	}
	return start, end, nil
}

func parseTime(text string) (int64, error) { return literal.ParseTime(text, literal.Second) }

// parseSpan reads a span such as 5m, or a number of seconds.
func parseSpan(text string) (time.Duration, error) {
	span, ok := literal.ParseSpan(text)
	if !ok && strings.Trim(text, "0123456789.") == "" {
		ns, err := literal.ParseTime(text, literal.Second)
		span, ok = time.Duration(ns), err == nil
	}
	if !ok || span <= 0 {
		return 0, fmt.Errorf("want a span such as 30s or 5m, or seconds")
	}
	return span, nil
}

func parseBool(text string) (bool, error) {
	b, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("want 1 or 0")
	}
	return b, nil
}

func parseCount(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("want a whole number, 0 or more")
	}
	return int(n), nil
}

func parseSeriesID(text string) (sydradb.SeriesID, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("want an integer from 0 to 2^64-1")
	}
	return sydradb.SeriesID(id), nil
}

// parseTags reads a JSON object of strings.
func parseTags(text string) (tags []sydradb.Tag, err error) {
	v, err := parseJSON(text)
	if err != nil || v.Type() != fastjson.TypeObject {
		return nil, fmt.Errorf(`want a JSON object of strings, such as {"room":"hall"}`)
	}
	seen := make(map[string]bool)
	v.GetObject().Visit(func(key []byte, v *fastjson.Value) {
		if v.Type() != fastjson.TypeString {
			err = fmt.Errorf("the value of %.40q is not a string", key)
			return
		}
		if len(key) == 0 {
			err = fmt.Errorf("a tag without a key")
			return
		}
		if seen[string(key)] {
			err = fmt.Errorf("%.40q is there twice", key)
			return
		}
		seen[string(key)] = true
		tags = append(tags, sydradb.Tag{Key: string(key), Value: string(v.GetStringBytes())})
	})
	return tags, err
}

// parseConditions reads the tags that series must have, or with an empty value lack.
func parseConditions(text string) ([]sydradb.Matcher, error) {
	tags, err := parseTags(text)
	if err != nil {
		return nil, err
	}
	return conditionsOf(tags)
}

func conditionsOf(tags []sydradb.Tag) (conditions []sydradb.Matcher, err error) {
	for _, t := range tags {
		m, err := sydradb.NewMatcher(t.Key, sydradb.MatchEqual, t.Value)
		if err != nil {
			return nil, err
		}
		conditions = append(conditions, m)
	}
	return conditions, nil
}

// selector returns the series that selector, any or series_id name. Without any of them
// the error says so.
func (p params) selector() (sel sydradb.Selector, err error) {
	for _, text := range p.values["series_id"] {
		id, err := parseSeriesID(text)
		if err != nil {
			return sel, badRequest("series_id %.40q: %v", text, err)
		}
		sel.IDs = append(sel.IDs, id)
	}
	if len(sel.IDs) > 0 && p.has("selector") {
		return sel, badRequest("selector and series_id exclude each other")
	}
	if len(sel.IDs) > 0 {
		return sel, nil
	}
	if !p.has("selector") {
		return sel, badRequest("selector is missing; {} selects all series")
	}
	if err := parsed(p, "selector", &sel, parseSelector); err != nil {
		return sel, err
	}
	return sel, parsed(p, "any", &sel.Any, parseBool)
}

func parseSelector(text string) (sydradb.Selector, error) {
	if len(text) > maxText {
		return sydradb.Selector{}, fmt.Errorf("longer than %d KiB", maxText>>10)
	}
	return sydradb.ParseSelector(text)
}

// aggregation returns what agg, step, window and by ask for; ok is false if none of them
// is given.
func (p params) aggregation() (agg sydradb.Aggregation, ok bool, err error) {
	by, grouped := p.values["by"] // one group where it is empty
	if !p.has("agg") && !p.has("step") && !p.has("window") && !grouped {
		return agg, false, nil
	}
	agg.Functions = []sydradb.Function{sydradb.Avg}
	if err := parsed(p, "agg", &agg.Functions[0], sydradb.ParseFunction); err != nil {
		return agg, false, err
	}
	if err := parsed(p, "step", &agg.Step, parseSpan); err != nil {
		return agg, false, err
	}
	if err := parsed(p, "window", &agg.Range, parseSpan); err != nil {
		return agg, false, err
	}
	if agg.Range > 0 && agg.Step == 0 {
		return agg, false, badRequest("window goes with step, the time from one window to the next")
	}
	if grouped {
		agg.GroupBy = slices.DeleteFunc(slices.Clone(by), func(key string) bool { return key == "" })
	}
	return agg, true, nil
}
