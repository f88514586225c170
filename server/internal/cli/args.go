package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
)

// negativeGuard stands before arguments such as -100 or -1h while cobra parses the
// command line, which would take them for flags. No argument of a process can hold
// the byte itself.
const negativeGuard = "\x00"

func guardNegatives(args []string) []string {
	out := make([]string, len(args))
	afterFlag := false // whose value may be negative without a guard
	for i, arg := range args {
		negative := len(arg) > 1 && arg[0] == '-' && (arg[1] >= '0' && arg[1] <= '9' || arg[1] == '.')
		out[i] = arg
		if negative && !afterFlag {
			out[i] = negativeGuard + arg
		}
		afterFlag = !negative && strings.HasPrefix(arg, "-") && !strings.Contains(arg, "=")
	}
	return out
}

func unguard(arg string) string { return strings.TrimPrefix(arg, negativeGuard) }

// parseWhen reads a time: Unix seconds, RFC 3339, now, or a span before or after now.
func parseWhen(arg string, now time.Time) (int64, error) {
	arg = unguard(arg)
	relative, isNow := strings.CutPrefix(arg, "now")
	if isNow && relative == "" {
		return now.UnixNano(), nil
	}
	if span, ok := literal.ParseSpan(relative); ok {
		return max(min(now.Add(span).UnixNano(), sydradb.MaxTime), sydradb.MinTime), nil
	}
	ts, err := literal.ParseTime(arg, literal.Second)
	if err != nil {
		return 0, fmt.Errorf("%q: %w, or relative such as -1h", arg, err)
	}
	return ts, nil
}

// takes returns the check of the arguments of a command: from least to most of them, or
// any number where most is negative. what says what they are.
func takes(what string, least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return wantArgs(c, what)
		}
		return nil
	}
}

// wantArgs is the error of a command with other arguments than it takes.
func wantArgs(c *cobra.Command, what string) error {
	return usage("%s takes %s\n  usage: %s", strings.TrimPrefix(c.CommandPath(), "sydradb "), what, c.UseLine())
}

// needsSubcommand makes a command that only holds others ask for one of them.
func needsSubcommand(c *cobra.Command) {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, _ []string) error {
		var names, lines []string
		for _, child := range c.Commands() {
			names = append(names, child.Name())
			lines = append(lines, child.UseLine())
		}
		return usage("%s takes one of %s\n  usage: %s", c.Name(), strings.Join(names, ", "), strings.Join(lines, "\n         "))
	}
}

// timeRange holds the flags that choose a range of times.
type timeRange struct{ start, end, last string }

func (r *timeRange) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&r.start, "start", "", "first time, inclusive (default: the first point)")
	c.Flags().StringVar(&r.end, "end", "", "last time, inclusive (default: the last point)")
	c.Flags().StringVar(&r.last, "last", "", "span up to --end or now, such as 30m, 1h or 7d")
}

// bounds returns the range in Unix nanoseconds.
func (r *timeRange) bounds(now time.Time) (start, end int64, err error) {
	start, end = sydradb.MinTime, sydradb.MaxTime
	if r.end != "" {
		if end, err = parseWhen(r.end, now); err != nil {
			return 0, 0, usage("--end %w", err)
		}
	}
	if r.start != "" {
		if start, err = parseWhen(r.start, now); err != nil {
			return 0, 0, usage("--start %w", err)
		}
	}
	if r.last != "" && r.start != "" {
		return 0, 0, usage("--last goes with --end or by itself, not with --start")
	}
	if r.last != "" {
		span, ok := literal.ParseSpan(r.last)
		if !ok || span <= 0 {
			return 0, 0, usage("--last %q: want a span such as 30m, 1h or 7d", r.last)
		}
		if r.end == "" {
			end = now.UnixNano()
		}
		start = max(end-int64(span), sydradb.MinTime)
	}
	return start, end, checkOrder(start, end)
}

func checkOrder(start, end int64) error {
	if start > end {
		return usage("the start %s is after the end %s", literal.AppendTime(nil, start), literal.AppendTime(nil, end))
	}
	return nil
}

// parseSelector reads a selector, or series:<id in hex> for a series that may have no
// name.
func parseSelector(text string) (sydradb.Selector, error) {
	if digits, ok := strings.CutPrefix(text, "series:"); ok {
		if id, err := strconv.ParseUint(digits, 16, 64); err == nil {
			return sydradb.Selector{IDs: []sydradb.SeriesID{sydradb.SeriesID(id)}}, nil
		}
	}
	sel, err := sydradb.ParseSelector(text)
	if err != nil {
		return sel, &codedError{ExitUsage, err} // the error quotes the selector
	}
	return sel, nil
}

// parseSeriesID reads an id as a decimal number, or as series:<hex>.
func parseSeriesID(arg string) (sydradb.SeriesID, error) {
	digits, base := arg, 10
	if hex, ok := strings.CutPrefix(arg, "series:"); ok {
		digits, base = hex, 16
	}
	id, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		return 0, usage("%q is not a series id: want a number from 0 to 2^64-1; find prints them", unguard(arg))
	}
	return sydradb.SeriesID(id), nil
}

// choice is a flag with a fixed set of values.
type choice struct {
	value   string
	allowed []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return "string" }
func (c *choice) Set(s string) error {
	for _, a := range c.allowed {
		if s == a {
			c.value = s
			return nil
		}
	}
	return fmt.Errorf("use one of %s", strings.Join(c.allowed, ", "))
}

// addChoice defines a flag that takes one of the allowed values; the first one is the
// default where value is empty.
func (a *App) addChoice(c *cobra.Command, name, value, help string, allowed ...string) *choice {
	f := &choice{value: value, allowed: allowed}
	c.Flags().Var(f, name, help+": "+strings.Join(allowed, ", "))
	a.must(c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp)))
	return f
}
