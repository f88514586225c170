package cli

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
)

// settings are the flags of all commands that open the database for writing: what an
// operator wants to hold whoever writes. Environment variables give their defaults.
type settings struct {
	opts  sydradb.Options
	ruled bool // there is a rule for retention
}

// settingVariables are the environment variables of settings.
var settingVariables = []struct{ flag, env string }{
	{"retention-days", "SYDRADB_RETENTION_DAYS"},
	{"retention", "SYDRADB_RETENTION"},
	{"max-disk-bytes", "SYDRADB_MAX_DISK_BYTES"},
	{"max-series", "SYDRADB_MAX_SERIES"},
	{"max-segment-files", "SYDRADB_MAX_SEGMENT_FILES"},
	{"segment-codec", "SYDRADB_SEGMENT_CODEC"},
}

func (s *settings) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.Func("retention-days", "keep points for so many `days`, counted from their times (0: for ever)", func(text string) (err error) {
		s.opts.Retention, err = parseDays(text)
		s.ruled = s.ruled || s.opts.Retention > 0
		return err
	})
	f.Func("retention", "the same for series whose name up to its first dot is NAMESPACE, as `NAMESPACE=DAYS`; repeatable", s.addRules)
	f.Func("max-disk-bytes", "refuse points when the directory takes this `size`, such as 500MB or 2GiB", func(text string) (err error) {
		s.opts.MaxDiskBytes, err = parseSize(text)
		return err
	})
	f.Func("max-series", "refuse new series beyond this `number`", func(text string) (err error) {
		s.opts.MaxSeries, err = parseCount(text, 0)
		return err
	})
	f.Func("max-segment-files", "series of an hour up to which each has a file of its own: a `number`, 0 for none, -1 for all (default 64)", func(text string) error {
		n, err := parseCount(text, -1)
		switch n {
		case 0:
			n = sydradb.AlwaysPack
		case -1:
			n = sydradb.NeverPack
		}
		s.opts.MaxSegmentFiles = n
		return err
	})
	f.Func("segment-codec", "codec of the files of single series: a `number`, 2, or 1 for programs of version 0 (default 2)", func(text string) error {
		if text != "1" && text != "2" {
			return errors.New("want 1 or 2")
		}
		s.opts.SegmentCodec1 = text == "1"
		return nil
	})
}

// options returns the settings for the library: the flags that c was given, else the
// environment.
func (s *settings) options(a *App, c *cobra.Command) (sydradb.Options, error) {
	for _, v := range settingVariables {
		text := strings.TrimSpace(a.Getenv(v.env))
		if text == "" || c.Flags().Changed(v.flag) {
			continue
		}
		if err := c.Flags().Lookup(v.flag).Value.Set(text); err != nil {
			return sydradb.Options{}, usage("%s=%s: %w", v.env, text, err)
		}
	}
	return s.opts, nil
}

// addRules reads NAMESPACE=DAYS, several separated by commas.
func (s *settings) addRules(text string) error {
	for rule := range strings.SplitSeq(text, ",") {
		namespace, days, ok := strings.Cut(strings.TrimSpace(rule), "=")
		if !ok || namespace == "" {
			return errors.New("want NAMESPACE=DAYS, such as weather=30")
		}
		if before, _, dotted := strings.Cut(namespace, "."); dotted {
			return fmt.Errorf("a namespace is what a name has before its first dot, here %q", before)
		}
		ttl, err := parseDays(days)
		if err != nil {
			return err
		}
		if s.opts.NamespaceRetention == nil {
			s.opts.NamespaceRetention = make(map[string]time.Duration)
		}
		s.opts.NamespaceRetention[namespace] = ttl
		s.ruled = s.ruled || ttl > 0
	}
	return nil
}

// parseDays reads a number of days, with a fraction if need be.
func parseDays(text string) (time.Duration, error) {
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

// parseCount reads a whole number from least on.
func parseCount(text string, least int) (int, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || int(n) < least {
		return 0, fmt.Errorf("want a whole number, %d or more", least)
	}
	return int(n), nil
}

var sizeParts = regexp.MustCompile(`^(\d+(?:\.\d+)?) ?([KMGT]?)(I?)B?$`)

// parseSize reads a number of bytes, such as 500000, 500MB or 1.5GiB.
func parseSize(text string) (int64, error) {
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
