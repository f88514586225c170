package prom

import (
	_ "github.com/prometheus/prometheus/promql/promqltest"
	_ "go.uber.org/goleak"
	_ "pgregory.net/rapid"
	_ "github.com/stretchr/testify/require"
)
