package prom

import (
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// keepNames sets the name once more of what is grouped by __name__ and made of series that
// may have several names, which is how a query says that names are to stay:
//
//	max by (__name__) (max_over_time({__name__=~"cpu_.*"}[1m]))
//
// is what dashboards ask of wide data. Prometheus fails there: max_over_time drops the name,
// and the series of one host cannot be told apart. An engine that drops names at the end of
// the query can evaluate it, but would fail then. All that Prometheus can answer whatever the
// data, such as rates of one name, is left alone.
func keepNames(expr parser.Expr, changed *bool) parser.Expr {
	switch e := expr.(type) {
	case *parser.AggregateExpr:
		e.Expr = keepNames(e.Expr, changed)
		if e.Param != nil {
			e.Param = keepNames(e.Param, changed)
		}
		if !e.Without && slices.Contains(e.Grouping, model.MetricNameLabel) && losesNames(e.Expr) {
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

// losesNames reports whether expr selects series of several names and may drop the names.
func losesNames(expr parser.Expr) bool {
	switch e := expr.(type) {
	case *parser.ParenExpr:
		return losesNames(e.Expr)
	case *parser.VectorSelector:
		return false
	}
	return slices.ContainsFunc(parser.ExtractSelectors(expr), func(matchers []*labels.Matcher) bool {
		return !slices.ContainsFunc(matchers, fixesName)
	})
}

// fixesName reports whether what fulfils m has one name.
func fixesName(m *labels.Matcher) bool {
	return m.Name == model.MetricNameLabel &&
		(m.Type == labels.MatchEqual && m.Value != "" || m.Type == labels.MatchRegexp && len(m.SetMatches()) == 1)
}

// named returns label_replace(e, "__name__", "$1", "__name__", "(.+)").
func named(e parser.Expr) parser.Expr {
	args := parser.Expressions{e}
	for _, text := range []string{model.MetricNameLabel, "$1", model.MetricNameLabel, "(.+)"} {
		args = append(args, &parser.StringLiteral{Val: text})
	}
	return &parser.Call{Func: parser.Functions["label_replace"], Args: args}
}
