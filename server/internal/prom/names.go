package prom

import (
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// keepNames sets the name of what is grouped by __name__ once more, which is how a query says
// that a name is to stay:
//
//	max by (__name__) (max_over_time({__name__=~"cpu_.*"}[1m]))
//
// is what dashboards ask of wide data. Prometheus drops the name after max_over_time, and
// then finds that the groups cannot be told apart.
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
