package engine

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sydradb/sydradb/internal/base"
	"github.com/sydradb/sydradb/internal/fsys"
)

// A panic while a batch is written ends the process and says where it arose, whether the loop
// writes or a caller who recovers panics, as handlers of net/http do: what it left behind is in
// an unknown state. So does a caller's goroutine that ends.
func TestPanicEndsTheProcess(t *testing.T) {
	const variable = "SYDRADB_TEST_PANIC"
	if how := os.Getenv(variable); how != "" {
		endWhileWriting(t, how)
		return
	}
	const inCaller = "in a caller that stood in for the writer"
	for how, want := range map[string]string{"panic": "panic: a mistake of ours, " + inCaller, "goexit": inCaller, "loop": "panic: a mistake of ours\n"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestPanicEndsTheProcess$")
		cmd.Env = append(os.Environ(), variable+"="+how, "GOTRACEBACK=all")
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(string(out), want) || !strings.Contains(string(out), "endWhileWriting.func") {
			t.Errorf("%s: the process ended with %d, %v:\n%s", how, code, err, out)
		}
	}
}

// endWhileWriting has a write end in the middle, under a caller who recovers.
func endWhileWriting(t *testing.T, how string) {
	fs := fsys.NewMem()
	e := openTest(t, fs, Options{})
	s := resolve(t, e, "s")
	put(t, e, s, 1, 1)
	fs.SetHook(func(op fsys.Op) fsys.Fault {
		switch {
		case op.Kind != fsys.OpWrite:
		case how == "goexit":
			runtime.Goexit()
		default:
			panic("a mistake of ours")
		}
		return fsys.Fault{}
	})
	ctx := context.Background()
	if how == "loop" {
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
