package writer

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the writer's own (contract §10). They are made once and handed
// to one writer after the other; the series per file are those of the writer
// that published last.
type Metrics struct {
	writes    *prometheus.CounterVec
	files     atomic.Pointer[[]File]
	writtenAt *prometheus.Desc
	targets   *prometheus.Desc
	hash      *prometheus.Desc
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	perFile := []string{"file"}
	m := &Metrics{
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_sd_writes_total",
			Help: "Attempts to write an output file, by outcome.",
		}, []string{"outcome"}),
		writtenAt: prometheus.NewDesc("mcp_sd_last_write_timestamp_seconds",
			"When the output file was last written, or at the start its modification time.", perFile, nil),
		targets: prometheus.NewDesc("mcp_sd_published_targets",
			"Targets in the output file.", perFile, nil),
		hash: prometheus.NewDesc("mcp_sd_output_hash",
			"First 48 bits of a SHA-256 over the output file's targets and labels, without the __meta_ labels: replicas that disagree differ.", perFile, nil),
	}
	m.writes.WithLabelValues("success")
	m.writes.WithLabelValues("failure")
	reg.MustRegister(m)
	return m
}

func (m *Metrics) written() { m.writes.WithLabelValues("success").Inc() }
func (m *Metrics) failed()  { m.writes.WithLabelValues("failure").Inc() }

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	m.writes.Describe(ch)
	ch <- m.writtenAt
	ch <- m.targets
	ch <- m.hash
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.writes.Collect(ch)
	files := m.files.Load()
	if files == nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, path string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, path)
	}
	for _, f := range *files {
		gauge(m.writtenAt, float64(f.WrittenAt.UnixMilli())/1000, f.Path)
		gauge(m.targets, float64(f.Targets), f.Path)
		gauge(m.hash, float64(f.Hash), f.Path)
	}
}
