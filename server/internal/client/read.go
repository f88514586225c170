package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
	"github.com/sydradb/sydradb/server/internal/render"
)

// Points calls do with the points that q names, in the blocks that the server reads them
// in, until do fails, whose error it returns. Of q, selector and times count. The slices
// of a block are valid during the call.
func (c *Client) Points(ctx context.Context, q sydradb.Query, do func(render.Block) error) error {
	form := selection(q.Selector)
	setTimes(form, q.Start, q.End)
	return c.blocks(ctx, form, do)
}

// Windows calls do in the same way with what agg makes of points with its first function.
func (c *Client) Windows(ctx context.Context, agg sydradb.Aggregation, do func(render.Block) error) error {
	form := selection(agg.Selector)
	setTimes(form, agg.Start, agg.End)
	form.Set("agg", agg.Functions[0].String())
	if agg.Step > 0 {
		form.Set("step", agg.Step.String())
	}
	if agg.Range > 0 {
		form.Set("window", agg.Range.String())
	}
	if agg.GroupBy != nil {
		form["by"] = agg.GroupBy
		if len(agg.GroupBy) == 0 {
			form.Set("by", "")
		}
	}
	return c.blocks(ctx, form, do)
}

// Find returns the series that sel selects and that have points from start to end.
func (c *Client) Find(ctx context.Context, sel sydradb.Selector, start, end int64) ([]render.Stored, error) {
	form := selection(sel)
	setTimes(form, start, end)
	var (
		found []render.Stored
		at    cursor
	)
	err := c.lines(ctx, "/api/v1/query/series", form, func(v *fastjson.Value) error {
		next, err := at.next(v)
		if err != nil {
			return err
		}
		stored, ok := next.(render.Stored)
		if !ok {
			return errors.New("a series without an id")
		}
		found = append(found, stored)
		return nil
	})
	return found, err
}

// selection returns the parameters that name series.
func selection(sel sydradb.Selector) url.Values {
	form := url.Values{}
	for _, id := range sel.IDs {
		form.Add("series_id", strconv.FormatUint(uint64(id), 10))
	}
	if len(sel.IDs) > 0 {
		return form
	}
	conditions := make([]string, len(sel.Matchers))
	for i, m := range sel.Matchers {
		conditions[i] = m.String()
	}
	form.Set("selector", "{"+strings.Join(conditions, ",")+"}")
	if sel.Any {
		form.Set("any", "1")
	}
	return form
}

func setTimes(form url.Values, start, end int64) {
	form.Set("start", string(literal.AppendTime(nil, start)))
	form.Set("end", string(literal.AppendTime(nil, end)))
}

// blocks reads the answer of /api/v1/query/select.
func (c *Client) blocks(ctx context.Context, form url.Values, do func(render.Block) error) error {
	var (
		at    cursor
		block render.Block
		text  []byte
	)
	return c.lines(ctx, "/api/v1/query/select", form, func(v *fastjson.Value) (err error) {
		if block.Series, err = at.next(v); err != nil {
			return err
		}
		points := v.GetArray("points")
		if len(points) == 0 {
			return errors.New("a block without points")
		}
		block.Times, block.Values = block.Times[:0], block.Values[:0]
		for _, p := range points {
			pair, err := p.Array()
			if err != nil || len(pair) != 2 {
				return errors.New("a point is not [time, value]")
			}
			text = pair[0].MarshalTo(text[:0])
			ts, err := literal.ParseTime(text, literal.Second)
			if err != nil {
				return err
			}
			value, err := parseValue(pair[1], &text)
			if err != nil {
				return err
			}
			block.Times, block.Values = append(block.Times, ts), append(block.Values, value)
		}
		return stop(do(block))
	})
}

// parseValue reads a number, or the word for what JSON has no number for.
func parseValue(v *fastjson.Value, buf *[]byte) (float64, error) {
	if v.Type() == fastjson.TypeString {
		return literal.ParseValue(v.GetStringBytes())
	}
	*buf = v.MarshalTo((*buf)[:0])
	return literal.ParseNumber(*buf)
}

// stopError is an error of the caller's function, as opposed to one of the answer.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }

func stop(err error) error {
	if err == nil {
		return nil
	}
	return &stopError{err}
}

// lines calls do with each line of an answer until it fails.
func (c *Client) lines(ctx context.Context, path string, form url.Values, do func(*fastjson.Value) error) error {
	resp, err := c.do(ctx, request{method: http.MethodPost, path: path, form: form})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	const readBytes = 64 << 10
	var (
		in     = bufio.NewReaderSize(resp.Body, readBytes)
		parser fastjson.Parser
		line   []byte
	)
	for {
		line, err = readLine(in, line[:0])
		switch {
		case err == io.EOF && len(line) == 0:
			return nil
		case err != nil:
			return c.brokenOff(ctx, err) // a rest of a line is not one
		}
		v, err := parser.ParseBytes(line)
		if err == nil {
			if failed := v.Get("error"); failed != nil {
				return &Error{URL: c.URL(), Status: resp.StatusCode, Code: string(failed.GetStringBytes("code")), Message: string(failed.GetStringBytes("message"))}
			}
			err = do(v)
		}
		var stopped *stopError
		if errors.As(err, &stopped) {
			return stopped.err
		}
		if err != nil {
			return fmt.Errorf("%s sent a line that this program does not understand: %w", c.URL(), err)
		}
	}
}

// readLine appends the next line, of any length, without its end. At the end of the
// input the error is io.EOF, in the midst of a line io.ErrUnexpectedEOF.
func readLine(in *bufio.Reader, dst []byte) ([]byte, error) {
	for {
		part, err := in.ReadSlice('\n')
		dst = append(dst, part...)
		switch {
		case err == nil:
			return dst[:len(dst)-1], nil
		case err == io.EOF && len(dst) > 0:
			return dst, io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return dst, err
		}
	}
}
