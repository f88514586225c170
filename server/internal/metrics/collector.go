package metrics

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/node"
	"github.com/sydradb/sydradb/server/internal/web"
)

// Sources are what is asked when somebody scrapes. All of them are required, and must be
// safe for concurrent use.
type Sources struct {
	DB     func() *sydradb.DB // nil until it is open
	Status func() node.Status
	Load   func() web.Load
	// Namespaces are those that have a retention of their own.
	Namespaces []string
}

// Watch adds the metrics of a server's parts. It is called once; the error is about a
// second time.
func (m *Metrics) Watch(s Sources) error { return m.registry.Register(&collector{s}) }

// collector reads Sources when it is asked for metrics.
type collector struct{ Sources }

// metric is one value of the database's statistics.
type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*sydradb.Stats) float64
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

func gauge(name, help string, value func(*sydradb.Stats) float64) metric {
	return metric{desc(name, help), prometheus.GaugeValue, value}
}

func counter(name, help string, value func(*sydradb.Stats) float64) metric {
	return metric{desc(name, help), prometheus.CounterValue, value}
}

// values are those of the database.
var values = []metric{
	gauge("sydradb_series", "Series that have points.", func(s *sydradb.Stats) float64 { return float64(s.Series) }),

	gauge("sydradb_memtable_points", "Points that are not in segment files yet.", func(s *sydradb.Stats) float64 { return float64(s.MemtablePoints) }),
	gauge("sydradb_memtable_bytes", "Memory that they take.", func(s *sydradb.Stats) float64 { return float64(s.MemtableBytes) }),
	gauge("sydradb_segment_files", "Segment files, packs included.", func(s *sydradb.Stats) float64 { return float64(s.SegmentFiles) }),
	gauge("sydradb_pack_files", "Segment files that hold many series.", func(s *sydradb.Stats) float64 { return float64(s.Packs) }),
	gauge("sydradb_segment_points", "Points in segment files; those written twice count twice.", func(s *sydradb.Stats) float64 { return float64(s.SegmentPoints) }),
	gauge("sydradb_segment_bytes", "Size of the segment files.", func(s *sydradb.Stats) float64 { return float64(s.SegmentBytes) }),
	gauge("sydradb_deletions", "Deletions that still hide points in files.", func(s *sydradb.Stats) float64 { return float64(s.Deletions) }),
	gauge("sydradb_catalog_bytes", "Size of the catalog of series.", func(s *sydradb.Stats) float64 { return float64(s.CatalogBytes) }),
	gauge("sydradb_manifest_bytes", "Size of the list of files.", func(s *sydradb.Stats) float64 { return float64(s.ManifestBytes) }),
	gauge("sydradb_disk_bytes", "Size of all files; 0 unless max_disk_bytes is set.", func(s *sydradb.Stats) float64 { return float64(s.DiskBytes) }),
	gauge("sydradb_reserve_bytes", "Size of the file that is given up when the disk is full; 0 while it is.", func(s *sydradb.Stats) float64 { return float64(s.ReserveBytes) }),

	gauge("sydradb_wal_bytes", "Size of the write-ahead log.", func(s *sydradb.Stats) float64 { return float64(s.WALBytes) }),
	gauge("sydradb_wal_last_lsn", "Number of the last record in the log.", func(s *sydradb.Stats) float64 { return float64(s.LastLSN) }),
	gauge("sydradb_wal_durable_lsn", "Number of the last record that is known to be on the disk.", func(s *sydradb.Stats) float64 { return float64(s.DurableLSN) }),
	gauge("sydradb_wal_flushed_lsn", "Number of the last record whose points are in segment files.", func(s *sydradb.Stats) float64 { return float64(s.FlushedLSN) }),
	gauge("sydradb_queue_batches", "Batches that wait for the log.", func(s *sydradb.Stats) float64 { return float64(s.QueueLength) }),
	gauge("sydradb_queue_bytes", "Size of the batches that wait for the log.", func(s *sydradb.Stats) float64 { return float64(s.QueueBytes) }),

	gauge("sydradb_flush_running", "1 while memory is written to segment files.", func(s *sydradb.Stats) float64 { return truth(s.Flushing) }),
	counter("sydradb_flush_failures_total", "Flushes that failed and were tried again.", func(s *sydradb.Stats) float64 { return float64(s.FlushesFailed) }),
	gauge("sydradb_merge_running", "1 while files are merged.", func(s *sydradb.Stats) float64 { return truth(s.Merging) }),
	counter("sydradb_merge_failures_total", "Merges that failed.", func(s *sydradb.Stats) float64 { return float64(s.MergesFailed) }),
	gauge("sydradb_damaged_files", "Files of points that were found damaged, or are missing, since the start.", func(s *sydradb.Stats) float64 { return float64(s.DamagedFiles) }),
	gauge("sydradb_overlapping_runs", "Most runs of files that overlap in time. Above 32, writers are slowed down.", func(s *sydradb.Stats) float64 { return float64(s.Crowding) }),
	counter("sydradb_retention_sweeps_total", "Sweeps of retention that let points expire.", func(s *sydradb.Stats) float64 { return float64(s.Sweeps) }),

	gauge("sydradb_cache_bytes", "Memory of verified file contents that are kept for reads.", func(s *sydradb.Stats) float64 { return float64(s.CacheBytes) }),
	counter("sydradb_cache_hits_total", "Reads that the cache answered.", func(s *sydradb.Stats) float64 { return float64(s.CacheHits) }),
	counter("sydradb_cache_misses_total", "Reads that went to a file.", func(s *sydradb.Stats) float64 { return float64(s.CacheMisses) }),
	counter("sydradb_blocks_decoded_total", "Blocks that queries decoded.", func(s *sydradb.Stats) float64 { return float64(s.BlocksDecoded) }),
	counter("sydradb_blocks_summed_total", "Blocks that their statistics stood for in queries.", func(s *sydradb.Stats) float64 { return float64(s.BlocksSummed) }),

	gauge("prometheus_tsdb_lowest_timestamp_seconds", "Time of the first point, rounded down, 2^63-1 if there is none; under the name that Thanos asks for.", lowest),
}

// lowest is rounded down, so that no point lies before it. Without points it is what
// Prometheus says of an empty head.
func lowest(s *sydradb.Stats) float64 {
	if s.Empty {
		return math.MaxInt64
	}
	second := s.Start / 1e9
	if s.Start%1e9 < 0 {
		second--
	}
	return float64(second)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// histograms are those of the database.
var histograms = []struct {
	desc  *prometheus.Desc
	value func(*sydradb.Stats) sydradb.Histogram
}{
	{desc("sydradb_wal_sync_duration_seconds", "How long syncs of the log took."), func(s *sydradb.Stats) sydradb.Histogram { return s.WALSync }},
	{desc("sydradb_flush_duration_seconds", "How long flushes of memory to segment files took."), func(s *sydradb.Stats) sydradb.Histogram { return s.Flush }},
	{desc("sydradb_merge_duration_seconds", "How long merges of files took."), func(s *sydradb.Stats) sydradb.Histogram { return s.Merge }},
}

// The metrics of other parts.
var (
	stateDesc    = desc("sydradb_state", "1 for the state that the server is in.", "state")
	doneDesc     = desc("sydradb_recovery_read_bytes", "How much of the log was read at the start.")
	totalDesc    = desc("sydradb_recovery_log_bytes", "How much of the log there is to read at the start.")
	slotsDesc    = desc("sydradb_http_slots_busy", "Requests that are served now and of which there may be only so many.", "slot")
	waitingDesc  = desc("sydradb_http_slots_waiting", "Requests that wait for a slot.", "slot")
	bodiesDesc   = desc("sydradb_http_body_bytes", "Memory that bodies of requests take.")
	horizonDesc  = desc("sydradb_retention_horizon_timestamp_seconds", "Time from which on points are kept; absent where nothing has expired.", "namespace")
	lastTimeDesc = desc("sydradb_last_point_timestamp_seconds", "Time of the last point; absent if there is none.")
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range values {
		out <- m.desc
	}
	for _, h := range histograms {
		out <- h.desc
	}
	for _, d := range []*prometheus.Desc{stateDesc, doneDesc, totalDesc, slotsDesc, waitingDesc, bodiesDesc, horizonDesc, lastTimeDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	put := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	status := c.Status()
	for _, state := range node.States() {
		put(stateDesc, truth(state == status.State), string(state))
	}
	put(doneDesc, float64(status.Recovery.Done))
	put(totalDesc, float64(status.Recovery.Total))
	load := c.Load()
	put(slotsDesc, float64(load.IngestBusy), "ingest")
	put(slotsDesc, float64(load.QueryBusy), "query")
	put(waitingDesc, float64(load.IngestWaiting), "ingest")
	put(waitingDesc, float64(load.QueryWaiting), "query")
	put(bodiesDesc, float64(load.BodiesBytes))

	db := c.DB()
	if db == nil {
		return
	}
	stats := db.Stats()
	for _, m := range values {
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(&stats))
	}
	for _, h := range histograms {
		out <- constHistogram(h.desc, h.value(&stats))
	}
	for _, namespace := range append([]string{""}, c.Namespaces...) {
		if horizon := db.Horizon(namespace); horizon > sydradb.MinTime {
			put(horizonDesc, float64(horizon)/1e9, namespace)
		}
	}
	if !stats.Empty {
		put(lastTimeDesc, float64(stats.End)/1e9)
	}
}

func constHistogram(d *prometheus.Desc, h sydradb.Histogram) prometheus.Metric {
	buckets := make(map[float64]uint64, len(h.Bounds))
	for i, bound := range h.Bounds {
		buckets[bound] = h.Counts[i]
	}
	return prometheus.MustNewConstHistogram(d, h.Count, h.Sum, buckets)
}
