package cli

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
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
			if !s.ruled {
				return usage("retain needs a rule: --retention-days N or --retention NAMESPACE=DAYS")
			}
			return a.retain(cmd.Context(), opts, now)
		},
	}
	s.addFlags(c)
	c.Flags().BoolVar(&now, "now", false, "believe the clock and do everything at once")
	return c
}

func (a *App) retain(ctx context.Context, opts sydradb.Options, now bool) error {
	began := a.Now()
	classes := append(slices.Sorted(maps.Keys(opts.NamespaceRetention)), "") // "" for all others
	var before []int64
	// Retention may begin as soon as the database is open.
	err := a.withReader(func(db *sydradb.DB) error {
		before = horizons(db, classes)
		return nil
	})
	if err != nil {
		return err
	}
	held := &heldWarnings{Handler: a.logger().Handler()}
	opts.Logger = slog.New(held)
	return a.withExistingDB(opts, func(db *sydradb.DB) error {
		// How far a step goes follows from what is in files.
		err := db.Flush(ctx)
		if err == nil {
			err = db.Retain(ctx, now)
		}
		left := 0
		if err == nil {
			left, err = countExpired(ctx, db, &opts, began)
		}
		after := horizons(db, classes)
		moved := !slices.Equal(before, after)
		if err != nil || left > 0 && !moved {
			held.release(ctx)
		}
		switch {
		case err != nil:
			return err
		case left > 0 && moved:
			a.say("%d series have older points left: they expire in steps; run it again, or with --now", left)
		case left > 0:
			a.say("%d series have older points left; with --now the clock is believed and they expire", left)
		}
		classes = withEarlierRules(db, classes)
		return a.printHorizons(classes, horizons(db, classes))
	})
}

// withEarlierRules adds the namespaces that are kept from another time on than all others,
// since they once had a rule of their own.
func withEarlierRules(db *sydradb.DB, namespaces []string) []string {
	all := slices.Clone(namespaces)
	for _, name := range db.ValueCardinality("__name__", 0) {
		namespace, _, _ := strings.Cut(name.Value, ".")
		if db.Horizon(namespace) != db.Horizon("") && !slices.Contains(all, namespace) {
			all = append(all, namespace)
		}
	}
	// The last one is "", which stands for all others.
	rules := slices.DeleteFunc(all, func(namespace string) bool { return namespace == "" })
	slices.Sort(rules)
	return append(rules, "")
}

// horizons returns the least times that are kept of some namespaces.
func horizons(db *sydradb.DB, namespaces []string) []int64 {
	out := make([]int64, len(namespaces))
	for i, namespace := range namespaces {
		out[i] = db.Horizon(namespace)
	}
	return out
}

// countExpired returns how many series have points that at now were older than the rules
// keep them.
func countExpired(ctx context.Context, db *sydradb.DB, opts *sydradb.Options, now time.Time) (n int, err error) {
	older := func(sel sydradb.Selector, ttl time.Duration) ([]*sydradb.Series, error) {
		if ttl == 0 {
			return nil, nil
		}
		return db.Find(ctx, sel, sydradb.MinTime, max(now.Add(-ttl).UnixNano(), sydradb.MinTime)-1)
	}
	found, err := older(sydradb.Selector{}, opts.Retention)
	if err != nil {
		return 0, err
	}
	for _, s := range found {
		namespace, _, _ := strings.Cut(s.Name(), ".")
		if _, own := opts.NamespaceRetention[namespace]; !own {
			n++
		}
	}
	for namespace, ttl := range opts.NamespaceRetention {
		m, err := sydradb.NewMatcher("__name__", sydradb.MatchRegexp, `(?s:`+regexp.QuoteMeta(namespace)+`(\..*)?)`)
		if err != nil {
			return 0, err
		}
		if found, err = older(sydradb.Selector{Matchers: []sydradb.Matcher{m}}, ttl); err != nil {
			return 0, err
		}
		n += len(found)
	}
	return n, nil
}

// printHorizons prints from when on points are kept.
func (a *App) printHorizons(namespaces []string, horizons []int64) error {
	w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SERIES\tKEPT FROM")
	for i, name := range namespaces {
		switch {
		case name != "":
		case len(namespaces) > 1:
			name = "all others"
		default:
			name = "all"
		}
		from := "the beginning"
		if horizons[i] > sydradb.MinTime {
			from = string(literal.AppendClock(nil, horizons[i]))
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
