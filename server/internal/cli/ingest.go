package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/ingest"
	"github.com/sydradb/sydradb/server/internal/literal"
)

const ingestLong = `Ingest reads points from files, or from standard input, and stores them. Files may
be compressed with gzip or zstd.

ndjson  one object a line, with a value or with several fields:
          {"series":"weather.room1","ts":1694300000,"value":24.2,"tags":{"k":"v"}}
          {"series":"weather","ts":"2023-09-09T22:53:20Z","fields":{"temp":24.2,"hum":51}}
        series_id, a number or a string, stands for series and tags. Each field is a
        series of its own: weather_temp and weather_hum. NaN and infinities are written
        as strings: "NaN", "+Inf", "-Inf", "NaN:7ff0000000000002".
influx  InfluxDB line protocol: weather,room=hall temp=24.2,hum=51i 1694300000000000000
        Booleans become 0 and 1, strings are refused, a missing time is now.
csv     with a header. Columns called ts (or time, timestamp), series, value, and tags
        (a JSON object) mean what they say; other columns are tags. Without a column
        called value, each further column is a series.

Points are committed in chunks. What was reported as committed is stored, whatever
happens to the program afterwards. A line that cannot be used is reported and left
out, and so is a point that is older than what retention keeps (see retain). A point
with the series and time of an older one replaces it, so a file can always be ingested
again.

A signal (Ctrl-C) ends the run after the current chunk.`

const ingestExample = `  $ cat points.ndjson
  {"series":"room.temp","ts":1694300000,"value":21.5,"tags":{"room":"hall"}}
  {"series":"room.temp","ts":1694300060,"value":"warm","tags":{"room":"hall"}}
  {"series":"room.temp","ts":1694300120,"value":21.75,"tags":{"room":"hall"}}
  $ sydradb ingest points.ndjson
  points.ndjson:2: value: not a number: want a decimal number, "NaN", "+Inf", "-Inf" or "NaN:<16 hex digits>"
  committed 2 points (1 rejected), line 3
  ingested 2 points (1 rejected)
  $ printf 'ts,room,temp\n1694300180,hall,22\n' |
  > sydradb ingest --format csv --csv-tags room --csv-name room
  committed 1 points (0 rejected), line 2
  ingested 1 points (0 rejected)
  $ sydradb query --format csv '{room="hall"}'
  series,tags,ts,value
  room.temp,"{""room"":""hall""}",1694300000,21.5
  room.temp,"{""room"":""hall""}",1694300120,21.75
  room_temp,"{""room"":""hall""}",1694300180,22`

// ingestFlags are the flags of ingest.
type ingestFlags struct {
	format, precision, fsync *choice
	comma                    string
	maxErrors                int
	columns                  ingest.Columns
	settings                 settings
}

func (a *App) ingestCommand() *cobra.Command {
	var f ingestFlags
	c := &cobra.Command{
		Use:     "ingest [FILE...]",
		Short:   "Store points from files or standard input",
		Long:    ingestLong,
		Example: ingestExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts, parser, err := f.options(a, cmd)
			if err != nil {
				return err
			}
			return a.ingest(cmd.Context(), args, opts, parser, &f)
		},
	}
	f.format = a.addChoice(c, "format", "", "format of the input, by default that of the file's name, else ndjson", "ndjson", "influx", "csv")
	f.precision = a.addChoice(c, "precision", "", "unit of times that are numbers, by default s, in influx ns", "s", "ms", "us", "ns")
	f.fsync = a.addChoice(c, "fsync", "interval", "when committed points are forced to the disk", "always", "interval", "none")
	c.Flags().IntVar(&f.maxErrors, "max-errors", 10, "show at most so many rejected lines; the others are counted")
	c.Flags().StringVar(&f.comma, "csv-comma", ",", "character between columns")
	c.Flags().StringVar(&f.columns.Time, "csv-time", "", "column of the time")
	c.Flags().StringVar(&f.columns.Series, "csv-series", "", "column of the series' name")
	c.Flags().StringVar(&f.columns.Name, "csv-name", "", "name of the series where no column has it")
	c.Flags().StringSliceVar(&f.columns.Values, "csv-values", nil, "columns of values")
	c.Flags().StringSliceVar(&f.columns.Tags, "csv-tags", nil, "columns of tags")
	f.settings.addFlags(c)
	a.takesServer(c, "fsync")
	return c
}

// options turns the flags into those of the library and of a job.
func (f *ingestFlags) options(a *App, c *cobra.Command) (sydradb.Options, ingest.ParserOptions, error) {
	parser := ingest.ParserOptions{Now: func() int64 { return a.Now().UnixNano() }, CSV: f.columns}
	opts, err := f.settings.options(a, c)
	if err != nil {
		return opts, parser, err
	}
	switch f.fsync.value {
	case "always":
		opts.Sync = sydradb.SyncAlways
	case "none":
		opts.Sync = sydradb.SyncNone
	}
	if f.precision.value != "" {
		unit, err := literal.ParseUnit(f.precision.value)
		if err != nil {
			return opts, parser, usage("--precision: %w", err)
		}
		parser.Unit = unit
	}
	if f.maxErrors < 0 {
		return opts, parser, usage("--max-errors %d is negative", f.maxErrors)
	}
	switch f.comma {
	case `\t`, "tab":
		parser.CSV.Comma = '\t'
	default:
		if len(f.comma) != 1 || f.comma == "\"" || f.comma == "\n" || f.comma == "\r" {
			return opts, parser, usage("--csv-comma %q: want one character, or tab", f.comma)
		}
		parser.CSV.Comma = rune(f.comma[0])
	}
	return opts, parser, nil
}

func (a *App) ingest(ctx context.Context, files []string, opts sydradb.Options, parser ingest.ParserOptions, f *ingestFlags) error {
	if len(files) == 0 {
		files = []string{"-"}
	}
	report := newIngestReport(a, f.maxErrors)
	done, err := a.ingestFiles(ctx, files, opts, parser, f.format.value, report)
	return report.finish(done, err)
}

func (a *App) ingestFiles(ctx context.Context, files []string, opts sydradb.Options, parser ingest.ParserOptions,
	format string, report *ingestReport) (done ingest.Progress, err error) {
	for _, file := range files { // before anything is stored, or a database created
		if file == "-" {
			continue
		}
		if _, err := os.Stat(file); err != nil {
			return done, err
		}
	}
	err = a.target().ingest(ctx, opts, report.waiting, func(db ingest.Database) error {
		job := &ingest.Job{DB: db, Parser: parser, Committed: report.committed, RefusedLine: report.refused, Declined: report.declined}
		err := a.runJob(ctx, job, files, format, report)
		defer report.flushing()
		var finishing error
		done, finishing = job.Finish()
		if finishing != nil {
			err = finishing // what Run returned was this or followed from it
		}
		return explainHeader(err)
	})
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("interrupted after line %d: %w", done.Lines, err)
	}
	return done, err
}

// explainHeader adds to an error of a CSV header what can be done about it.
func explainHeader(err error) error {
	var header *ingest.HeaderError
	if !errors.As(err, &header) {
		return err
	}
	switch header.Fault {
	case ingest.HeaderUnclear:
		return hinted(err, "say what the columns are with --csv-time, --csv-series or --csv-name, --csv-values and --csv-tags")
	case ingest.HeaderUnfit:
		return &codedError{ExitUsage, err}
	}
	return hinted(err, "the first line of a CSV file names the columns; --csv-comma says what separates them")
}

func (a *App) runJob(ctx context.Context, job *ingest.Job, files []string, format string, report *ingestReport) error {
	for _, file := range files {
		job.Format = ingest.Format(format)
		if format == "" {
			job.Format = ingest.FormatOf(file)
		}
		in, err := a.openInput(file)
		if err != nil {
			return err
		}
		report.begin(in)
		if err := job.Run(ctx, in); err != nil {
			return err
		}
		if err := in.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) openInput(file string) (*ingest.Input, error) {
	if file != "-" {
		return ingest.Open(file)
	}
	if isTerminal(a.In) {
		a.say("reading points from the terminal; end with Ctrl-D on a line of its own")
	}
	return ingest.NewInput("stdin", a.In)
}
