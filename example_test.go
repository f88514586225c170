package sydradb_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/sydradb/sydradb"
)

// A database in memory, for tests and examples. Leave InMemory out to keep the data in
// the directory.
func Example() {
	db, err := sydradb.Open("", &sydradb.Options{InMemory: true})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()

	// Resolve each series once; the handle is good for any number of points.
	kitchen, err := db.Series("room.temp", sydradb.Tag{Key: "room", Value: "kitchen"}, sydradb.Tag{Key: "floor", Value: "2"})
	if err != nil {
		log.Fatal(err)
	}
	start := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	batch := db.NewBatch()
	for i := range 3 {
		batch.Add(kitchen, start.Add(time.Duration(i)*time.Minute).UnixNano(), 21.5+float64(i)/10)
	}
	if err := db.Write(ctx, batch); err != nil {
		log.Fatal(err)
	}

	selector, err := sydradb.ParseSelector(`room.temp{floor="2"}`)
	if err != nil {
		log.Fatal(err)
	}
	it, err := db.Query(ctx, sydradb.Query{Selector: selector, Start: sydradb.MinTime, End: sydradb.MaxTime})
	if err != nil {
		log.Fatal(err)
	}
	defer it.Close()
	for it.Next() {
		block := it.Block()
		fmt.Println(block.Series)
		for i, ts := range block.Times {
			fmt.Println(time.Unix(0, ts).UTC().Format(time.TimeOnly), block.Values[i])
		}
	}
	if err := it.Err(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// room.temp{floor="2",room="kitchen"}
	// 12:00:00 21.5
	// 12:01:00 21.6
	// 12:02:00 21.7
}

// Points are there again after the database was closed and opened, in any order and
// with the last write winning.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "sydradb")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()

	write := func(ts int64, value float64) {
		db, err := sydradb.Open(filepath.Join(dir, "data"), &sydradb.Options{Sync: sydradb.SyncAlways})
		if err != nil {
			log.Fatal(err)
		}
		defer db.Close()
		series, err := db.Series("tank.level")
		if err != nil {
			log.Fatal(err)
		}
		batch := db.NewBatch()
		batch.Add(series, ts, value)
		if err := db.Write(ctx, batch); err != nil {
			log.Fatal(err)
		}
	}
	write(2000, 7)
	write(1000, 5) // late
	write(2000, 8) // a correction

	db, err := sydradb.Open(filepath.Join(dir, "data"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	it, err := db.Query(ctx, sydradb.Query{Start: sydradb.MinTime, End: sydradb.MaxTime})
	if err != nil {
		log.Fatal(err)
	}
	defer it.Close()
	for it.Next() {
		fmt.Println(it.Block().Times, it.Block().Values)
	}
	// Output:
	// [1000 2000] [5 8]
}

// One process owns a directory.
func ExampleOpen_locked() {
	dir, err := os.MkdirTemp("", "sydradb")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := sydradb.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	_, err = sydradb.Open(dir, nil)
	fmt.Println(errors.Is(err, sydradb.ErrLocked))
	// Output: true
}

// Find lists series that have points in a range, by tags.
func ExampleDB_Find() {
	db, err := sydradb.Open("", &sydradb.Options{InMemory: true})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	batch := db.NewBatch()
	for _, host := range []string{"a", "b", "c"} {
		series, err := db.Series("cpu.load", sydradb.Tag{Key: "host", Value: host})
		if err != nil {
			log.Fatal(err)
		}
		batch.Add(series, 1, 0.5)
	}
	if err := db.Write(context.Background(), batch); err != nil {
		log.Fatal(err)
	}
	selector, err := sydradb.ParseSelector(`cpu.load{host=~"a|c"}`)
	if err != nil {
		log.Fatal(err)
	}
	found, err := db.Find(context.Background(), selector, sydradb.MinTime, sydradb.MaxTime)
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range found {
		fmt.Println(s)
	}
	// Output:
	// cpu.load{host="a"}
	// cpu.load{host="c"}
}

// Select captures series that are then read in any order: here the last first.
func ExampleDB_Select() {
	db, err := sydradb.Open("", &sydradb.Options{InMemory: true})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	batch := db.NewBatch()
	for i, host := range []string{"a", "b"} {
		series, err := db.Series("cpu.load", sydradb.Tag{Key: "host", Value: host})
		if err != nil {
			log.Fatal(err)
		}
		batch.Add(series, 1, float64(i))
		batch.Add(series, 2, float64(i)+0.5)
	}
	ctx := context.Background()
	if err := db.Write(ctx, batch); err != nil {
		log.Fatal(err)
	}
	selection, err := db.Select(ctx, sydradb.Query{})
	if err != nil {
		log.Fatal(err)
	}
	defer selection.Close()
	reader := selection.Reader()
	defer reader.Close()
	for i := selection.Len() - 1; i >= 0; i-- {
		reader.Open(i, sydradb.MinTime, sydradb.MaxTime)
		for {
			run, err := reader.Next(ctx)
			if err != nil {
				log.Fatal(err)
			}
			if len(run.Times) == 0 {
				break
			}
			fmt.Println(selection.Series(i), run.Times, run.Values)
		}
	}
	// Output:
	// cpu.load{host="b"} [1 2] [1 1.5]
	// cpu.load{host="a"} [1 2] [0 0.5]
}

// Aggregate computes values for windows of time: here the peak and the average of every
// ten minutes, of each floor.
func ExampleDB_Aggregate() {
	db, err := sydradb.Open("", &sydradb.Options{InMemory: true})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	start := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	batch := db.NewBatch()
	for n, room := range []string{"hall", "kitchen", "attic"} {
		series, err := db.Series("room.temp", sydradb.Tag{Key: "room", Value: room}, sydradb.Tag{Key: "floor", Value: fmt.Sprint(n / 2)})
		if err != nil {
			log.Fatal(err)
		}
		for minute := range 20 {
			batch.Add(series, start.Add(time.Duration(minute)*time.Minute).UnixNano(), float64(20+n*10+minute/10))
		}
	}
	if err := db.Write(ctx, batch); err != nil {
		log.Fatal(err)
	}

	results, err := db.Aggregate(ctx, sydradb.Aggregation{
		Start: sydradb.MinTime, End: sydradb.MaxTime,
		Step:      10 * time.Minute,
		Functions: []sydradb.Function{sydradb.Max, sydradb.Avg},
		GroupBy:   []string{"floor"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer results.Close()
	for results.Next() {
		r := results.Result()
		for i, ts := range r.Times {
			fmt.Println(r.Tags, time.Unix(0, ts).UTC().Format(time.TimeOnly), r.Values[0][i], r.Values[1][i])
		}
	}
	if err := results.Err(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// [{floor 0}] 12:00:00 30 25
	// [{floor 0}] 12:10:00 31 26
	// [{floor 1}] 12:00:00 40 40
	// [{floor 1}] 12:10:00 41 41
}
