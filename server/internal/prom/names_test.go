package prom

import (
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
)

func TestKeepNames(t *testing.T) {
	const set = `, "__name__", "$1", "__name__", "(.+)")`
	e := newEngine(&Config{Limits: Limits{}.withDefaults()}, parser.NewParser(parser.Options{}))
	for text, want := range map[string]string{
		`sum by (job) (rate({__name__=~"a|b"}[1m]))`:                   "",
		`sum without (__name__) (rate({job="a"}[1m]))`:                 "",
		`max by (__name__) (rate(a[1m]))`:                              "",
		`max by (__name__) (rate({__name__=~"a"}[1m]))`:                "",
		`max by (__name__, host) (rate(a[1m]) or rate(b[1m]))`:         "",
		`count by (__name__) (({__name__=~"a|b"}))`:                    "",
		`max by (__name__) (rate({__name__=~"a|b"}[1m]))`:              `label_replace(max by (__name__) (rate({__name__=~"a|b"}[1m]))` + set,
		`max by (__name__) (rate({__name__!=""}[1m]))`:                 `label_replace(max by (__name__) (rate({__name__!=""}[1m]))` + set,
		`-(1 + topk by (__name__) (scalar(b), rate({x="1"}[1m])))`:     `-(1 + label_replace(topk by (__name__) (scalar(b), rate({x="1"}[1m]))` + set + `)`,
		`max_over_time(sum by (__name__, x) (-{x="1"})[1h:1m])`:        `max_over_time(label_replace(sum by (__name__, x) (-{x="1"})` + set + `[1h:1m])`,
		`abs(sum by (__name__) (sum by (__name__, x) (abs({x="1"}))))`: `abs(label_replace(sum by (__name__) (label_replace(sum by (__name__, x) (abs({x="1"}))` + set + `)` + set + `)`,
		`sum by (__name__) (`:                                          "",
	} {
		engine, got, err := e.prepare(text, 0)
		if want == "" && (engine != e.Engine || got != text) || want != "" && (engine != e.keeping || got != want) || err != nil {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
}

func TestStepsOfSubqueries(t *testing.T) {
	e := &queryEngine{parser: parser.NewParser(parser.Options{}), maxSteps: 100}
	for _, c := range []struct {
		text   string
		length time.Duration
		fine   bool
	}{
		{`max_over_time(a[100m:1m])`, 0, true},
		{`max_over_time(a[101m:1m])`, 0, false},
		{`max_over_time(a[101m:])`, 0, false},
		{`max_over_time(a[50m:1m])`, 50 * time.Minute, true},
		{`max_over_time(a[51m:1m])`, 50 * time.Minute, false},
		{`1 + sum(max_over_time(max_over_time(a[60m:1m])[41m:5m]))`, 0, false},
		{`1 + sum(max_over_time(max_over_time(a[60m:1m])[40m:5m]))`, 0, true},
		{`a[292y:1ms]`, math.MaxInt64, false},
	} {
		if _, _, err := e.prepare(c.text, c.length); (err == nil) != c.fine {
			t.Errorf("%s over %v: %v", c.text, c.length, err)
		}
	}
}

func TestGroupsKeepNames(t *testing.T) {
	db := dbtest.Open(t, sydradb.Options{})
	for _, name := range []string{"cpu_user", "cpu_system"} {
		for _, host := range []string{"a", "b"} {
			write(t, db, name+`{host="`+host+`"}`, 1000, 1, 2000, 2)
		}
	}
	s := serve(t, Config{DB: db})
	status, body := s.get("/api/v1/query", "time", "2", "query", `max(max_over_time({__name__=~'cpu_(user|system)'}[1m])) by (__name__)`)
	want := `{"resultType":"vector","result":[{"metric":{"__name__":"cpu_system"},"value":[2,"2"]},{"metric":{"__name__":"cpu_user"},"value":[2,"2"]}]}`
	if status != 200 || data(t, body) != want {
		t.Errorf("status %d: %s", status, body)
	}
}
