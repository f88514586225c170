package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/literal"
)

const inspectExample = `  $ sydradb ingest points.ndjson 2>/dev/null
  $ sydradb inspect wal data/wal/current.wal
         0  header lsn=1 durable_lsn=0 uuid=...
        41  batch lsn=2 durable_lsn=...
              series ordinal=0 id=18117565319915605411 name=room.temp tags={"room":"hall"}
              row ordinal=0 id=18117565319915605411 series=room.temp{room="hall"} ts=1694300000000000000 value=21.5
              row ordinal=0 id=18117565319915605411 series=room.temp{room="hall"} ts=1694300120000000000 value=21.75
       ...  mark lsn=3 durable_lsn=2
  $ sydradb flush
  flushed 2 points into 1 segment file
  $ sydradb inspect segment data/segments/1694296800/*.seg
         0  header version=2 id=18117565319915605411 id_hex=fb6e85aae0818da3 series=room.temp{room="hall"} ...
              point ts=1694300000000000000 value=21.5
              point ts=1694300120000000000 value=21.75
  $ sydradb compact
  merged 1 file (...) into 1 file (...)
  $ sydradb inspect pack data/segments/*/*.pack --series 18117565319915605411 --hour 1694300000 --export hour.seg
  $ sydradb inspect segment hour.seg
         0  header version=2 id=18117565319915605411 id_hex=fb6e85aae0818da3 hour=1694296800000000000 count=2 ...
              point ts=1694300000000000000 value=21.5
              point ts=1694300120000000000 value=21.75`

func (a *App) inspectCommand() *cobra.Command {
	var f inspectFlags
	kinds := []string{
		string(sydradb.FileWAL), string(sydradb.FileSegment), string(sydradb.FilePack), string(sydradb.FileManifest),
		string(sydradb.FileCatalog), string(sydradb.FileDelete), string(sydradb.FileObject),
	}
	c := &cobra.Command{
		Use:   "inspect " + strings.Join(kinds, "|") + " FILE",
		Short: "Show what a file of the database says",
		Long: `Inspect shows the records of one file, with or without a database around it, and
stops with exit code 4 at the first one that is damaged. Each record starts with its
offset in the file; what it is made of stands below it. --format json prints an array
of objects.

Many files name series by a number. Ids, names and tags are looked up in the catalog
and in the older logs around the file, as far as these can be read.

Of a pack, --series shows one series only, and --hour with --export writes the points
that it has in the hour around that time to a segment file, in the format SYSEG2.`,
		Example: inspectExample,
		Args:    takes("the kind of a file and its path", 2, 2),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return kinds, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, path := sydradb.FileKind(args[0]), args[1]
			if !slices.Contains(kinds, args[0]) {
				return usage("unknown kind of file %q: use %s", args[0], strings.Join(kinds, ", "))
			}
			if err := f.check(kind); err != nil {
				return err
			}
			if f.export != "" {
				return a.exportSegment(cmd.Context(), path, &f)
			}
			return a.inspect(kind, path, &f)
		},
	}
	f.format = a.addChoice(c, "format", "text", "format of the output", "text", "json")
	c.Flags().StringVar(&f.series, "series", "", "id of a series in a pack, the only one to be shown")
	c.Flags().StringVar(&f.hour, "hour", "", "a time in the hour to be exported")
	c.Flags().StringVar(&f.export, "export", "", "segment file to write with the points of --series in --hour")
	return c
}

type inspectFlags struct {
	format               *choice
	series, hour, export string
}

// check reports flags that do not go together.
func (f *inspectFlags) check(kind sydradb.FileKind) error {
	switch {
	case f.series+f.hour+f.export == "":
	case kind != sydradb.FilePack:
		return usage("--series, --hour and --export are for packs")
	case (f.export != "") != (f.hour != ""), f.series == "":
		return usage("--export needs --series and --hour, and --hour is for --export")
	}
	return nil
}

// exportSegment writes a part of a pack to a file of its own.
func (a *App) exportSegment(ctx context.Context, path string, f *inspectFlags) error {
	id, err := parseSeriesID(f.series)
	if err != nil {
		return err
	}
	ts, err := parseWhen(f.hour, a.Now())
	if err != nil {
		return usage("--hour %w", err)
	}
	data, err := sydradb.ExportSegment(path, id, ts)
	if errors.Is(err, sydradb.ErrNotInPack) {
		return &codedError{ExitUsage, err}
	}
	if err != nil {
		return explainInspect(err, sydradb.FilePack, path)
	}
	return a.writeOutput(ctx, f.export, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func (a *App) inspect(kind sydradb.FileKind, path string, f *inspectFlags) error {
	out := bufio.NewWriterSize(a.Out, 64<<10)
	var p recordPrinter = &textRecords{offset: -1}
	if f.format.value == "json" {
		p = &jsonRecords{}
	}
	var only *onlySeries
	if f.series != "" {
		id, err := parseSeriesID(f.series)
		if err != nil {
			return err
		}
		only = &onlySeries{id: id}
	}
	known := knownSeries{kind: kind, path: path}
	var line []byte
	for record, err := range sydradb.Inspect(kind, path) {
		if err != nil { // the records before the damage are worth seeing
			return errors.Join(finishInspect(out, p), explainInspect(err, kind, path))
		}
		if only != nil && !only.shows(&record) {
			continue
		}
		known.complete(&record)
		if kind == sydradb.FileSegment || kind == sydradb.FilePack {
			addHexID(&record)
		}
		line = p.appendRecord(line[:0], &record)
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	if err := finishInspect(out, p); err != nil || only == nil || only.found {
		return err
	}
	return usage("%s has no series %d", path, uint64(only.id))
}

// onlySeries passes over the records of all other series of a pack.
type onlySeries struct {
	id    sydradb.SeriesID
	other bool // the series at hand is another one
	found bool
}

func (o *onlySeries) shows(r *sydradb.Record) bool {
	if r.Kind == "series" {
		o.other = fieldOf(r, "id") != uint64(o.id)
		o.found = o.found || !o.other
	}
	return !o.other
}

// addHexID adds the id of a segment as the name of its file has it.
func addHexID(r *sydradb.Record) {
	at := slices.IndexFunc(r.Fields, func(f sydradb.Field) bool { return f.Name == "id" })
	if id, ok := fieldOf(r, "id").(uint64); ok {
		r.Fields = slices.Insert(r.Fields, at+1, sydradb.Field{Name: "id_hex", Value: fmt.Sprintf("%x", id)})
	}
}

// explainInspect names the file as the user did, and says so if it looks like one of
// another kind.
func explainInspect(err error, kind sydradb.FileKind, path string) error {
	if !errors.Is(err, sydradb.ErrCorrupt) {
		return renameError(err, path)
	}
	looksLike := kindOf(path)
	if looksLike == "" || looksLike == kind {
		return err
	}
	return hinted(err, "it looks like a %s: sydradb inspect %s %s", looksLike, looksLike, path)
}

var objectName = regexp.MustCompile("^[0-9a-f]{64}$")

// kindOf guesses the kind of a file from its name and its first bytes, "" if they say
// nothing.
func kindOf(path string) sydradb.FileKind {
	switch base := filepath.Base(path); {
	case filepath.Ext(base) == ".del":
		return sydradb.FileDelete
	case objectName.MatchString(base):
		return sydradb.FileObject
	case base == "FORMAT", base == "tags.json": // which people can read as they are
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	var head [8]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return ""
	}
	// Logs and catalogs begin with the length of a frame and the type of its contents.
	const (
		catalogNames, catalogIDs = 1, 2
		logPut, logHeader        = 1, 4
		putBytes                 = 25 // of version 0
	)
	length, kind := binary.LittleEndian.Uint32(head[:]), head[4]
	switch {
	case bytes.HasPrefix(head[:], []byte("SYSEG")):
		return sydradb.FileSegment
	case string(head[:]) == "SYPACK01":
		return sydradb.FilePack
	case head[0] == '{':
		return sydradb.FileManifest
	case kind == logHeader, kind == logPut && length == putBytes:
		return sydradb.FileWAL
	case kind == catalogNames, kind == catalogIDs:
		return sydradb.FileCatalog
	}
	return ""
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
