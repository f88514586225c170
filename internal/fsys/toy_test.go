package fsys_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/fsys"
)

// The bugs that can be built into a toy. A crash model is worth what it finds.
const (
	noBug            = "none"
	noDirSync        = "directory not synced after the rename of the log"
	noTableDirSync   = "directory not synced after a new table"
	unlinkBeforeSync = "log removed before the manifest is synced"
	retrySync        = "failed sync tried again"
	ignoreShortWrite = "short write taken for a whole one"
)

// toy is a database of small numbers in the manner of the engine: a log, tables, and a
// manifest that names them. It stops at the first error.
type toy struct {
	fs       fsys.FS
	bug      string
	log      fsys.File
	manifest fsys.File
	inLog    []uint16
	tables   int
	sent     map[uint16]bool
	acked    map[uint16]bool
}

func newToy(mem *fsys.Mem, bug string) (*toy, error) {
	t := &toy{fs: mem, bug: bug, sent: map[uint16]bool{}, acked: map[uint16]bool{}}
	var err1, err2 error
	t.log, err1 = t.fs.Create("log")
	t.manifest, err2 = t.fs.Create("manifest")
	return t, errors.Join(err1, err2, t.fs.SyncDir(""))
}

func (t *toy) sync(f fsys.File) error {
	err := f.Sync()
	if err != nil && t.bug == retrySync {
		err = f.Sync()
	}
	return err
}

func (t *toy) put(key uint16) error {
	t.sent[key] = true
	record := binary.BigEndian.AppendUint16(nil, key)
	record = binary.BigEndian.AppendUint32(record, crc32.ChecksumIEEE(record))
	if n, err := t.log.Write(record); err != nil && !(t.bug == ignoreShortWrite && n > 0) {
		return err
	}
	if err := t.sync(t.log); err != nil {
		return err
	}
	t.acked[key] = true
	t.inLog = append(t.inLog, key)
	return nil
}

// flush moves what the log holds to a table and drops the log.
func (t *toy) flush() error {
	t.tables++
	table := fmt.Sprintf("table%d", t.tables)
	steps := []func() error{
		t.log.Close,
		func() error { return t.fs.Rename("log", "log.full") },
		t.syncDirUnless(noDirSync),
		func() (err error) { t.log, err = t.fs.Create("log"); return err },
		t.syncDirUnless(noDirSync),
		func() error { return fsys.WriteFileUnlisted(t.fs, table, []byte(fmt.Sprint(t.inLog))) },
		t.syncDirUnless(noTableDirSync),
		func() error {
			line := fmt.Sprintf("%s %08x\n", table, crc32.ChecksumIEEE([]byte(table)))
			_, err := t.manifest.Write([]byte(line))
			return err
		},
		func() error { return t.sync(t.manifest) },
		func() error { return t.fs.Remove("log.full") },
	}
	if last := len(steps) - 1; t.bug == unlinkBeforeSync {
		steps[last-1], steps[last] = steps[last], steps[last-1]
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	t.inLog = nil
	return nil
}

func (t *toy) syncDirUnless(bug string) func() error {
	if t.bug == bug {
		return func() error { return nil }
	}
	return func() error { return t.fs.SyncDir("") }
}

// recoverToy returns the keys that a directory holds.
func recoverToy(m *fsys.Mem) (map[uint16]bool, error) {
	keys := map[uint16]bool{}
	manifest, err := fsys.ReadFile(m, "manifest")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(manifest)) {
		table, sum, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !strings.HasSuffix(line, "\n") || sum != fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(table))) {
			break // torn
		}
		data, err := fsys.ReadFile(m, table)
		if err != nil {
			return nil, err
		}
		for _, field := range strings.Fields(strings.Trim(string(data), "[]")) {
			var key uint16
			if _, err := fmt.Sscan(field, &key); err != nil {
				return nil, err
			}
			keys[key] = true
		}
	}
	for _, log := range []string{"log.full", "log"} {
		data, err := fsys.ReadFile(m, log)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for ; len(data) >= 6 && crc32.ChecksumIEEE(data[:2]) == binary.BigEndian.Uint32(data[2:]); data = data[6:] {
			keys[binary.BigEndian.Uint16(data)] = true
		}
	}
	return keys, nil
}

// verify counts the power cuts at this moment after which an acknowledged key is gone
// or a key has come from nowhere.
func (t *toy) verify(m *fsys.Mem, seed uint64) (failures int) {
	rng := newRand(seed)
	for _, keep := range []int{0, 30, 50, 70, 100} {
		for range 3 {
			keys, err := recoverToy(m.CrashClone(rng, keep))
			bad := err != nil
			for key := range t.acked {
				bad = bad || !keys[key]
			}
			for key := range keys {
				bad = bad || !t.sent[key]
			}
			if bad {
				failures++
			}
		}
	}
	return failures
}

// runToy works on a toy, cuts the power before each operation and, if fail is not
// negative, has the operation of that number fail. It returns how many operations
// there were and how many power cuts broke the promise.
func runToy(bug string, fail int) (ops, failures int) {
	m := fsys.NewMem()
	t, err := newToy(m, bug)
	if err != nil {
		panic(err)
	}
	m.SetHook(func(op fsys.Op) fsys.Fault {
		if !op.Kind.Mutates() {
			return fsys.Fault{}
		}
		failures += t.verify(m, uint64(ops))
		ops++
		if ops-1 == fail {
			return fsys.Fault{Err: errInjected, Written: op.Len / 2}
		}
		return fsys.Fault{}
	})
	for key := uint16(1); key <= 12; key++ {
		err := t.put(key)
		if err == nil && key%4 == 0 {
			err = t.flush()
		}
		if err != nil {
			break
		}
	}
	m.SetHook(nil)
	return ops, failures + t.verify(m, uint64(ops))
}

func TestCrashModelFindsPlantedBugs(t *testing.T) {
	for _, bug := range []string{noBug, noDirSync, noTableDirSync, unlinkBeforeSync, retrySync, ignoreShortWrite} {
		t.Run(bug, func(t *testing.T) {
			ops, failures := runToy(bug, -1)
			for fail := range ops {
				_, n := runToy(bug, fail)
				failures += n
			}
			t.Logf("%d operations, %d power cuts broke the promise", ops, failures)
			if (failures > 0) != (bug != noBug) {
				t.Errorf("%d failures", failures)
			}
		})
	}
}
