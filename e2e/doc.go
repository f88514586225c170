// Package e2e holds the tests of SydraDB with programs that nobody here wrote: Prometheus
// and promtool, vmagent and vmctl, the official client libraries of InfluxDB and of
// OpenTelemetry and, behind the tag thanos, Thanos.
//
// It holds tests only. They start the built binary as a user would and look at it over HTTP;
// nothing of SydraDB is imported. "make e2e" builds the binary, unpacks the other programs
// from Debian's packages and runs the tests; "make e2e-thanos" does the same with Thanos.
//
// The tests wait for real programs that work by the clock, so each of them takes seconds to
// a minute and all run at the same time. Everything listens on 127.0.0.1, and every process
// ends with its test: the kernel kills what is left when the test process dies. For that they
// need Linux.
package e2e
