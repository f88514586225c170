package prom

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

const (
	// subqueryStep is the step of a subquery that names none: what Prometheus takes if its
	// configuration says nothing else.
	subqueryStep = time.Minute
	// stepBytes is the part of the memory of a query that a step of a subquery may take: the
	// engine makes room for all steps before it counts a sample.
	stepBytes = 256
	// maxGrowth bounds how many times the value of a label can be repeated by label_replace
	// and label_join, nested ones multiplied: two dozen that double it would take all memory
	// there is, and labels are not counted as samples are.
	maxGrowth = 100
	// maxLiteralBytes is the length of a string in a query: each series may get a copy.
	maxLiteralBytes = 1024
)

// queryEngine is Prometheus' engine for queries that anybody may send: it looks at their text
// before the engine does.
type queryEngine struct {
	*promql.Engine
	keeping  *promql.Engine // for queries that keepNames changes
	parser   parser.Parser
	maxSteps int64 // of a subquery
}

// NewInstantQuery implements promql.QueryEngine.
func (e *queryEngine) NewInstantQuery(ctx context.Context, q storage.Queryable, opts promql.QueryOpts, text string, ts time.Time) (promql.Query, error) {
	engine, text, err := e.prepare(text, 0)
	if err != nil {
		return nil, err
	}
	return engine.NewInstantQuery(ctx, q, opts, text, ts)
}

// NewRangeQuery implements promql.QueryEngine.
func (e *queryEngine) NewRangeQuery(ctx context.Context, q storage.Queryable, opts promql.QueryOpts, text string, start, end time.Time, step time.Duration) (promql.Query, error) {
	engine, text, err := e.prepare(text, end.Sub(start))
	if err != nil {
		return nil, err
	}
	return engine.NewRangeQuery(ctx, q, opts, text, start, end, step)
}

// prepare returns the query to be evaluated in place of text, over a range of time, and the
// engine to do it. Most queries are passed on without a look.
func (e *queryEngine) prepare(text string, length time.Duration) (*promql.Engine, string, error) {
	if len(text) <= maxLiteralBytes && !strings.Contains(text, ":") && !strings.Contains(text, "label_") && !strings.Contains(text, model.MetricNameLabel) {
		return e.Engine, text, nil
	}
	expr, err := e.parser.ParseExpr(text)
	if err != nil {
		return e.Engine, text, nil // for the engine to say what is wrong with it
	}
	if err := e.check(expr, float64(length), 1); err != nil {
		return nil, "", err
	}
	changed := false
	if expr = keepNames(expr, &changed); !changed {
		return e.Engine, text, nil
	}
	return e.keeping, expr.String(), nil
}

// check refuses what takes memory before the engine counts it. length is the time, in
// nanoseconds, that node is evaluated over; it is a float, since several ranges may overflow
// an integer. growth is how many times the value of a label may be repeated by what is
// around node.
func (e *queryEngine) check(node parser.Node, length float64, growth int) error {
	switch n := node.(type) {
	case *parser.SubqueryExpr:
		step := n.Step
		if step == 0 {
			step = subqueryStep
		}
		length += float64(n.Range)
		if steps := length / float64(step); steps > float64(e.maxSteps) {
			return &limitError{fmt.Sprintf("the subquery %.100s has %.0f steps, more than %d; give it a greater step or a shorter range", n, steps, e.maxSteps)}
		}
	case *parser.Call:
		growth *= max(1, repeats(n))
		if growth > maxGrowth {
			return &limitError{fmt.Sprintf("%s and what is around it may repeat a label more than %d times", n.Func.Name, maxGrowth)}
		}
	case *parser.StringLiteral:
		if len(n.Val) > maxLiteralBytes {
			return &limitError{fmt.Sprintf("a string of the query has %d bytes, more than %d", len(n.Val), maxLiteralBytes)}
		}
	}
	for child := range parser.ChildrenIter(node) {
		if err := e.check(child, length, growth); err != nil {
			return err
		}
	}
	return nil
}

// repeats returns how often the label that a function makes may hold the value of another.
func repeats(call *parser.Call) int {
	switch call.Func.Name {
	case "label_join":
		return len(call.Args)
	case "label_replace":
		if text, ok := call.Args[2].(*parser.StringLiteral); ok {
			return strings.Count(text.Val, "$")
		}
		return maxGrowth + 1 // in parentheses, which nobody writes
	}
	return 1
}
