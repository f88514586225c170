package prom

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// namingEngine is Prometheus' engine, but that what is grouped by __name__ keeps its name:
//
//	max by (__name__) (max_over_time({__name__=~"cpu_.*"}[1m]))
//
// is what dashboards ask of wide data. Prometheus drops the name after max_over_time, and
// then finds that the groups cannot be told apart. Queries without __name__ in them are
// passed on as they are.
type namingEngine struct {
	*promql.Engine
	parser parser.Parser
}

// NewInstantQuery implements promql.QueryEngine.
func (e *namingEngine) NewInstantQuery(ctx context.Context, q storage.Queryable, opts promql.QueryOpts, text string, ts time.Time) (promql.Query, error) {
	return e.Engine.NewInstantQuery(ctx, q, opts, e.keepNames(text), ts)
}

// NewRangeQuery implements promql.QueryEngine.
func (e *namingEngine) NewRangeQuery(ctx context.Context, q storage.Queryable, opts promql.QueryOpts, text string, start, end time.Time, step time.Duration) (promql.Query, error) {
	return e.Engine.NewRangeQuery(ctx, q, opts, e.keepNames(text), start, end, step)
}

// keepNames returns a query in which aggregations by __name__ set it once more, which is
// how a query says that a name is to stay.
func (e *namingEngine) keepNames(text string) string {
	if !strings.Contains(text, labels.MetricName) {
		return text
	}
	expr, err := e.parser.ParseExpr(text)
	if err != nil {
		return text // for the engine to say what is wrong with it
	}
	changed := false
	expr = keepNames(expr, &changed)
	if !changed {
		return text
	}
	return expr.String()
}

func keepNames(expr parser.Expr, changed *bool) parser.Expr {
	switch e := expr.(type) {
	case *parser.AggregateExpr:
		e.Expr = keepNames(e.Expr, changed)
		if e.Param != nil {
			e.Param = keepNames(e.Param, changed)
		}
		if !e.Without && slices.Contains(e.Grouping, labels.MetricName) {
			*changed = true
			return named(e)
		}
	case *parser.BinaryExpr:
		e.LHS, e.RHS = keepNames(e.LHS, changed), keepNames(e.RHS, changed)
	case *parser.Call:
		for i := range e.Args {
			e.Args[i] = keepNames(e.Args[i], changed)
		}
	case *parser.ParenExpr:
		e.Expr = keepNames(e.Expr, changed)
	case *parser.SubqueryExpr:
		e.Expr = keepNames(e.Expr, changed)
	case *parser.UnaryExpr:
		e.Expr = keepNames(e.Expr, changed)
	}
	return expr
}

// named returns label_replace(e, "__name__", "$1", "__name__", "(.+)").
func named(e parser.Expr) parser.Expr {
	args := parser.Expressions{e}
	for _, text := range []string{labels.MetricName, "$1", labels.MetricName, "(.+)"} {
		args = append(args, &parser.StringLiteral{Val: text})
	}
	return &parser.Call{Func: parser.Functions["label_replace"], Args: args}
}
