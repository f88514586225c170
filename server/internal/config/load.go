package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/pflag"
)

// DefaultFile is the file that is read if there is one and no other is named.
const DefaultFile = "./sydradb.toml"

// maxFile bounds the file, in bytes.
const maxFile = 1 << 20

// Loader puts a Config together. The zero value is ready to use.
type Loader struct {
	// File is the path of the file; "" means DefaultFile, which may be missing.
	File  string
	flags []assignment
}

type assignment struct{ key, text string }

// AddFlags defines a flag for each of the main keys.
func (l *Loader) AddFlags(flags *pflag.FlagSet) {
	for _, f := range Default().fields() {
		if f.help == "" {
			continue
		}
		flags.Func(f.flag(), f.help, func(text string) error {
			if err := f.set(text); err != nil { // on settings that nobody reads
				return err
			}
			l.Set(f.key, text)
			return nil
		})
	}
}

// Set is what a flag for the key does.
func (l *Loader) Set(key, text string) { l.flags = append(l.flags, assignment{key, text}) }

// Load reads the file and the environment, applies the flags and checks the outcome.
// Errors of the flags are about those that were given with Set.
func (l *Loader) Load(getenv func(string) string) (*Config, error) {
	c := Default()
	c.sources = make(map[string]string)
	path := l.File
	if path == "" {
		path = strings.TrimSpace(getenv("SYDRADB_CONFIG"))
	}
	if err := c.readFile(path); err != nil {
		return nil, err
	}
	fields := c.fields()
	for _, f := range fields {
		text := strings.TrimSpace(getenv(f.variable()))
		if text == "" {
			continue
		}
		if err := c.assign(&f, text, f.variable()); err != nil {
			return nil, err
		}
	}
	for _, a := range l.flags {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == a.key })
		if i < 0 {
			return nil, fmt.Errorf("--%s: there is no such setting", a.key)
		}
		if err := c.assign(&fields[i], a.text, "--"+fields[i].flag()); err != nil {
			return nil, err
		}
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	return c, nil
}

// otherVariables are those that are no settings of the server but mean something to other
// commands, or to "serve" itself.
var otherVariables = []string{"SYDRADB_CONFIG", "SYDRADB_URL", "SYDRADB_TOKEN"}

// UnknownVariables returns the names in environ, of the form NAME=TEXT, that look like
// settings and are none: most likely they are mistyped.
func UnknownVariables(environ []string) (names []string) {
	known := slices.Clone(otherVariables)
	for _, f := range Default().fields() {
		known = append(known, f.variable())
	}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "SYDRADB_") && !strings.HasPrefix(name, "SYDRADB_TEST_") && !slices.Contains(known, name) {
			names = append(names, name)
		}
	}
	return names
}

// assign sets a field from a source.
func (c *Config) assign(f *field, text, source string) error {
	if f.table() && c.sources[f.key] != source { // rules replace those of the source before
		f.value.SetZero()
	}
	if err := f.set(text); err != nil {
		if f.secret() {
			text = "(masked)"
		}
		return fmt.Errorf("%s: %q: %w", source, text, err)
	}
	c.sources[f.key] = source
	return nil
}

// readFile reads the settings of a file; "" means DefaultFile, if there is one.
func (c *Config) readFile(path string) error {
	optional := path == ""
	if optional {
		path = DefaultFile
	}
	f, err := os.Open(path)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	if len(text) > maxFile {
		return fmt.Errorf("%s: more than %s, want a file of settings", path, Size(maxFile))
	}
	c.File = path
	return c.Parse(text, path)
}

// Parse reads the text of a file on top of c. Errors name the file by path, the line and
// the key.
func (c *Config) Parse(text []byte, path string) error {
	if c.sources == nil {
		c.sources = make(map[string]string)
	}
	var present map[string]any
	if err := toml.Unmarshal(text, &present); err != nil {
		return malformed(err, text, path)
	}
	var faults []error
	for _, f := range c.fields() {
		value, ok := present[f.key]
		if !ok {
			continue
		}
		delete(present, f.key)
		c.sources[f.key] = fmt.Sprintf("%s:%d", path, lineOf(text, f.key))
		if err := f.decode(value, text, path); err != nil {
			faults = append(faults, err)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(present)) {
		faults = append(faults, fmt.Errorf("%s:%d: unknown key %s%s", path, lineOf(text, key), quoted(key), suggestion(key)))
	}
	return errors.Join(faults...)
}

// decode gives the field a value of the file.
func (f *field) decode(value any, text []byte, path string) error {
	if table, ok := value.(map[string]any); ok && f.table() {
		return f.decodeTable(table, text, path)
	}
	err := f.accept(value)
	switch {
	case err == nil:
		return nil
	case f.secret():
		return fmt.Errorf("%s:%d: %s: %w", path, lineOf(text, f.key), f.key, err)
	}
	return fmt.Errorf("%s:%d: %s = %s: %w", path, lineOf(text, f.key), f.key, shown(value), err)
}

func (f *field) decodeTable(table map[string]any, text []byte, path string) error {
	var faults []error
	f.value.Set(reflect.MakeMap(f.value.Type()))
	first := lineOf(text, f.key)
	for _, name := range slices.Sorted(maps.Keys(table)) {
		entry := field{key: f.key + "." + name, value: reflect.New(f.value.Type().Elem()).Elem()}
		if err := entry.accept(table[name]); err != nil {
			line := first - 1 + lineOf(text[offsetOf(text, first):], name)
			faults = append(faults, fmt.Errorf("%s:%d: %s = %s: %w", path, line, entry.key, shown(table[name]), err))
			continue
		}
		f.value.SetMapIndex(reflect.ValueOf(name), entry.value)
	}
	return errors.Join(faults...)
}

// accept sets the field to a value of the file if its type is the right one.
func (f *field) accept(value any) error {
	want, fits := "", false
	_, isText := value.(string)
	_, isInt := value.(int64)
	_, isFloat := value.(float64)
	switch f.value.Interface().(type) {
	case bool:
		want = "want true or false"
		_, fits = value.(bool)
	case int:
		want, fits = "want a whole number", isInt
	case Size:
		want, fits = "want a number of bytes, such as 1000000, or \"500MB\" or \"2GiB\" in quotes", isInt || isText
	case Days:
		want, fits = "want a number of days, 0 or more", isInt || isFloat || isText
	case Rules:
		want = "want a table of namespaces and days"
	case Labels:
		want = "want a table of labels"
	case Duration:
		want, fits = spanWanted, isText
	default:
		want, fits = "want a text in quotes", isText
	}
	if !fits {
		return errors.New(want)
	}
	return f.set(fmt.Sprint(value))
}

// shown returns a value as an error quotes it.
func shown(value any) string {
	text := fmt.Sprint(value)
	if len(text) > 64 {
		text = strings.ToValidUTF8(text[:64], "") + "..."
	}
	if _, ok := value.(string); ok {
		return quoted(text)
	}
	return text
}

// malformed returns the error about a text that is no TOML. What the decoder says may
// quote the text, which a line with a secret is not the place for.
func malformed(err error, text []byte, path string) error {
	var bad *toml.DecodeError
	if !errors.As(err, &bad) {
		return fmt.Errorf("%s: %w", path, err)
	}
	line, column := bad.Position()
	const secret = "auth_token"
	if lines := bytes.Split(text, []byte("\n")); line >= 1 && line <= len(lines) && bytes.Contains(lines[line-1], []byte(secret)) ||
		strings.Contains(strings.Join(bad.Key(), "."), secret) {
		return fmt.Errorf("%s:%d: %s: want a text in quotes, once", path, line, secret)
	}
	return fmt.Errorf("%s:%d:%d: %s", path, line, column, strings.TrimPrefix(bad.Error(), "toml: "))
}

// lineOf returns the line that a key or table stands in.
func lineOf(text []byte, key string) int {
	for i, line := range bytes.Split(text, []byte("\n")) {
		line = bytes.TrimLeft(line, " \t[\"'")
		if rest, ok := bytes.CutPrefix(line, []byte(key)); ok && len(bytes.TrimLeft(rest, " \t\"'=].")) < len(rest) {
			return i + 1
		}
	}
	return 1
}

// offsetOf returns where a line begins.
func offsetOf(text []byte, line int) int {
	offset := 0
	for range line - 1 {
		offset += bytes.IndexByte(text[offset:], '\n') + 1
	}
	return offset
}

// suggestion returns the key that may have been meant.
func suggestion(key string) string {
	squeeze := strings.NewReplacer("_", "", "-", "", ".", "")
	for _, f := range Default().fields() {
		if strings.EqualFold(squeeze.Replace(f.key), squeeze.Replace(key)) {
			return "; did you mean " + f.key + "?"
		}
	}
	return "; docs/configuration.md lists the keys"
}
