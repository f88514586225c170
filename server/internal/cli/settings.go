package cli

import (
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/config"
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
		s.opts.Retention, err = config.ParseDays(text)
		s.ruled = s.ruled || s.opts.Retention > 0
		return err
	})
	f.Func("retention", "the same for series whose name up to its first dot is NAMESPACE, as `NAMESPACE=DAYS`; repeatable", s.addRules)
	f.Func("max-disk-bytes", "refuse points when the directory takes this `size`, such as 500MB or 2GiB", func(text string) (err error) {
		s.opts.MaxDiskBytes, err = config.ParseSize(text)
		return err
	})
	f.Func("max-series", "refuse new series beyond this `number`", func(text string) (err error) {
		s.opts.MaxSeries, err = config.ParseCount(text, 0)
		return err
	})
	f.Func("max-segment-files", "series of an hour up to which each has a file of its own: a `number`, 0 for none, -1 for all (default 64)", func(text string) error {
		n, err := config.ParseCount(text, -1)
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
	var rules config.Rules
	if err := rules.UnmarshalText([]byte(text)); err != nil {
		return err
	}
	if s.opts.NamespaceRetention == nil {
		s.opts.NamespaceRetention = make(map[string]time.Duration)
	}
	for namespace, days := range rules {
		s.opts.NamespaceRetention[namespace] = time.Duration(days)
		s.ruled = s.ruled || days > 0
	}
	return nil
}
