package target

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/sydradb/sydradb/bench/engine"
)

// Kind is a server that can be loaded.
type Kind struct {
	Name    string
	Program string // path or name of its binary
	Version []string
	// Command returns the arguments that serve dir at address, host:port.
	Command func(dir, address string) []string
	Ready   string            // path that answers 200 once requests are taken
	Write   map[string]string // path by the name of a format
	Flush   string            // path to POST to, so that all points go to files; "" for none
	Compact string            // the same for merging
	Later   bool              // the answer to Compact comes before it is done
	Once    bool              // one run has to do
	Query   string            // path of range queries
	Slow    []string          // arguments with which each batch is synced to the disk
	// Part says what a file below dir is for. Files that are for nothing else are Log.
	Part func(file string) engine.Part
}

// Sydra returns SydraDB's server.
func Sydra(program string, more ...string) *Kind {
	return &Kind{
		Name: "sydradb", Program: program, Version: []string{"version"},
		Command: func(dir, address string) []string {
			return append([]string{"serve", "--data-dir", dir, "--listen", address}, more...)
		},
		Ready: "/ready",
		Write: map[string]string{
			"line": "/write", "line-gzip": "/write",
			"remote1": "/api/v1/write", "remote2": "/api/v1/write",
		},
		Flush:   "/api/v1/admin/flush",
		Compact: "/api/v1/admin/compact",
		Query:   "/api/v1/query_range",
		Slow:    []string{"--fsync", "always"},
		Part: func(file string) engine.Part {
			switch {
			case strings.HasPrefix(file, "segments/"):
				return engine.Data
			case strings.HasPrefix(file, "wal/"), file == "RESERVE":
				return engine.Log
			}
			return engine.Index
		},
	}
}

// Prometheus returns Prometheus as a receiver of remote write.
func Prometheus(program string) *Kind {
	return &Kind{
		Name: "prometheus", Program: program, Version: []string{"--version"}, Once: true,
		Command: func(dir, address string) []string {
			return []string{
				"--config.file=/dev/null", "--storage.tsdb.path=" + dir, "--web.listen-address=" + address,
				"--web.enable-remote-write-receiver", "--storage.tsdb.retention.time=100y", "--log.level=warn",
				"--query.max-samples=100000000",
			}
		},
		Ready: "/-/ready",
		Write: map[string]string{"remote1": "/api/v1/write"},
		Query: "/api/v1/query_range",
		Part: func(file string) engine.Part {
			switch {
			case strings.HasPrefix(file, "wal/"):
				return engine.Log
			case path.Base(file) == "index":
				return engine.Index
			}
			return engine.Data
		},
	}
}

// Victoria returns VictoriaMetrics, as one node.
func Victoria(program string) *Kind {
	return &Kind{
		Name: "victoriametrics", Program: program, Version: []string{"-version"}, Once: true,
		Command: func(dir, address string) []string {
			return []string{
				"-storageDataPath=" + dir, "-httpListenAddr=" + address, "-retentionPeriod=100y", "-loggerLevel=WARN",
				"-search.latencyOffset=0s", "-search.disableCache",
			}
		},
		Ready:   "/health",
		Write:   map[string]string{"line": "/write", "line-gzip": "/write", "remote1": "/api/v1/write"},
		Flush:   "/internal/force_flush",
		Compact: "/internal/force_merge",
		Later:   true,
		Query:   "/api/v1/query_range",
		Part: func(file string) engine.Part {
			if strings.HasPrefix(file, "data/") {
				return engine.Data
			}
			return engine.Index
		},
	}
}

// Kinds returns SydraDB's server and those others for which a program is given: name=path,
// with commas between them.
func Kinds(sydra, others string, more ...string) ([]*Kind, error) {
	out := []*Kind{Sydra(sydra, more...)}
	if others == "" {
		return out, nil
	}
	for other := range strings.SplitSeq(others, ",") {
		name, program, found := strings.Cut(other, "=")
		if !found {
			return nil, errors.New(other + ": not name=program")
		}
		switch name {
		case "prometheus":
			out = append(out, Prometheus(program))
		case "victoriametrics":
			out = append(out, Victoria(program))
		default:
			return nil, fmt.Errorf("no server %q", name)
		}
	}
	return out, nil
}
