package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// bounds are the least and greatest values of keys that are numbers. Sizes and spans
// without a line here are 0 or more.
var bounds = map[string][2]int64{
	"http_port":             {0, 65535},
	"fsync_interval_ms":     {1, 3_600_000},
	"flush_interval_ms":     {1, 7 * 86_400_000},
	"memtable_max_bytes":    {4 << 10, 1 << 40},
	"max_series":            {0, math.MaxInt32},
	"max_segment_files":     {-1, math.MaxInt32},
	"segment_codec":         {1, 2},
	"max_labels":            {1, 10_000},
	"max_label_name_bytes":  {1, 64 << 10},
	"max_label_value_bytes": {1, 64 << 10},
	"max_line_bytes":        {1 << 10, 32 << 20},
	"max_body_bytes":        {1 << 10, 1 << 30},
	"max_decoded_bytes":     {1 << 10, 1 << 30},
	"max_query_body_bytes":  {1 << 10, 1 << 30},
	"max_bodies_bytes":      {1 << 20, 1 << 40},
	"max_header_bytes":      {8 << 10, 1 << 20},
	"max_connections":       {1, 1 << 20},
	"header_timeout":        {1, math.MaxInt64},
	"body_timeout":          {1, math.MaxInt64},
	"body_grace":            {1, math.MaxInt64},
	"body_min_rate_bytes":   {1, 1 << 30},
	"write_timeout":         {1, math.MaxInt64},
	"idle_timeout":          {1, math.MaxInt64},
	"ingest_slots":          {0, 1 << 16},
	"ingest_wait":           {1, math.MaxInt64},
	"drain_timeout":         {1, math.MaxInt64},
	"query_slots":           {0, 1 << 16},
	"query_wait":            {1, math.MaxInt64},
	"query_timeout":         {1, math.MaxInt64},
	"query_max_samples":     {1, math.MaxInt32},
	"query_max_series":      {1, math.MaxInt32},
	"query_max_text_bytes":  {1, 1 << 20},
	"lookback_delta":        {1_000_000, math.MaxInt64},
	"mem_limit_bytes":       {0, 1 << 50},
}

// minMemLimit is the least memory that the parts can share.
const minMemLimit = 32 << 20

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// validate reports what is wrong with the settings, each by its source.
func (c *Config) validate() error {
	var faults []error
	for _, f := range c.fields() {
		if limits, ok := bounds[f.key]; ok {
			if n := f.value.Int(); n < limits[0] || n > limits[1] {
				faults = append(faults, c.fault(f.key, "want %s", limitsText(&f, limits)))
			}
		}
	}
	if c.DataDir == "" {
		faults = append(faults, c.fault("data_dir", "want a directory"))
	}
	if slices.ContainsFunc(c.hosts(), badHost) {
		faults = append(faults, c.fault("allowed_hosts", "want names or addresses without ports and brackets, separated by commas, such as db.example.com, or * for any"))
	}
	faults = append(faults, c.checkAddress(), c.checkTLS(), c.checkMemory(), c.checkLabels())
	return errors.Join(faults...)
}

// badHost reports whether a text is neither an address nor like a name.
func badHost(host string) bool {
	_, err := netip.ParseAddr(host)
	return err != nil && strings.ContainsAny(host, ":/[] ")
}

// limitsText says what a number may be.
func limitsText(f *field, limits [2]int64) string {
	text := func(n int64) string {
		scratch := field{value: reflect.New(f.value.Type()).Elem()}
		scratch.value.SetInt(n)
		return scratch.text()
	}
	if limits[1] >= math.MaxInt32 {
		return text(limits[0]) + " or more"
	}
	return text(limits[0]) + " to " + text(limits[1])
}

// fault returns an error about the value of a key, by its source.
func (c *Config) fault(key, format string, args ...any) error {
	source, ok := c.sources[key]
	if !ok {
		source = "default"
	}
	value := ""
	for _, f := range c.fields() {
		if f.key == key {
			value = f.literal()
		}
	}
	return fmt.Errorf("%s: %s = %s: %w", source, key, value, fmt.Errorf(format, args...))
}

// checkAddress refuses what is no address, and to let everybody in from everywhere.
func (c *Config) checkAddress() error {
	key := "listen"
	if c.Listen == "" {
		key = "http_port"
	}
	_, port, err := net.SplitHostPort(c.Address())
	if err != nil {
		return c.fault(key, "want HOST:PORT, such as 127.0.0.1:8080")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return c.fault(key, "want a port from 0 to 65535")
	}
	if !c.Loopback() && c.AuthToken == "" && c.TokensFile == "" && !c.InsecureNoAuth {
		return c.fault("listen", "an address that others can reach needs a token: set auth_token or tokens_file, or say --insecure-no-auth if everybody may read, write and delete")
	}
	return nil
}

func (c *Config) checkTLS() error {
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errors.New("tls_cert and tls_key go together: set both or none")
	case c.TLSClientCA != "" && c.TLSCert == "":
		return c.fault("tls_client_ca", "client certificates need TLS: set tls_cert and tls_key")
	}
	return nil
}

func (c *Config) checkMemory() error {
	if c.MemLimitBytes == 0 {
		return nil
	}
	if c.MemLimitBytes < minMemLimit {
		return c.fault("mem_limit_bytes", "want at least %s, or 0", Size(minMemLimit))
	}
	if _, set := c.sources["memtable_max_bytes"]; set && c.MemtableBytes > c.MemLimitBytes/4 {
		return c.fault("memtable_max_bytes", "two such tables can exist at a time, and half of mem_limit_bytes is for them: want at most %s", c.MemLimitBytes/4)
	}
	return nil
}

func (c *Config) checkLabels() error {
	var faults []error
	for namespace := range c.Retention {
		if namespace == "" || strings.Contains(namespace, ".") || !utf8.ValidString(namespace) {
			faults = append(faults, c.fault("retention", "%q is not a namespace: the part of names up to their first dot", namespace))
		}
	}
	for name := range c.ExternalLabels {
		if !labelName.MatchString(name) || strings.HasPrefix(name, "__") {
			faults = append(faults, c.fault("external_labels", "%q is not the name of a label", name))
		}
	}
	return errors.Join(faults...)
}
