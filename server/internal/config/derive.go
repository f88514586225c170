package config

import (
	"time"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/web"
)

// Memory is how mem_limit_bytes is shared.
type Memory struct {
	Memtable, Cache, Bodies int64 // bytes; two memtables can exist at a time
	QuerySamples            int   // in memory for one query
}

// sampleBytes is what a sample in memory takes.
const sampleBytes = 16

// Memory returns the shares: without mem_limit_bytes the limits that each has of its own.
// With it, an eighth each is for the cache and for request bodies, half is for the two
// memtables, and a quarter for queries. No share is larger than its own limit.
func (c *Config) Memory() Memory {
	m := Memory{int64(c.MemtableBytes), int64(c.CacheBytes), int64(c.MaxBodiesBytes), c.QueryMaxSamples}
	if limit := int64(c.MemLimitBytes); limit > 0 {
		m.Memtable = min(m.Memtable, limit/4)
		m.Cache = min(m.Cache, limit/8)
		m.Bodies = min(m.Bodies, limit/8)
		m.QuerySamples = min(m.QuerySamples, max(int(limit/4)/sampleBytes/c.Limits().QuerySlots, 1000))
	}
	return m
}

// Options returns what the database is opened with, but for the Logger.
func (c *Config) Options() sydradb.Options {
	memory := c.Memory()
	opts := sydradb.Options{
		SyncInterval:    time.Duration(c.FsyncIntervalMS) * time.Millisecond,
		MemtableBytes:   memory.Memtable,
		FlushInterval:   time.Duration(c.FlushIntervalMS) * time.Millisecond,
		CacheBytes:      memory.Cache,
		MaxSegmentFiles: c.MaxSegmentFiles,
		SegmentCodec1:   c.SegmentCodec == 1,
		Retention:       time.Duration(c.RetentionDays),
		MaxDiskBytes:    int64(c.MaxDiskBytes),
		MaxSeries:       c.MaxSeries,
	}
	if c.CacheBytes == 0 {
		opts.CacheBytes = -1
	}
	switch c.MaxSegmentFiles {
	case 0:
		opts.MaxSegmentFiles = sydradb.AlwaysPack
	case -1:
		opts.MaxSegmentFiles = sydradb.NeverPack
	}
	switch c.Fsync {
	case "always":
		opts.Sync = sydradb.SyncAlways
	case "none":
		opts.Sync = sydradb.SyncNone
	}
	if len(c.Retention) > 0 {
		opts.NamespaceRetention = make(map[string]time.Duration, len(c.Retention))
		for namespace, days := range c.Retention {
			opts.NamespaceRetention[namespace] = time.Duration(days)
		}
	}
	return opts
}

// Limits returns the limits of the HTTP frame, defaults filled in.
func (c *Config) Limits() web.Limits {
	l := web.DefaultLimits()
	l.HeaderTimeout = time.Duration(c.HeaderTimeout)
	l.HeaderBytes = int(c.MaxHeaderBytes)
	l.BodyTimeout = time.Duration(c.BodyTimeout)
	l.BodyGrace = time.Duration(c.BodyGrace)
	l.BodyRate = int(c.BodyMinRateBytes)
	l.WriteTimeout = time.Duration(c.WriteTimeout)
	l.IdleTimeout = time.Duration(c.IdleTimeout)
	l.Connections = c.MaxConnections
	l.WireBytes = int64(c.MaxBodyBytes)
	l.DecodedBytes = int64(c.MaxDecodedBytes)
	l.QueryBytes = int64(c.MaxQueryBodyBytes)
	l.BodiesBytes = int64(c.MaxBodiesBytes)
	if c.MemLimitBytes > 0 {
		l.BodiesBytes = min(l.BodiesBytes, int64(c.MemLimitBytes)/8)
	}
	if c.IngestSlots > 0 {
		l.IngestSlots = c.IngestSlots
	}
	l.IngestWait = time.Duration(c.IngestWait)
	if c.QuerySlots > 0 {
		l.QuerySlots = c.QuerySlots
	}
	l.DrainTimeout = time.Duration(c.DrainTimeout)
	return l
}
