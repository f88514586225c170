package fsys

import "fmt"

// OpKind is the kind of one operation on an FS or a File.
type OpKind uint8

// The kinds of operations. Those on a File carry the path it was opened by.
const (
	OpOpen OpKind = iota + 1
	OpCreate
	OpOpenAppend
	OpRename
	OpLink
	OpRemove
	OpMkdirAll
	OpList
	OpStat
	OpSyncDir
	OpLock
	OpSpace
	OpRead
	OpWrite
	OpTruncate
	OpSync
	OpSize
	OpClose
)

var opNames = [...]string{
	OpOpen: "open", OpCreate: "create", OpOpenAppend: "append-to", OpRename: "rename", OpLink: "link",
	OpRemove: "remove", OpMkdirAll: "mkdir", OpList: "list", OpStat: "stat", OpSyncDir: "sync-dir",
	OpLock: "lock", OpSpace: "space", OpRead: "read", OpWrite: "write", OpTruncate: "truncate",
	OpSync: "sync", OpSize: "size", OpClose: "close",
}

// String returns the name that traces show.
func (k OpKind) String() string {
	if int(k) < len(opNames) && opNames[k] != "" {
		return opNames[k]
	}
	return fmt.Sprintf("op(%d)", uint8(k))
}

// Mutates reports whether the operation may change what a power cut leaves: syncs do,
// reads and Close do not.
func (k OpKind) Mutates() bool {
	switch k {
	case OpCreate, OpRename, OpLink, OpRemove, OpMkdirAll, OpSyncDir, OpLock, OpWrite, OpTruncate, OpSync:
		return true
	}
	return false
}

// Op describes one operation, as a Hook or Trace sees it.
type Op struct {
	Kind    OpKind
	Path    string
	NewPath string // of Rename and Link
	Offset  int64  // where Read and Write start; the new size of Truncate
	Len     int    // bytes of Read and Write
}

// String returns one line without its end, fit for golden files: the kind, the path
// and what else is known.
func (o Op) String() string {
	if o.Path == "" {
		o.Path = "." // the root
	}
	switch o.Kind {
	case OpRename, OpLink:
		return fmt.Sprintf("%v %s %s", o.Kind, o.Path, o.NewPath)
	case OpRead, OpWrite:
		return fmt.Sprintf("%v %s at %d, %d bytes", o.Kind, o.Path, o.Offset, o.Len)
	case OpTruncate:
		return fmt.Sprintf("%v %s to %d", o.Kind, o.Path, o.Offset)
	}
	return fmt.Sprintf("%v %s", o.Kind, o.Path)
}

// Hook is called before every operation of a Mem, outside its locks, so that it may
// use the Mem itself: to take a CrashClone, say. It runs in the goroutine of the
// operation and may be called by several at once.
type Hook func(Op) Fault

// Fault is what a Hook wants to happen. The zero value lets the operation go on.
//
// With Err set the operation fails with it and is not done, but for these:
//
//   - Write stores the first Written bytes, Read delivers them;
//   - Sync, SyncDir and Close lie, as real systems do: what was dirty at that moment
//     is never made durable by a later sync, though reads show it still and the next
//     sync returns nil. Close does release its file.
type Fault struct {
	Err     error
	Written int
}
