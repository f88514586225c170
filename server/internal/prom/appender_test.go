package prom

import (
	"context"
	"errors"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/dbtest"
)

// testStorage is a database with the appenders that Prometheus' tests write through.
type testStorage struct {
	*queryable
	t testing.TB
}

func newTestStorage(t testing.TB) storage.Storage {
	return &testStorage{newQueryable(dbtest.Open(t, sydradb.Options{}), Limits{}, nil), t}
}

func (s *testStorage) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return &appender{ctx: ctx, db: s.db, batch: s.db.NewBatch()}
}

func (s *testStorage) Appender(ctx context.Context) storage.Appender {
	return &appenderV1{appender{ctx: ctx, db: s.db, batch: s.db.NewBatch()}}
}

func (*testStorage) StartTime() (int64, error) { return 0, nil }

func (s *testStorage) Close() error { return s.db.Close() }

var errOnlyFloats = errors.New("only floats are stored")

// appender writes one batch.
type appender struct {
	ctx   context.Context
	db    *sydradb.DB
	batch *sydradb.Batch
}

func (a *appender) Append(_ storage.SeriesRef, l labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, _ storage.AppendV2Options) (storage.SeriesRef, error) {
	if st != 0 || h != nil || fh != nil {
		return 0, errOnlyFloats
	}
	var tags []sydradb.Tag
	l.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel {
			tags = append(tags, sydradb.Tag{Key: l.Name, Value: l.Value})
		}
	})
	s, err := a.db.Series(l.Get(model.MetricNameLabel), tags...)
	if err != nil {
		return 0, err
	}
	a.batch.Add(s, t*nsPerMS, v)
	return storage.SeriesRef(s.ID()), nil
}

func (a *appender) Commit() error { return a.db.Write(a.ctx, a.batch) }

func (*appender) Rollback() error { return nil }

// appenderV1 is the same with the interface of before.
type appenderV1 struct{ appender }

func (a *appenderV1) Append(ref storage.SeriesRef, l labels.Labels, t int64, v float64) (storage.SeriesRef, error) {
	return a.appender.Append(ref, l, 0, t, v, nil, nil, storage.AppendV2Options{})
}

func (*appenderV1) SetOptions(*storage.AppendOptions) {}

func (*appenderV1) AppendExemplar(storage.SeriesRef, labels.Labels, exemplar.Exemplar) (storage.SeriesRef, error) {
	return 0, errOnlyFloats
}

func (*appenderV1) AppendHistogram(storage.SeriesRef, labels.Labels, int64, *histogram.Histogram, *histogram.FloatHistogram) (storage.SeriesRef, error) {
	return 0, errOnlyFloats
}

func (*appenderV1) AppendHistogramSTZeroSample(storage.SeriesRef, labels.Labels, int64, int64, *histogram.Histogram, *histogram.FloatHistogram) (storage.SeriesRef, error) {
	return 0, errOnlyFloats
}

func (*appenderV1) UpdateMetadata(storage.SeriesRef, labels.Labels, metadata.Metadata) (storage.SeriesRef, error) {
	return 0, errOnlyFloats
}

func (*appenderV1) AppendSTZeroSample(storage.SeriesRef, labels.Labels, int64, int64) (storage.SeriesRef, error) {
	return 0, errOnlyFloats
}
