package prom

import (
	"cmp"
	"math"
	"net/http"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/index"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/metadata"
	"github.com/sydradb/sydradb/server/internal/web"
)

// adminStats tells what series there are.
type adminStats struct{ db *sydradb.DB }

// noChunks returns metrics in which Prometheus looks for its number of chunks: there are none.
func noChunks() prometheus.Gatherer {
	r := prometheus.NewRegistry()
	r.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "prometheus_tsdb_head_chunks", Help: "Always 0."}))
	return r
}

// Stats counts series by name, label and value: the limit most frequent of each.
func (s *adminStats) Stats(_ string, limit int) (*tsdb.Stats, error) {
	cardinality := s.db.TagCardinality(0)
	names := s.db.ValueCardinality(model.MetricNameLabel, 0)
	cardinality = append(cardinality, sydradb.TagCardinality{Key: model.MetricNameLabel, Values: len(names)})
	out := &index.PostingsStats{}
	for _, v := range names {
		out.CardinalityMetricsStats = append(out.CardinalityMetricsStats, index.Stat{Name: v.Value, Count: uint64(v.Series)})
	}
	for _, c := range cardinality {
		var bytes uint64
		for _, v := range s.db.ValueCardinality(c.Key, 0) {
			bytes += uint64(len(c.Key)+len(v.Value)) * uint64(v.Series)
			out.LabelValuePairsStats = append(out.LabelValuePairsStats, index.Stat{Name: c.Key + "=" + v.Value, Count: uint64(v.Series)})
		}
		out.NumLabelPairs += c.Values
		out.LabelValueStats = append(out.LabelValueStats, index.Stat{Name: c.Key, Count: bytes})
		out.CardinalityLabelStats = append(out.CardinalityLabelStats, index.Stat{Name: c.Key, Count: uint64(c.Values)})
	}
	for _, list := range []*[]index.Stat{&out.CardinalityMetricsStats, &out.CardinalityLabelStats, &out.LabelValueStats, &out.LabelValuePairsStats} {
		*list = most(*list, limit)
	}
	stats := s.db.Stats()
	found := &tsdb.Stats{NumSeries: uint64(stats.Series), MinTime: math.MaxInt64, MaxTime: math.MinInt64, IndexPostingStats: out}
	if !stats.Empty {
		found.MinTime, found.MaxTime = floorMS(stats.Start), floorMS(stats.End)
	}
	return found, nil
}

// most returns the n greatest of stats, the greatest first.
func most(stats []index.Stat, n int) []index.Stat {
	slices.SortFunc(stats, func(a, b index.Stat) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	return stats[:min(n, len(stats))]
}

// serveMetadata answers /api/v1/metadata by what was pushed: Prometheus' own API would ask
// its scrape targets.
func (a *API) serveMetadata(w http.ResponseWriter, r *http.Request) {
	limit, err := limitOf(r, "limit")
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	perMetric, err := limitOf(r, "limit_per_metric")
	if err != nil {
		web.Fail(w, r, err)
		return
	}
	found := map[string][]metadata.Entry{}
	if limit != 0 && a.config.Metadata != nil {
		found = a.config.Metadata.Get(r.FormValue("metric"), max(limit, 0))
	}
	for family, entries := range found {
		if perMetric > 0 && len(entries) > perMetric {
			found[family] = entries[:perMetric]
		}
	}
	respond(w, found)
}

// limitOf returns a number of the request, -1 if it is not there.
func limitOf(r *http.Request, key string) (int, error) {
	text := r.FormValue(key)
	if text == "" {
		return -1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, badRequest("%s must be a number", key)
	}
	return n, nil
}
