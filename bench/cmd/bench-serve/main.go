// Command bench-serve loads SydraDB's server, and others beside it, over HTTP, measures
// what that costs them and writes the report: see bench/README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/sydradb/sydradb/bench/report"
	"github.com/sydradb/sydradb/bench/serve"
	"github.com/sydradb/sydradb/bench/target"
	"github.com/sydradb/sydradb/bench/wire"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench-serve:", err)
		os.Exit(1)
	}
}

func run() error {
	plan := serve.Plan{Log: os.Stderr}
	program := flag.String("server", "bin/sydradb", "SydraDB's program")
	more := flag.String("serve", "", "more arguments of it, with spaces between them")
	peers := flag.String("peers", "", "other servers: prometheus=program, victoriametrics=program, with commas between them")
	formats := flag.String("format", "line,remote1,remote2", "line, line-gzip, remote1, remote2")
	phases := flag.String("phase", strings.Join(serve.Phases, ","), "what to measure")
	flag.IntVar(&plan.Hosts, "hosts", 500, "hosts, of ten series each")
	hours := flag.Int("hours", 13, "hours of points at 10 s")
	flag.IntVar(&plan.Each, "each", 0, "series in a request; 0 is 5,000 by line protocol, 2,000 by remote write")
	flag.IntVar(&plan.Clients, "clients", 3, "connections that load at the same time, each with series of its own")
	flag.IntVar(&plan.Flood, "flood", 16, "connections that flood at the same time")
	flag.IntVar(&plan.Runs, "runs", 3, "runs of each")
	flag.IntVar(&plan.Procs, "procs", 0, "GOMAXPROCS of the server while it is loaded; 0 is its default")
	flag.IntVar(&plan.Asks, "asks", 20, "times that each question is asked, at least")
	flag.StringVar(&plan.Dir, "dir", "", "directory for the databases; that for temporary files by default")
	out := flag.String("out", "", "directory for SERVE.md and serve.json; none is written by default")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("what is %q?", flag.Arg(0))
	}
	if plan.Hosts < 1 || *hours < 1 || plan.Clients < 1 || plan.Flood < 1 || plan.Runs < 1 || plan.Asks < 1 {
		return errors.New("hosts, hours, clients, flood, runs and asks are at least 1")
	}
	plan.Steps = *hours * 360
	plan.Phases = strings.Split(*phases, ",")
	for name := range strings.SplitSeq(*formats, ",") {
		f, err := wire.Named(name)
		if err != nil {
			return err
		}
		plan.Formats = append(plan.Formats, f)
	}
	var err error
	if plan.Kinds, err = target.Kinds(*program, *peers, strings.Fields(*more)...); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	results, err := plan.Run(ctx)
	if err == nil && *out != "" {
		err = report.NewServe(&plan, results).Write(*out)
	}
	return err
}
