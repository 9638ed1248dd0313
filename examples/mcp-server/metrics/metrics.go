// Package metrics is the instrumentation of an MCP server, ready to be
// imported: every mcp_* metric, the wrappers that record them, an HTTP
// middleware, and the handler that exposes them.
//
//	m := metrics.New(metrics.Options{Version: "v2.3.1", Labels: metrics.Labels{Tools: names}})
//	err := m.Tool(ctx, "search", "pro", func(ctx context.Context) error { … })
//	http.ListenAndServe(addr, m.HTTP(mux))
//
// What a label may say is limited, whatever a wrapper is given: a value that
// is not among the declared ones becomes "other", and a label for which none
// are declared takes the first 50 that it sees. Clients can therefore neither
// invent series nor fill the memory. A name that a client chose should still
// be left to "other" by declaring one's own, or the first clients decide which
// 50 those are.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// DefaultPrefix begins the name of every metric of the server's own.
const DefaultPrefix = "mcp_"

// Options say whose metrics these are.
type Options struct {
	Version string // value of mcp_build_info's label; empty: unknown
	Prefix  string // of the metrics' names; empty: DefaultPrefix
	Labels  Labels // the values that labels may have
}

// Metrics holds everything that one MCP server measures, in a registry of its
// own. Its methods may be called by any number of goroutines.
type Metrics struct {
	registry *prometheus.Registry

	toolInvocations counter
	toolDuration    histogram
	toolErrors      counter

	widgetRenders  counter
	renderDuration histogram
	widgetUpdates  counter

	connections        gauge
	connectionDuration histogram
	authAttempts       counter
	authFailures       counter

	signups  counter
	upgrades counter
	revenue  gauge

	queryDuration histogram
	queueDepth    gauge
	lookups       *lookups

	httpRequests     counter
	httpDuration     histogram
	httpRequestSize  histogram
	httpResponseSize histogram
	routes           *words
}

// New returns the metrics of a server, registered together with the default
// Go and process collectors and machine_memory_bytes. Counters whose labels
// are all declared begin with 0, so that a rate sees their first increment.
func New(o Options) *Metrics {
	if o.Version == "" {
		o.Version = "unknown"
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.define(definer{prefix: o.Prefix, registry: m.registry, words: newWords(o.Labels)})
	m.registry.MustRegister(
		buildInfo(o.Prefix, o.Version), machineMemory("/"),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func buildInfo(prefix, version string) prometheus.Collector {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: prefix + "build_info",
		Help: "Always 1; the label says which version this server is.",
	}, []string{"version"})
	g.WithLabelValues(version).Set(1)
	return g
}

// Registry is where a server registers what it measures beyond this.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// Handler exposes the metrics to Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.InstrumentMetricHandler(m.registry,
		promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry}))
}
