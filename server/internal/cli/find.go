package cli

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/render"
)

const findLong = `Find lists series, one JSON object a line, selected by a selector (see query) or by
tags: several key=value mean series that have all of them, with --any at least one.
Without arguments it lists all series. --start, --end and --last leave out series
without points in that range.

series_id is a JSON number with all its digits. Programs whose numbers are 64-bit
floats, such as JavaScript and jq, must take care not to round it.`

const findExample = `  $ printf 'temp,room=hall,floor=1 v=21 1\ntemp,room=kitchen,floor=1 v=22 1\n' |
  > sydradb ingest --format influx 2>/dev/null
  $ sydradb find room=hall floor=1
  {"series_id":13051532974424087442,"series":"temp_v","tags":{"floor":"1","room":"hall"}}
  $ sydradb find --any room=hall room=kitchen | wc -l
  2
  $ sydradb find 'temp_v{room=~"k.*"}'
  {"series_id":6192716827141699970,"series":"temp_v","tags":{"floor":"1","room":"kitchen"}}`

func (a *App) findCommand() *cobra.Command {
	var (
		times timeRange
		any   bool
	)
	c := &cobra.Command{
		Use:     "find [SELECTOR | KEY=VALUE...]",
		Short:   "List series by name and tags",
		Long:    findLong,
		Example: findExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			sel, err := parseFind(args)
			if err != nil {
				return err
			}
			sel.Any = any
			start, end, err := times.bounds(a.Now())
			if err != nil {
				return err
			}
			return a.target().read(func(db store) error {
				found, err := db.Find(cmd.Context(), sel, start, end)
				if err != nil {
					return err
				}
				if len(found) == 0 && len(args) == 1 {
					a.hintAtID(args[0])
				}
				return a.printSeries(found)
			})
		},
	}
	times.addFlags(c)
	c.Flags().BoolVar(&any, "any", false, "series that satisfy one of the conditions, not all")
	a.takesServer(c)
	return c
}

// parseFind reads the arguments of find: nothing, one selector, or tags.
func parseFind(args []string) (sydradb.Selector, error) {
	var sel sydradb.Selector
	for _, arg := range args {
		arg = unguard(arg)
		key, value, isTag := strings.Cut(arg, "=")
		if !isTag || strings.Contains(key, "{") {
			if len(args) > 1 {
				return sel, notAlone(args, arg)
			}
			return parseSelector(arg)
		}
		if key == "" {
			return sel, usage("%q has no key before the =", arg)
		}
		// Another operator than =, which would be taken for a part of key or value.
		not, isNot := strings.CutSuffix(key, "!")
		pattern, isPattern := strings.CutPrefix(value, "~")
		switch {
		case isNot:
			return sel, usage("%q: write it as a selector: '{%s!=%s}'", arg, quoted(not), strconv.Quote(value))
		case isPattern:
			return sel, usage("%q: write it as a selector: '{%s=~%s}'", arg, quoted(key), strconv.Quote(pattern))
		}
		m, err := sydradb.NewMatcher(key, sydradb.MatchEqual, value)
		if err != nil {
			return sel, usage("%q: %w", arg, err)
		}
		sel.Matchers = append(sel.Matchers, m)
	}
	return sel, nil
}

// notAlone is the error for the selector arg among several arguments. A name with tags
// beside it is shown as one selector.
func notAlone(args []string, arg string) error {
	var names, tags []string
	for _, other := range args {
		key, value, isTag := strings.Cut(unguard(other), "=")
		if isTag && !strings.ContainsAny(key, "{!~") && !strings.HasPrefix(value, "~") {
			tags = append(tags, condition(key, value))
		} else {
			names = append(names, unguard(other))
		}
	}
	err := usage("find takes one selector, or several KEY=VALUE; %q is no KEY=VALUE", arg)
	if len(names) == 1 && len(tags) > 0 && !strings.ContainsAny(names[0], "{}!~=") {
		return hinted(err, "write it as a selector: '%s{%s}'", quoted(names[0]), strings.Join(tags, ","))
	}
	return err
}

func (a *App) printSeries(found []render.Stored) error {
	var out []byte
	for i, s := range found {
		out = append(render.AppendSeries(out, s), '\n')
		if len(out) >= 64<<10 || i == len(found)-1 {
			if _, err := a.Out.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
	}
	return nil
}
