//go:build peers

// Package sqlite races SQLite, in its translation to Go, with the schema that a program
// would choose that reads single series and looks series up by tags.
package sqlite

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // registers the driver

	"github.com/sydradb/sydradb/bench/engine"
)

// Kind is SQLite.
var Kind = &engine.Kind{
	Name:       "sqlite",
	Module:     "modernc.org/sqlite",
	Durability: "in the log, written to the system: kill -9 loses nothing, a power cut what came after the last checkpoint (WAL, synchronous=NORMAL)",
	Settings: "journal_mode=WAL, synchronous=NORMAL, a cache of 64 MiB, a checkpoint every 16 MiB; a transaction for each batch; " +
		"points without rowid by (series, ts), tags by (key, value, series)",
	Open: open,
	Disk: disk,
	Once: true,
	Skips: map[string]string{
		"w1":     "it writes 75 GB: a page of 4 KiB for each point to the log, and again to the file",
		"memory": "it keeps no series there",
	},
}

const schema = `
CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tags (key TEXT, value TEXT, series INTEGER, PRIMARY KEY (key, value, series)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS points (series INTEGER, ts INTEGER, value REAL, PRIMARY KEY (series, ts)) WITHOUT ROWID;`

// rows is how many points one statement inserts.
const rows = 50

type db struct {
	*sql.DB
	tx     *sql.Tx // in which series are registered; nil if there is none
	series int64   // registered so far: the ids are the numbers from 1
	stored int64   // series that the database had when it was opened

	insert, insertMany *sql.Stmt
	arguments          []any
}

func open(dir string, _ engine.Options) (engine.Engine, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(dir, "points.sqlite"))+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=cache_size(-65536)&_pragma=wal_autocheckpoint(4096)")
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	d := &db{DB: pool}
	if err := d.prepare(); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return d, nil
}

func (db *db) prepare() error {
	_, err := db.Exec(schema)
	if err != nil {
		return err
	}
	if err := db.QueryRow("SELECT coalesce(max(id), 0) FROM series").Scan(&db.stored); err != nil {
		return err
	}
	const into = "INSERT OR REPLACE INTO points VALUES "
	if db.insert, err = db.Prepare(into + "(?,?,?)"); err != nil {
		return err
	}
	db.insertMany, err = db.Prepare(into + strings.TrimSuffix(strings.Repeat("(?,?,?),", rows), ","))
	return err
}

// Register implements engine.Engine. A series that is stored already has its number for
// its id: the race registers the same series in the same order each time.
func (db *db) Register(name string, tags []engine.Tag) (err error) {
	db.series++
	if db.series <= db.stored {
		return nil
	}
	if db.tx == nil {
		if db.tx, err = db.Begin(); err != nil {
			return err
		}
	}
	if _, err := db.tx.Exec("INSERT INTO series VALUES (?,?)", db.series, name); err != nil {
		return err
	}
	for _, t := range tags {
		if _, err := db.tx.Exec("INSERT INTO tags VALUES (?,?,?)", t.Key, t.Value, db.series); err != nil {
			return err
		}
	}
	return nil
}

// Write implements engine.Engine.
func (db *db) Write(points []engine.Point) (rejected int, err error) {
	tx := db.tx
	db.tx = nil
	if tx == nil {
		if tx, err = db.Begin(); err != nil {
			return 0, err
		}
	}
	many, one := tx.Stmt(db.insertMany), tx.Stmt(db.insert)
	for len(points) > 0 && err == nil {
		n, statement := 1, one
		if len(points) >= rows {
			n, statement = rows, many
		}
		db.arguments = db.arguments[:0]
		for _, p := range points[:n] {
			db.arguments = append(db.arguments, int64(p.Series)+1, p.TS, p.Value)
		}
		_, err = statement.Exec(db.arguments...)
		points = points[n:]
	}
	if err != nil {
		return 0, errors.Join(err, tx.Rollback())
	}
	return 0, tx.Commit()
}

// Flush implements engine.Engine: the log goes to the file.
func (db *db) Flush() error {
	_, err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}

// Compact implements engine.Engine.
func (db *db) Compact() error {
	if _, err := db.Exec("VACUUM"); err != nil {
		return err
	}
	return db.Flush()
}

// Forget implements engine.Engine: there are only numbers.
func (db *db) Forget() {}

// Close implements engine.Engine.
func (db *db) Close() error {
	if db.tx != nil { // nothing was written
		if err := db.tx.Rollback(); err != nil {
			return err
		}
	}
	return db.DB.Close()
}

// Disk of a database: points and what finds them share a file.
func disk(dir string) (engine.Disk, error) {
	return engine.Files(dir, func(file string) engine.Part {
		if strings.HasSuffix(file, "-wal") || strings.HasSuffix(file, "-shm") {
			return engine.Log
		}
		return engine.Data
	})
}
