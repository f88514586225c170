package engine

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// A panic while a batch is written ends the process and says where it arose, whether the loop
// writes or a caller who recovers panics, as handlers of net/http do: what it left behind is in
// an unknown state.
func TestPanicEndsTheProcess(t *testing.T) {
	const variable = "SYDRADB_TEST_PANIC"
	if how := os.Getenv(variable); how != "" {
		panicWhileWriting(t, how == "caller")
		return
	}
	for _, how := range []string{"caller", "loop"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestPanicEndsTheProcess$")
		cmd.Env = append(os.Environ(), variable+"="+how)
		out, err := cmd.CombinedOutput()
		code := cmd.ProcessState.ExitCode()
		if code != 2 || !strings.Contains(string(out), "panic: a mistake of ours") || !strings.Contains(string(out), "panicWhileWriting.func") {
			t.Errorf("%s: the process ended with %d, %v:\n%s", how, code, err, out)
		}
	}
}

// panicWhileWriting has the log panic under a caller who recovers.
func panicWhileWriting(t *testing.T, standIn bool) {
	fs := fsys.NewMem()
	e := openTest(t, fs, Options{})
	s := resolve(t, e, "s")
	put(t, e, s, 1, 1)
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		if op.Kind == fsys.OpWrite {
			panic("a mistake of ours")
		}
		return fsys.Fault{}
	})
	ctx := context.Background()
	if !standIn {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { _ = recover() }()
		_, _ = e.Write(ctx, []base.Row{{TS: 2, Ordinal: s.Ordinal()}}, nil)
	}()
	<-ended
	os.Exit(0) // nothing has ended the process
}
