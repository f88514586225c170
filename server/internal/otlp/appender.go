package otlp

import (
	"errors"
	"sync"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/handles"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/metadata"
)

// Bounds of the series that are known by their labels.
const (
	maxSeries      = 1 << 20
	maxSeriesBytes = 64 << 20
)

// What the converter calls the series that it makes of the attributes of a resource.
const (
	targetName = "target_info"
	targetHelp = "Target metadata"
)

var errTargets = errors.New("the times of one resource are too far apart: target_info was not written for all of them")

// appender takes what the converter makes into a request.
type appender struct {
	request *intake.Request
	store   *metadata.Store
	series  *handles.Cache

	samples int    // that came, without those of target_info
	targets int    // how many of target_info may still come
	family  string // whose metadata was passed on last
	key     []byte
	tags    []sydradb.Tag
}

var appenders = sync.Pool{New: func() any { return new(appender) }}

// Append implements storage.AppenderV2. What cannot be stored is counted and is no error, for
// the converter would leave out the rest of the metric.
func (a *appender) Append(_ storage.SeriesRef, ls labels.Labels, _, ms int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options) (storage.SeriesRef, error) {
	if opts.MetricFamilyName == targetName && opts.Metadata.Help == targetHelp {
		// One of a few seconds is made for each two and a half minutes between the first
		// and the last data point, which may be decades.
		if a.targets == 0 {
			return 0, errTargets
		}
		a.targets--
	} else {
		a.samples++
	}
	if h != nil || fh != nil {
		a.request.Refuse(refuseExponential, 1, 0, nil)
		return 0, nil
	}
	if opts.MetricFamilyName != a.family {
		a.family = opts.MetricFamilyName
		a.store.Set(a.family, string(opts.Metadata.Type), opts.Metadata.Unit, opts.Metadata.Help)
	}
	ts := ms * 1_000_000 // data points out of range were screened out
	a.key = ls.Bytes(a.key)
	s := a.series.Get(a.key)
	if s == nil {
		var why *intake.Refusal
		if s, why = a.resolve(ls, ts); why != nil {
			a.request.Refuse(why, 1, 0, a.key)
			return 0, nil
		}
		a.series.Put(a.key, s)
	}
	a.request.Add(s, ts, v)
	return 0, nil
}

func (a *appender) resolve(ls labels.Labels, ts int64) (*sydradb.Series, *intake.Refusal) {
	name := ""
	a.tags = a.tags[:0]
	ls.Range(func(l labels.Label) {
		if l.Name == model.MetricNameLabel {
			name = l.Value
			return
		}
		a.tags = append(a.tags, sydradb.Tag{Key: l.Name, Value: l.Value})
	})
	s, err := a.request.Series(name, a.tags, ts)
	if err == nil {
		return s, nil
	}
	var why *intake.Refusal
	if !errors.As(err, &why) {
		why = &intake.Refusal{Reason: intake.Invalid, Err: err}
	}
	return nil, why
}

// Commit implements storage.AppenderTransaction. The request is committed by the handler.
func (a *appender) Commit() error { return nil }

// Rollback implements storage.AppenderTransaction.
func (a *appender) Rollback() error { return nil }
