package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// field is a key with its value in a Config.
type field struct {
	key   string
	help  string // "" for keys that are no flags
	value reflect.Value
}

// fields returns the keys in the order of Config.
func (c *Config) fields() []field {
	v := reflect.ValueOf(c).Elem()
	var out []field
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		if key := tag.Get("toml"); key != "" && key != "-" {
			out = append(out, field{key, tag.Get("help"), v.Field(i)})
		}
	}
	return out
}

// variable returns the environment variable of the key.
func (f *field) variable() string { return "SYDRADB_" + strings.ToUpper(f.key) }

// flag returns the name of the flag, without dashes before it.
func (f *field) flag() string { return strings.ReplaceAll(f.key, "_", "-") }

func (f *field) secret() bool { return f.value.Type() == reflect.TypeFor[Secret]() }

func (f *field) table() bool { return f.value.Kind() == reflect.Map }

// set gives the field the value that a text stands for.
func (f *field) set(text string) error {
	if u, ok := f.value.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch f.value.Kind() {
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("want true or false")
		}
		f.value.SetBool(b)
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, 0)
		if err != nil {
			return fmt.Errorf("want a whole number")
		}
		f.value.SetInt(n)
	default:
		f.value.SetString(text)
	}
	return nil
}

// text returns the value as a flag takes it, a secret masked.
func (f *field) text() string { return fmt.Sprint(f.value.Interface()) }

// literal returns the value as the file has it, a secret masked.
func (f *field) literal() string {
	switch f.value.Kind() {
	case reflect.Bool, reflect.Int:
		return f.text()
	}
	if _, isDays := f.value.Interface().(Days); isDays {
		return f.text()
	}
	return quoted(f.text())
}

// entries returns the lines of a table.
func (f *field) entries() []string {
	var lines []string
	for _, key := range f.value.MapKeys() {
		value := f.value.MapIndex(key)
		text := fmt.Sprint(value.Interface())
		if value.Kind() == reflect.String {
			text = quoted(text)
		}
		lines = append(lines, quoted(key.String())+" = "+text)
	}
	slices.Sort(lines)
	return lines
}

// quoted returns a text as a basic string of TOML.
func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range strings.ToValidUTF8(text, "\uFFFD") {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
