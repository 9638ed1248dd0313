package health

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics are this package's own (contract §10).
type Metrics struct {
	probes   *prometheus.CounterVec
	queries  *prometheus.CounterVec
	duration prometheus.Histogram
}

// NewMetrics registers them. It is called once; a reload goes on with them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	return &Metrics{
		probes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_sd_probes_total",
			Help: "Probes by source and result: up, the class of the failure, or canceled where mcp-sd itself could not ask.",
		}, []string{"source", "result"}),
		queries: f.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_sd_mcp_queries_total",
			Help: "Questions who a server is, by source and result: mcp, not_mcp, unauthorized, or why it did not answer.",
		}, []string{"source", "result"}),
		duration: f.NewHistogram(prometheus.HistogramOpts{
			Name:    "mcp_sd_probe_duration_seconds",
			Help:    "How long probes took, failed ones included.",
			Buckets: prometheus.DefBuckets,
		}),
	}
}

// open makes a source's series exist before its first probe.
func (m *Metrics) open(source string) {
	if source != "" { // targets that no source claims are rare
		m.probes.WithLabelValues(source, ClassUp.String())
	}
}

// Forget drops the series of a source that was taken out of the configuration.
func (m *Metrics) Forget(source string) {
	m.probes.DeletePartialMatch(prometheus.Labels{"source": source})
	m.queries.DeletePartialMatch(prometheus.Labels{"source": source})
}

func (m *Metrics) observe(source string, class Class, took time.Duration) {
	m.probes.WithLabelValues(source, class.String()).Inc()
	if class != ClassCanceled {
		m.duration.Observe(took.Seconds())
	}
}

// answered counts a question who a server is.
func (m *Metrics) answered(source string, r *Result) {
	result := r.Class.String()
	if r.MCP.Proved {
		result = "mcp"
	}
	m.queries.WithLabelValues(source, result).Inc()
}
