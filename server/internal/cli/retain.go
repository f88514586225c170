package cli

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
	"github.com/sydradb/sydradb/server/internal/upkeep"
)

const retainExample = `  $ sydradb ingest points.ndjson 2>/dev/null
  $ sydradb retain --retention-days 30 --now
  SERIES  KEPT FROM
  all     ...Z
  $ sydradb query room.temp
  0 points of 0 series`

func (a *App) retainCommand() *cobra.Command {
	var (
		s   settings
		now bool
	)
	c := &cobra.Command{
		Use:   "retain",
		Short: "Let points expire that are older than retention keeps",
		Long: `Retain lets points expire that are older than --retention-days or, for series of a
namespace, --retention keep. They are in no answer from then on; files go when all they
hold has expired. It shows from when on points are kept now.

What has expired does not come back, also when a longer retention is given later. A
wrong clock must not decide that alone: after a step of the clock, or when it is far
ahead of the last change of the database, nothing expires, and otherwise at most one
day of hours, or a tenth of the data, at a time. --now believes the clock and does
everything at once.`,
		Example: retainExample,
		Args:    takes("no arguments", 0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts, err := s.options(a, cmd)
			if err != nil {
				return err
			}
			if _, onDirectory := a.target().(directory); onDirectory && !s.ruled {
				return usage("retain needs a rule: --retention-days N or --retention NAMESPACE=DAYS")
			}
			done, err := a.target().retain(cmd.Context(), opts, now)
			if err != nil {
				return err
			}
			return a.printRetained(done)
		},
	}
	s.addFlags(c)
	a.takesServer(c)
	c.Flags().BoolVar(&now, "now", false, "believe the clock and do everything at once")
	return c
}

func (d directory) retain(ctx context.Context, opts sydradb.Options, force bool) (done upkeep.Retained, err error) {
	a, began := d.app, d.app.Now()
	rules := upkeep.Rules{All: opts.Retention, Namespaces: opts.NamespaceRetention}
	var before []int64
	// Retention may begin as soon as the database is open.
	err = a.withReader(func(db *sydradb.DB) error {
		before = upkeep.Horizons(db, rules)
		return nil
	})
	if err != nil {
		return done, err
	}
	held := &heldWarnings{Handler: a.logger().Handler()}
	opts.Logger = slog.New(held)
	err = a.withExistingDB(opts, func(db *sydradb.DB) error {
		var err error
		done, err = upkeep.Retain(ctx, db, rules, before, began, force)
		if err != nil || done.SeriesLeft > 0 && !done.Moved {
			held.release(ctx)
		}
		return err
	})
	return done, err
}

// printRetained prints what a round of retention has done.
func (a *App) printRetained(r upkeep.Retained) error {
	switch {
	case r.SeriesLeft > 0 && r.Moved:
		a.say("%d series have older points left: they expire in steps; run it again, or with --now", r.SeriesLeft)
	case r.SeriesLeft > 0:
		a.say("%d series have older points left; with --now the clock is believed and they expire", r.SeriesLeft)
	}
	w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SERIES\tKEPT FROM")
	for _, k := range r.Kept {
		name := k.Namespace
		switch {
		case name != "":
		case len(r.Kept) > 1:
			name = "all others"
		default:
			name = "all"
		}
		from := "the beginning"
		if k.From > sydradb.MinTime {
			from = string(literal.AppendClock(nil, k.From))
		}
		fmt.Fprintf(w, "%s\t%s\n", name, from)
	}
	return w.Flush()
}

// heldWarnings keeps warnings back until it is known whether they matter.
type heldWarnings struct {
	slog.Handler

	mu       sync.Mutex
	held     []slog.Record
	released bool
}

// Handle implements slog.Handler.
func (h *heldWarnings) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.Level == slog.LevelWarn && !h.released {
		h.held = append(h.held, r.Clone())
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// release prints what was kept back, and all that follows.
func (h *heldWarnings) release(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.held {
		_ = h.Handler.Handle(ctx, r) // it writes to standard error, see say
	}
	h.held, h.released = nil, true
}
