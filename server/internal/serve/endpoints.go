package serve

import (
	"errors"
	"slices"
	"time"

	"github.com/sydradb/sydradb"
	"github.com/sydradb/sydradb/server/internal/config"
	"github.com/sydradb/sydradb/server/internal/influx"
	"github.com/sydradb/sydradb/server/internal/intake"
	"github.com/sydradb/sydradb/server/internal/metadata"
	"github.com/sydradb/sydradb/server/internal/native"
	"github.com/sydradb/sydradb/server/internal/ndjson"
	"github.com/sydradb/sydradb/server/internal/otlp"
	"github.com/sydradb/sydradb/server/internal/page"
	"github.com/sydradb/sydradb/server/internal/prom"
	"github.com/sydradb/sydradb/server/internal/remotewrite"
	"github.com/sydradb/sydradb/server/internal/upkeep"
	"github.com/sydradb/sydradb/server/internal/vmimport"
	"github.com/sydradb/sydradb/server/internal/web"
)

// earlyRoutes returns the routes that need no open database.
func (s *server) earlyRoutes() ([]web.Route, error) {
	routes, err := page.Routes()
	return slices.Concat(routes, s.node.Routes(), s.metrics.Routes()), err
}

// endpoints returns the routes that need the database.
func (s *server) endpoints(db *sydradb.DB) ([][]web.Route, error) {
	if db == nil {
		return nil, errors.New("no database is open")
	}
	families := metadata.New(0)
	in := intake.New(db, intakeLimits(s.cfg), s.metrics)
	groups := [][]web.Route{
		s.nativeRoutes(db),
		ndjson.Routes(in),
		vmimport.Routes(in),
		otlp.Routes(in, families, time.Duration(s.cfg.LookbackDelta)),
	}
	if s.cfg.EnableInflux {
		groups = append(groups, influx.Routes(in, 0))
	}
	if s.cfg.EnableProm {
		api, err := s.promAPI(db, families)
		if err != nil {
			return nil, err
		}
		s.closers = append(s.closers, api.Close)
		groups = append(groups, api.Routes(), remotewrite.Routes(in, families))
	}
	return groups, nil
}

// intakeLimits returns what points must keep to.
func intakeLimits(cfg *config.Config) intake.Limits {
	return intake.Limits{
		MaxFuture:     time.Duration(cfg.MaxFuture),
		MaxLabels:     cfg.MaxLabels,
		MaxLabelName:  int(cfg.MaxLabelNameBytes),
		MaxLabelValue: int(cfg.MaxLabelValueBytes),
		MaxLine:       int(cfg.MaxLineBytes),
	}
}

func (s *server) nativeRoutes(db *sydradb.DB) []web.Route {
	opts := s.cfg.Options()
	return native.Routes(native.Config{
		DB:      db,
		DataDir: s.cfg.DataDir,
		Rules:   upkeep.Rules{All: opts.Retention, Namespaces: opts.NamespaceRetention},
		Limits: native.Limits{
			Timeout: time.Duration(s.cfg.QueryTimeout),
			Series:  s.cfg.QueryMaxSeries,
			Points:  s.cfg.QueryMaxSamples,
		},
	})
}

func (s *server) promAPI(db *sydradb.DB, families *metadata.Store) (*prom.API, error) {
	return prom.New(prom.Config{
		DB:             db,
		DataDir:        s.cfg.DataDir,
		Logger:         s.logger,
		Registerer:     s.metrics.Registerer(),
		OnError:        s.node.Report,
		Metadata:       families,
		ExternalLabels: s.cfg.ExternalLabels,
		Version:        s.cfg.Version,
		Started:        s.started,
		Retention:      time.Duration(s.cfg.RetentionDays),
		Limits: prom.Limits{
			Timeout:     time.Duration(s.cfg.QueryTimeout),
			Lookback:    time.Duration(s.cfg.LookbackDelta),
			Samples:     int64(s.cfg.QueryMaxSamples),
			Series:      s.cfg.QueryMaxSeries,
			MemoryBytes: s.cfg.Memory().Query,
			TextBytes:   int(s.cfg.QueryMaxTextBytes),
		},
	})
}
