package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Config are the settings. Its fields are described in docs/configuration.md; those
// without a help text are no flags.
type Config struct {
	DataDir    string `toml:"data_dir"`
	Listen     string `toml:"listen" help:"address to serve on, as HOST:PORT; other than loopback needs a token (default 127.0.0.1:8080)"`
	HTTPPort   int    `toml:"http_port"`
	EnableProm bool   `toml:"enable_prom"`

	EnableInflux bool `toml:"enable_influx"`

	// Durability and memory.
	Fsync           Policy `toml:"fsync" help:"when the log is synced: always, interval or none (default interval)"`
	FsyncIntervalMS int    `toml:"fsync_interval_ms"`
	FlushIntervalMS int    `toml:"flush_interval_ms"`
	MemtableBytes   Size   `toml:"memtable_max_bytes" help:"points in memory before they are written to segment files, a size such as 64MiB (default 128MiB)"`
	CacheBytes      Size   `toml:"cache_bytes"`
	MemLimitBytes   Size   `toml:"mem_limit_bytes" help:"memory for points, cache, request bodies and queries together, a size (default: each has its own limit)"`

	// What is kept.
	RetentionDays   Days  `toml:"retention_days" help:"keep points for so many days, counted from their times (default: for ever)"`
	Retention       Rules `toml:"retention" help:"the same for series whose name up to its first dot is NAMESPACE, as NAMESPACE=DAYS; repeatable"`
	MaxDiskBytes    Size  `toml:"max_disk_bytes" help:"refuse points when the directory takes this size, such as 2GiB (default: none)"`
	ReserveBytes    Size  `toml:"reserve_bytes"`
	MinFreeBytes    Size  `toml:"min_free_bytes"`
	MaxSeries       int   `toml:"max_series" help:"refuse new series beyond this number (default 1000000)"`
	MaxSegmentFiles int   `toml:"max_segment_files"`
	SegmentCodec    int   `toml:"segment_codec"`

	// Who may do what.
	AuthToken      Secret `toml:"auth_token"`
	TokensFile     string `toml:"tokens_file" help:"file of tokens with their scopes"`
	InsecureNoAuth bool   `toml:"insecure_no_auth"`
	AllowedHosts   string `toml:"allowed_hosts"`
	TLSCert        string `toml:"tls_cert" help:"file of the certificate; serves HTTPS"`
	TLSKey         string `toml:"tls_key" help:"file of the certificate's key"`
	TLSClientCA    string `toml:"tls_client_ca"`

	// What points may look like.
	MaxFuture          Duration `toml:"max_future"`
	MaxLabels          int      `toml:"max_labels"`
	MaxLabelNameBytes  Size     `toml:"max_label_name_bytes"`
	MaxLabelValueBytes Size     `toml:"max_label_value_bytes"`
	MaxLineBytes       Size     `toml:"max_line_bytes"`

	// What requests may take.
	MaxBodyBytes      Size     `toml:"max_body_bytes"`
	MaxDecodedBytes   Size     `toml:"max_decoded_bytes"`
	MaxQueryBodyBytes Size     `toml:"max_query_body_bytes"`
	MaxBodiesBytes    Size     `toml:"max_bodies_bytes"`
	MaxHeaderBytes    Size     `toml:"max_header_bytes"`
	MaxConnections    int      `toml:"max_connections"`
	HeaderTimeout     Duration `toml:"header_timeout"`
	BodyTimeout       Duration `toml:"body_timeout"`
	BodyGrace         Duration `toml:"body_grace"`
	BodyMinRateBytes  Size     `toml:"body_min_rate_bytes"`
	WriteTimeout      Duration `toml:"write_timeout"`
	IdleTimeout       Duration `toml:"idle_timeout"`
	IngestSlots       int      `toml:"ingest_slots"`
	IngestWait        Duration `toml:"ingest_wait"`
	DrainTimeout      Duration `toml:"drain_timeout"`

	// What queries may take.
	QuerySlots        int      `toml:"query_slots"`
	QueryWait         Duration `toml:"query_wait"`
	QueryTimeout      Duration `toml:"query_timeout" help:"longest time that a query may take, such as 30s (default 30s)"`
	QueryMaxSamples   int      `toml:"query_max_samples"`
	QueryMaxSeries    int      `toml:"query_max_series"`
	QueryMemoryBytes  Size     `toml:"query_memory_bytes"`
	QueryMaxTextBytes Size     `toml:"query_max_text_bytes"`
	LookbackDelta     Duration `toml:"lookback_delta"`

	ExternalLabels Labels `toml:"external_labels"`

	LogLevel  Level  `toml:"log_level" help:"least level of what is logged: debug, info, warn or error (default info)"`
	LogFormat Format `toml:"log_format" help:"form of the log: text or json (default text)"`

	// File is the path of the file that was read, "" if there was none.
	File string `toml:"-"`
	// Version is that of the program, for who asks the server. It is no setting.
	Version string `toml:"-"`

	sources map[string]string // where the values of keys come from; not those by default
}

// Default returns the settings that nobody changed. Zeros mean, as docs/configuration.md
// has them, no limit, or a value that depends on others.
func Default() *Config {
	const kib, mib = 1 << 10, 1 << 20
	return &Config{
		DataDir:      "./data",
		HTTPPort:     8080,
		EnableProm:   true,
		EnableInflux: true,

		Fsync:           "interval",
		FsyncIntervalMS: 1000,
		FlushIntervalMS: 600_000,
		MemtableBytes:   128 * mib,
		CacheBytes:      64 * mib,
		ReserveBytes:    64 * mib,
		MaxSeries:       1_000_000,
		MaxSegmentFiles: 64,
		SegmentCodec:    2,

		MaxFuture:          Duration(time.Hour),
		MaxLabels:          40,
		MaxLabelNameBytes:  256,
		MaxLabelValueBytes: 4 * kib,
		MaxLineBytes:       256 * kib,

		MaxBodyBytes:      32 * mib,
		MaxDecodedBytes:   32 * mib,
		MaxQueryBodyBytes: mib,
		MaxBodiesBytes:    512 * mib,
		MaxHeaderBytes:    32 * kib,
		MaxConnections:    512,
		HeaderTimeout:     Duration(5 * time.Second),
		BodyTimeout:       Duration(2 * time.Minute),
		BodyGrace:         Duration(10 * time.Second),
		BodyMinRateBytes:  kib,
		WriteTimeout:      Duration(time.Minute),
		IdleTimeout:       Duration(time.Minute),
		IngestWait:        Duration(10 * time.Second),
		DrainTimeout:      Duration(30 * time.Second),

		QueryWait:         Duration(10 * time.Second),
		QueryTimeout:      Duration(30 * time.Second),
		QueryMaxSamples:   50_000_000,
		QueryMaxSeries:    100_000,
		QueryMemoryBytes:  256 * mib,
		QueryMaxTextBytes: 16 * kib,
		LookbackDelta:     Duration(5 * time.Minute),

		LogLevel:  "info",
		LogFormat: "text",
	}
}

// Address returns the address to listen on: Listen, or HTTPPort on loopback.
func (c *Config) Address() string {
	if c.Listen != "" {
		return c.Listen
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.HTTPPort))
}

// Loopback reports whether the address can be reached from this machine alone.
func (c *Config) Loopback() bool {
	host, _, err := net.SplitHostPort(c.Address())
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Hosts returns what web.Config.Hosts is to be: what allowed_hosts names, if anything. Else
// it is nil if the server is protected otherwise, by tokens, or is meant to be open to others.
func (c *Config) Hosts() []string {
	hosts := c.hosts()
	if len(hosts) == 0 && (!c.Loopback() || c.AuthToken != "" || c.TokensFile != "") {
		return nil
	}
	return hosts
}

// hosts returns the names and addresses in allowed_hosts, not nil if there are none.
func (c *Config) hosts() []string {
	hosts := []string{}
	for host := range strings.SplitSeq(c.AllowedHosts, ",") {
		host = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(host)), ".")
		if ip, err := netip.ParseAddr(host); err == nil {
			host = ip.String() // as web writes it
		}
		if host != "" {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// String returns the settings in the form of the file, secrets masked.
func (c *Config) String() string {
	var b strings.Builder
	var tables []field
	for _, f := range c.fields() {
		if f.table() {
			tables = append(tables, f)
			continue
		}
		fmt.Fprintf(&b, "%s = %s\n", f.key, f.literal())
	}
	for _, f := range tables {
		if entries := f.entries(); len(entries) > 0 {
			fmt.Fprintf(&b, "\n[%s]\n%s\n", f.key, strings.Join(entries, "\n"))
		}
	}
	return b.String()
}

// GoString is String, so that no way of printing shows a secret.
func (c *Config) GoString() string { return c.String() }

// LogValue implements slog.LogValuer: the settings that differ from their defaults,
// secrets masked.
func (c *Config) LogValue() slog.Value {
	var attrs []slog.Attr
	initial := Default().fields()
	for i, f := range c.fields() {
		if text := f.text(); text != initial[i].text() {
			attrs = append(attrs, slog.String(f.key, text))
		}
	}
	return slog.GroupValue(attrs...)
}
