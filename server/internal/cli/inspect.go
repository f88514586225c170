package cli

import (
	"bufio"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
)

const inspectExample = `  $ sydradb ingest points.ndjson 2>/dev/null
  $ sydradb inspect wal data/wal/current.wal
  ...
  $ sydradb flush
  flushed 2 points into 1 segment file
  $ sydradb inspect segment data/segments/1694296800/*.seg
  ...`

func (a *App) inspectCommand() *cobra.Command {
	var format *choice
	kinds := []string{string(sydradb.FileWAL), string(sydradb.FileSegment), string(sydradb.FileManifest), string(sydradb.FileCatalog)}
	c := &cobra.Command{
		Use:   "inspect " + strings.Join(kinds, "|") + " FILE",
		Short: "Show what a file of the database says",
		Long: `Inspect shows the records of one file, with or without a database around it, and
stops with exit code 4 at the first one that is damaged. Each record starts with its
offset in the file; what it is made of stands below it. --format json prints an array
of objects.`,
		Example:   inspectExample,
		Args:      cobra.ExactArgs(2),
		ValidArgs: kinds,
		RunE: func(_ *cobra.Command, args []string) error {
			if !slices.Contains(kinds, args[0]) {
				return usage("unknown kind of file %q: use %s", args[0], strings.Join(kinds, ", "))
			}
			return a.inspect(sydradb.FileKind(args[0]), args[1], format.value == "json")
		},
	}
	format = a.addChoice(c, "format", "text", "format of the output", "text", "json")
	return c
}

func (a *App) inspect(kind sydradb.FileKind, path string, asJSON bool) error {
	out := bufio.NewWriterSize(a.Out, 64<<10)
	var p recordPrinter = &textRecords{offset: -1}
	if asJSON {
		p = &jsonRecords{}
	}
	var line []byte
	for record, err := range sydradb.Inspect(kind, path) {
		if err != nil { // the records before the damage are worth seeing
			return errors.Join(finishInspect(out, p), err)
		}
		line = p.appendRecord(line[:0], &record)
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return finishInspect(out, p)
}

func finishInspect(out *bufio.Writer, p recordPrinter) error {
	if _, err := out.WriteString(p.end()); err != nil {
		return err
	}
	return out.Flush()
}

// recordPrinter makes text of records.
type recordPrinter interface {
	appendRecord(dst []byte, r *sydradb.Record) []byte
	end() string
}

// textRecords prints a line for each record. Those with the offset of the one before,
// or with none, are parts of it and stand under it.
type textRecords struct{ offset int64 }

func (*textRecords) end() string { return "" }

func (p *textRecords) appendRecord(dst []byte, r *sydradb.Record) []byte {
	if r.Offset < 0 || r.Offset == p.offset {
		dst = append(dst, "            "...)
	} else {
		dst = fmt.Appendf(dst, "%8d  ", r.Offset)
		p.offset = r.Offset
	}
	dst = append(dst, r.Kind...)
	for _, f := range r.Fields {
		dst = append(append(append(dst, ' '), f.Name...), '=')
		dst = appendFieldText(dst, f.Value)
	}
	return append(dst, '\n')
}

func appendFieldText(dst []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		if v == "" || strings.ContainsAny(v, " \n\t") {
			return literal.AppendJSONString(dst, v)
		}
		return append(dst, v...)
	case float64:
		return literal.AppendValue(dst, v)
	case []sydradb.Tag:
		return literal.AppendJSONTags(dst, v)
	}
	return fmt.Append(dst, value)
}

// jsonRecords prints an array with an object for each record.
type jsonRecords struct{ records int }

func (p *jsonRecords) end() string {
	if p.records == 0 {
		return "[]\n"
	}
	return "\n]\n"
}

func (p *jsonRecords) appendRecord(dst []byte, r *sydradb.Record) []byte {
	if p.records == 0 {
		dst = append(dst, "[\n{"...)
	} else {
		dst = append(dst, ",\n{"...)
	}
	p.records++
	if r.Offset >= 0 {
		dst = fmt.Appendf(dst, `"offset":%d,`, r.Offset)
	}
	dst = literal.AppendJSONString(append(dst, `"kind":`...), r.Kind)
	for _, f := range r.Fields {
		dst = append(literal.AppendJSONString(append(dst, ','), f.Name), ':')
		switch v := f.Value.(type) {
		case string:
			dst = literal.AppendJSONString(dst, v)
		case float64:
			dst = literal.AppendJSONValue(dst, v)
		case []sydradb.Tag:
			dst = literal.AppendJSONTags(dst, v)
		default:
			dst = fmt.Append(dst, v)
		}
	}
	return append(dst, '}')
}
