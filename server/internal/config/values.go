package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sydradb/sydradb/server/internal/literal"
)

// Size is a number of bytes. It is read as [ParseSize] does.
type Size int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := ParseSize(string(text))
	*s = Size(n)
	return err
}

// String returns the size with the largest unit that leaves it a whole number.
func (s Size) String() string {
	n, unit := int64(s), 0
	for n != 0 && n%1024 == 0 && unit < 4 {
		n, unit = n/1024, unit+1
	}
	return strconv.FormatInt(n, 10) + []string{"", "KiB", "MiB", "GiB", "TiB"}[unit]
}

// Duration is a span of time. It is read as literal.ParseSpan does.
type Duration time.Duration

const spanWanted = `want a span of time in quotes, such as "500ms", "30s", "5m" or "1d"`

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	span, ok := literal.ParseSpan(string(text))
	if string(text) == "0" {
		span, ok = 0, true
	}
	if !ok || span < 0 {
		return errors.New(spanWanted)
	}
	*d = Duration(span)
	return nil
}

// String returns the span as time.Duration has it, without the zeros at its end.
func (d Duration) String() string {
	text := time.Duration(d).String()
	if strings.HasSuffix(text, "m0s") {
		text = text[:len(text)-2]
	}
	if strings.HasSuffix(text, "h0m") {
		text = text[:len(text)-2]
	}
	return text
}

// Days is a span of time that is given in days.
type Days time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Days) UnmarshalText(text []byte) error {
	span, err := ParseDays(string(text))
	*d = Days(span)
	return err
}

// String returns the number of days.
func (d Days) String() string {
	return strconv.FormatFloat(time.Duration(d).Hours()/24, 'f', -1, 64)
}

// Rules are days by namespace.
type Rules map[string]Days

// UnmarshalText implements encoding.TextUnmarshaler for flags and variables, which add
// to the rules: NAMESPACE=DAYS, several separated by commas.
func (r *Rules) UnmarshalText(text []byte) error {
	for rule := range strings.SplitSeq(string(text), ",") {
		namespace, days, ok := strings.Cut(strings.TrimSpace(rule), "=")
		if !ok || namespace == "" {
			return errors.New("want NAMESPACE=DAYS, such as weather=30")
		}
		if before, _, dotted := strings.Cut(namespace, "."); dotted {
			return fmt.Errorf("a namespace is what a name has before its first dot, here %q", before)
		}
		span, err := ParseDays(days)
		if err != nil {
			return err
		}
		if *r == nil {
			*r = make(Rules)
		}
		(*r)[namespace] = Days(span)
	}
	return nil
}

// String returns the rules in the form of flags.
func (r Rules) String() string { return joined(r) }

// Labels are labels of Prometheus.
type Labels map[string]string

// UnmarshalText implements encoding.TextUnmarshaler for variables: NAME=VALUE, several
// separated by commas.
func (l *Labels) UnmarshalText(text []byte) error {
	for label := range strings.SplitSeq(string(text), ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(label), "=")
		if !ok || name == "" {
			return errors.New("want NAME=VALUE, such as region=eu")
		}
		if *l == nil {
			*l = make(Labels)
		}
		(*l)[name] = value
	}
	return nil
}

// String returns the labels in the form of variables.
func (l Labels) String() string { return joined(l) }

func joined[V any](m map[string]V) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s=%v", key, m[key]))
	}
	return strings.Join(parts, ",")
}

// Secret is a text that is never shown.
type Secret string

// String returns a mask, or nothing for nothing.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(masked)"
}

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// Policy is when the log is synced: always, interval or none.
type Policy string

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Policy) UnmarshalText(text []byte) error {
	return choose(p, text, "always", "interval", "none")
}

// Level is the least level of what is logged.
type Level string

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Level) UnmarshalText(text []byte) error {
	return choose(l, text, "debug", "info", "warn", "error")
}

// Format is the form of the log.
type Format string

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *Format) UnmarshalText(text []byte) error { return choose(f, text, "text", "json") }

func choose[T ~string](field *T, text []byte, allowed ...string) error {
	if !slices.Contains(allowed, string(text)) {
		return fmt.Errorf("use one of %s", strings.Join(allowed, ", "))
	}
	*field = T(text)
	return nil
}

// ParseDays reads a number of days, with a fraction if need be.
func ParseDays(text string) (time.Duration, error) {
	const most = float64(math.MaxInt64 / int64(24*time.Hour))
	days, err := strconv.ParseFloat(strings.TrimSuffix(text, "d"), 64)
	switch {
	case err != nil || math.IsNaN(days) || days < 0:
		return 0, errors.New("want a number of days, 0 or more")
	case days > most:
		return 0, fmt.Errorf("want at most %.0f days; 0 keeps points for ever", most)
	}
	return time.Duration(days * float64(24*time.Hour)), nil
}

// ParseCount reads a whole number from least on.
func ParseCount(text string, least int) (int, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || int(n) < least {
		return 0, fmt.Errorf("want a whole number, %d or more", least)
	}
	return int(n), nil
}

var sizeParts = regexp.MustCompile(`^(\d+(?:\.\d+)?) ?([KMGT]?)(I?)B?$`)

// ParseSize reads a number of bytes, such as 500000, 500MB or 1.5GiB.
func ParseSize(text string) (int64, error) {
	m := sizeParts.FindStringSubmatch(strings.ToUpper(text))
	if m == nil || m[2] == "" && m[3] != "" {
		return 0, errors.New("want a number of bytes, such as 500MB or 2GiB")
	}
	unit := 1000.0
	if m[3] != "" {
		unit = 1024
	}
	n, err := strconv.ParseFloat(m[1], 64)
	n *= math.Pow(unit, float64(strings.Index(" KMGT", cmp.Or(m[2], " "))))
	if err != nil || n >= math.MaxInt64 {
		return 0, errors.New("want less than 2^63 bytes")
	}
	return int64(n), nil
}
