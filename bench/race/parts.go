package race

import (
	"bytes"
	"io"
	"os"
	"runtime/pprof"
	"strings"

	"github.com/google/pprof/profile"
)

// Names of parts that are no packages of an engine.
const (
	SystemPart  = "system calls"
	RuntimePart = "Go runtime"
	APIPart     = "API" // the package at the root of the module
)

// racePackages begin the names of the functions that do not count: the race itself makes
// the points and checks the answers.
const racePackages = "github.com/sydradb/sydradb/bench/"

// profiled runs do under a processor profile, which goes to file as well unless it is "",
// and returns the share of each part of the engine whose module is given.
func profiled(file, module string, do func()) (parts map[string]float64, err error) {
	var buf bytes.Buffer
	var to io.Writer = &buf
	if file != "" {
		f, err := os.Create(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		to = io.MultiWriter(&buf, f)
	}
	if err := pprof.StartCPUProfile(to); err != nil {
		return nil, err
	}
	do()
	pprof.StopCPUProfile()
	p, err := profile.ParseData(buf.Bytes())
	if err != nil {
		return nil, err
	}
	return partsOf(p, module), nil
}

// partsOf splits the samples of a profile, less those of the race, between the packages of
// module, the system, and the rest, which is the runtime and what it does by itself. What a
// package has done by others, such as a library, is its own.
func partsOf(p *profile.Profile, module string) map[string]float64 {
	parts, all := map[string]float64{}, 0.0
	for _, s := range p.Sample {
		part := partOf(s, module)
		if part == "" {
			continue
		}
		n := float64(s.Value[len(s.Value)-1])
		parts[part] += n
		all += n
	}
	for part := range parts {
		parts[part] /= all
	}
	return parts
}

// partOf returns the part that a sample belongs to, "" if it is the race's own.
func partOf(s *profile.Sample, module string) string {
	leaf := true
	system := false
	for _, l := range s.Location {
		for _, line := range l.Line {
			if line.Function == nil {
				continue
			}
			function := line.Function.Name
			if leaf {
				system = strings.Contains(function, "yscall")
				leaf = false
			}
			if strings.HasPrefix(function, racePackages) {
				return ""
			}
			rest, found := strings.CutPrefix(function, module)
			if !found || rest == "" || rest[0] != '/' && rest[0] != '.' {
				continue
			}
			if system {
				return SystemPart
			}
			rest, _, _ = strings.Cut(rest, "[") // the types of what is generic have paths, too
			slash := strings.LastIndexByte(rest, '/') + 1
			dot := strings.IndexByte(rest[slash:], '.')
			if dot < 0 {
				continue
			}
			name := strings.TrimPrefix(strings.TrimPrefix(rest[:slash+dot], "/"), "internal/")
			if name == "" {
				return APIPart
			}
			return name
		}
	}
	return RuntimePart
}
