// Package sydra races SydraDB, by its public API alone.
package sydra

import (
	"context"
	"errors"
	"path"
	"path/filepath"
	"time"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/bench/engine"
)

// Kind is SydraDB.
var Kind = &engine.Kind{
	Name:   "sydradb",
	Module: "github.com/sydradb/sydradb",
	Durability: "in the log, written to the system: kill -9 loses nothing, a power cut the last second " +
		"(Sync: interval, the default)",
	Settings: "none; a memtable of 2 GiB where all points are to stay in the log",
	Open:     open,
	Disk:     disk,
}

// ms is a millisecond in the engine's unit of time.
const ms = int64(time.Millisecond)

type db struct {
	*sydradb.DB
	ctx    context.Context
	batch  *sydradb.Batch
	series []*sydradb.Series
	tags   []sydradb.Tag
}

func open(dir string, o engine.Options) (engine.Engine, error) {
	var options sydradb.Options
	if o.HoldAll {
		options = sydradb.Options{MemtableBytes: 2 << 30, FlushInterval: time.Hour}
	}
	d, err := sydradb.Open(dir, &options)
	if err != nil {
		return nil, err
	}
	return &db{DB: d, ctx: context.Background(), batch: d.NewBatch()}, nil
}

// Register implements engine.Engine.
func (db *db) Register(name string, tags []engine.Tag) error {
	db.tags = db.tags[:0]
	for _, t := range tags {
		db.tags = append(db.tags, sydradb.Tag(t))
	}
	s, err := db.Series(name, db.tags...)
	db.series = append(db.series, s)
	return err
}

// Write implements engine.Engine. The engine stores a batch whole or not at all.
func (db *db) Write(points []engine.Point) (rejected int, err error) {
	db.batch.Reset()
	for i := range points {
		p := &points[i]
		db.batch.Add(db.series[p.Series], p.TS*ms, p.Value)
	}
	err = db.DB.Write(db.ctx, db.batch)
	var refused *sydradb.PointError
	if errors.As(err, &refused) {
		return len(points), nil
	}
	return 0, err
}

// Flush implements engine.Engine.
func (db *db) Flush() error { return db.DB.Flush(db.ctx) }

// Compact implements engine.Engine.
func (db *db) Compact() error { return db.DB.Compact(db.ctx) }

// Forget implements engine.Engine.
func (db *db) Forget() { db.series, db.batch = nil, db.NewBatch() }

// Disk of a database: the index of a pack stands in the pack itself.
func disk(dir string) (engine.Disk, error) {
	var packs []string
	sum, err := engine.Files(dir, func(file string) engine.Part {
		switch {
		case path.Ext(file) == ".pack":
			packs = append(packs, file)
			return engine.Data
		case path.Ext(file) == ".seg":
			return engine.Data
		case path.Dir(file) == "wal":
			return engine.Log
		}
		return engine.Index
	})
	if err != nil {
		return sum, err
	}
	for _, file := range packs {
		bytes, err := packIndex(filepath.Join(dir, filepath.FromSlash(file)))
		if err != nil {
			return sum, err
		}
		sum.Add(engine.Data, -bytes)
		sum.Add(engine.Index, bytes)
	}
	return sum, nil
}

// packIndex returns how many bytes of a pack are its index.
func packIndex(file string) (int64, error) {
	for record, err := range sydradb.Inspect(sydradb.FilePack, file) {
		if err != nil {
			return 0, err
		}
		for _, f := range record.Fields {
			if bytes, ok := f.Value.(int64); ok && f.Name == "index_bytes" {
				return bytes, nil
			}
		}
		break
	}
	return 0, errors.New(file + ": no index")
}
