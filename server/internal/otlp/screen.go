package otlp

import (
	"errors"
	"math"

	"github.com/sydradb/sydradb/server/internal/intake"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

var (
	refuseDelta       = &intake.Refusal{Reason: intake.Unsupported, Err: errors.New("only cumulative temporality is stored; let the client send that, or a collector convert it (deltatocumulative)")}
	refuseExponential = &intake.Refusal{Reason: intake.NativeHistogram, Err: errors.New("exponential histograms are not stored; let the client use explicit buckets")}
	refuseExemplars   = &intake.Refusal{Reason: intake.Exemplar, Err: errors.New("exemplars are not stored")}
	refuseLongName    = &intake.Refusal{Reason: intake.LabelLimit, Err: errors.New("the name of a metric takes more than 4 KiB")}
	refuseResource    = &intake.Refusal{Reason: intake.LabelLimit, Err: errors.New("the attributes of a resource take more than 4 KiB each, or 64 KiB in all")}
	refuseNoTime      = &intake.Refusal{Reason: intake.Invalid, Err: errors.New("a data point has no time")}
	refuseNoValue     = &intake.Refusal{Reason: intake.Invalid, Err: errors.New("a data point has no value")}
)

// What each data point repeats is bounded here, in bytes: a large name would be copied for
// every few bytes of a request.
const (
	maxName      = 4 << 10
	maxAttribute = 4 << 10
	maxResource  = 64 << 10
)

// screen takes out of metrics what cannot be stored. The converter would stop at the first
// such data point, or store zeros, without a word about the others.
type screen struct {
	request   *intake.Request
	points    int // data points of the request, whether refused or not
	samples   int // that the converter must make of the others
	exemplars int
}

// metrics screens all metrics.
func (s *screen) metrics(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		screen := s.refused
		if !modest(rm.Resource().Attributes()) {
			screen = func(m pmetric.Metric) bool { return s.all(m, refuseResource, pointsOf(m)) }
		}
		for _, sm := range rm.ScopeMetrics().All() {
			sm.Metrics().RemoveIf(screen)
		}
	}
	if s.exemplars > 0 {
		s.request.Refuse(refuseExemplars, s.exemplars, 0, nil)
	}
}

// refused screens a metric. It reports whether nothing of it is left.
func (s *screen) refused(m pmetric.Metric) bool {
	if len(m.Name()) > maxName {
		return s.all(m, refuseLongName, pointsOf(m))
	}
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return s.numbers(m, m.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		if m.Sum().AggregationTemporality() != pmetric.AggregationTemporalityCumulative {
			return s.all(m, refuseDelta, pointsOf(m))
		}
		return s.numbers(m, m.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		if m.Histogram().AggregationTemporality() != pmetric.AggregationTemporalityCumulative {
			return s.all(m, refuseDelta, pointsOf(m))
		}
		return s.histograms(m, m.Histogram().DataPoints())
	case pmetric.MetricTypeExponentialHistogram:
		return s.all(m, refuseExponential, pointsOf(m))
	case pmetric.MetricTypeSummary:
		return s.summaries(m, m.Summary().DataPoints())
	}
	return true // without a type there are no data points
}

// modest reports whether the attributes of a resource are of a size to be repeated.
func modest(attributes pcommon.Map) bool {
	total := 0
	for key, value := range attributes.All() {
		size := len(key) + len(value.AsString())
		if total += size; size > maxAttribute || total > maxResource {
			return false
		}
	}
	return true
}

// pointsOf returns the number of data points of a metric.
func pointsOf(m pmetric.Metric) int {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints().Len()
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints().Len()
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().Len()
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().DataPoints().Len()
	case pmetric.MetricTypeSummary:
		return m.Summary().DataPoints().Len()
	}
	return 0
}

// all refuses the data points of a metric.
func (s *screen) all(m pmetric.Metric, why *intake.Refusal, points int) bool {
	if points > 0 {
		s.points += points
		s.request.Refuse(why, points, 0, s.text(m))
	}
	return true
}

// text names a metric in an explanation, which shows no more of it.
func (s *screen) text(m pmetric.Metric) []byte {
	return []byte(m.Name()[:min(len(m.Name()), 100)])
}

func (s *screen) numbers(m pmetric.Metric, points pmetric.NumberDataPointSlice) bool {
	points.RemoveIf(func(p pmetric.NumberDataPoint) bool {
		why := s.untimely(p.Timestamp())
		switch {
		case why != nil || p.Flags().NoRecordedValue():
		case p.ValueType() == pmetric.NumberDataPointValueTypeEmpty:
			why = refuseNoValue
		case p.ValueType() == pmetric.NumberDataPointValueTypeInt:
			if v := p.IntValue(); float64(v) >= 1<<63 || int64(float64(v)) != v {
				s.request.Round(1)
			}
		}
		return s.point(m, why, 1, p.Exemplars())
	})
	return points.Len() == 0
}

func (s *screen) histograms(m pmetric.Metric, points pmetric.HistogramDataPointSlice) bool {
	points.RemoveIf(func(p pmetric.HistogramDataPoint) bool {
		samples := 2 + min(p.ExplicitBounds().Len(), p.BucketCounts().Len()) // count, +Inf
		if p.HasSum() {
			samples++
		}
		return s.point(m, s.untimely(p.Timestamp()), samples, p.Exemplars())
	})
	return points.Len() == 0
}

func (s *screen) summaries(m pmetric.Metric, points pmetric.SummaryDataPointSlice) bool {
	points.RemoveIf(func(p pmetric.SummaryDataPoint) bool {
		return s.point(m, s.untimely(p.Timestamp()), 2+p.QuantileValues().Len(), pmetric.NewExemplarSlice())
	})
	return points.Len() == 0
}

// point counts a data point, which is refused if why is not nil, and drops its exemplars:
// the converter fails on some of them.
func (s *screen) point(m pmetric.Metric, why *intake.Refusal, samples int, exemplars pmetric.ExemplarSlice) (refused bool) {
	s.points++
	s.exemplars += exemplars.Len()
	exemplars.RemoveIf(func(pmetric.Exemplar) bool { return true })
	if why != nil {
		s.request.Refuse(why, 1, 0, s.text(m))
		return true
	}
	s.samples += samples
	return false
}

// untimely returns why nothing can be stored at a time, nil if it can.
func (s *screen) untimely(t pcommon.Timestamp) *intake.Refusal {
	switch {
	case t == 0:
		return refuseNoTime
	case t > math.MaxInt64:
		return s.request.CheckTime(math.MaxInt64)
	}
	return s.request.CheckTime(int64(t))
}
