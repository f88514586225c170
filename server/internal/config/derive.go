package config

import (
	"cmp"
	"time"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/web"
)

// Memory is how mem_limit_bytes is shared, in bytes.
type Memory struct {
	Memtable int64 // each of the two that can exist at a time
	Cache    int64
	Bodies   int64 // of requests, all together
	Query    int64 // each of those that can run at a time
}

// Memory returns the shares: without mem_limit_bytes the limits that each has of its own.
// With it, half is for the two memtables, a quarter for the queries, and an eighth each
// for the cache and for bodies of requests. No share is larger than its own limit.
func (c *Config) Memory() Memory {
	m := Memory{int64(c.MemtableBytes), int64(c.CacheBytes), int64(c.MaxBodiesBytes), int64(c.QueryMemoryBytes)}
	if limit := int64(c.MemLimitBytes); limit > 0 {
		m.Memtable = min(m.Memtable, limit/4)
		m.Cache = min(m.Cache, limit/8)
		m.Bodies = min(m.Bodies, limit/8)
		m.Query = min(m.Query, limit/4/int64(c.querySlots()))
	}
	return m
}

// querySlots returns how many queries can run at a time.
func (c *Config) querySlots() int { return cmp.Or(c.QuerySlots, web.DefaultLimits().QuerySlots) }

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
		ReserveBytes:    int64(c.ReserveBytes),
		MaxSeries:       c.MaxSeries,
	}
	if c.ReserveBytes == 0 {
		opts.ReserveBytes = -1
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
	l.BodiesBytes = c.Memory().Bodies
	l.IngestSlots = cmp.Or(c.IngestSlots, l.IngestSlots)
	l.IngestWait = time.Duration(c.IngestWait)
	l.QuerySlots = c.querySlots()
	l.QueryWait = time.Duration(c.QueryWait)
	l.DrainTimeout = time.Duration(c.DrainTimeout)
	return l
}
