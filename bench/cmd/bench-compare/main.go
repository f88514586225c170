// Command bench-compare races this engine with its peers and writes the report. Build it
// with the tag peers, or it races alone: see bench/README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/sydradb/sydradb/bench/engine/all"
	"github.com/sydradb/sydradb/bench/meter"
	"github.com/sydradb/sydradb/bench/race"
	"github.com/sydradb/sydradb/bench/report"
	"github.com/sydradb/sydradb/bench/workload"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench-compare:", err)
		os.Exit(1)
	}
}

func run() error {
	var plan race.Plan
	engines := flag.String("engine", "", "engines, with commas between them; all by default")
	workloads := flag.String("workload", "", "workloads: w1, w2, w3, year, node, devops; all by default")
	phases := flag.String("phase", "", "phases; those that they need are run too; all by default")
	worker := flag.String("worker", "", "do one task, for the program itself")
	flag.IntVar(&plan.Runs, "runs", 3, "runs of each")
	flag.IntVar(&plan.Batch, "batch", 2000, "points that are written at a time")
	flag.IntVar(&plan.Procs, "procs", 1, "GOMAXPROCS of the workers")
	flag.StringVar(&plan.Dir, "dir", "", "directory for the databases; that for temporary files by default")
	flag.BoolVar(&plan.Small, "small", false, "small workloads, to try things out")
	flag.StringVar(&plan.Profiles, "profiles", "", "directory for a processor profile of each worker")
	out := flag.String("out", "", "directory for the report; none is written by default")
	again := flag.Bool("rewrite", false, "do not race: write the report in -out again, from its results.json")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("what is %q?", flag.Arg(0))
	}
	if *worker != "" {
		return race.Work(all.Kinds(), *worker, os.Stdout)
	}
	if *again {
		r, err := report.Read(*out)
		if err != nil {
			return err
		}
		return r.Write(*out)
	}
	if plan.Runs < 1 || plan.Batch < 1 || plan.Procs < 1 {
		return errors.New("runs, batch and procs are at least 1")
	}
	if err := meter.Check(); err != nil {
		return err
	}
	var err error
	if plan.Kinds, err = all.Named(*engines); err != nil {
		return err
	}
	if plan.Workloads, err = workload.Named(*workloads, plan.Small); err != nil {
		return err
	}
	if *phases != "" {
		plan.Phases = strings.Split(*phases, ",")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	plan.Start = func(ctx context.Context, text string) *exec.Cmd {
		return exec.CommandContext(ctx, self, "-worker", text)
	}
	plan.Log = os.Stderr
	if *out != "" {
		plan.Save = func(results []race.Result) error { return report.New(&plan, results).Write(*out) }
	}
	_, err = plan.Run()
	return err
}
