package discovery

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mcp-sd/mcp-sd/health"
)

// Metrics are the engine's own metrics (contract §10).
type Metrics struct {
	lastPass    prometheus.Gauge
	up          *prometheus.GaugeVec
	lastSuccess *prometheus.GaugeVec
	refreshes   *prometheus.CounterVec
	failures    *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	targets     *prometheus.GaugeVec
	health      *prometheus.GaugeVec
	state       *prometheus.GaugeVec

	kept map[[3]string]bool // the series of state
}

// NewMetrics makes the metrics and registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	bySource := []string{"source", "type"}
	m := &Metrics{
		lastPass: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mcp_sd_last_pass_timestamp_seconds",
			Help: "When a source was last heard and its listing was worked through.",
		}),
		up: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mcp_sd_source_up",
			Help: "Whether every part of the source gave a complete answer the last time.",
		}, bySource),
		lastSuccess: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mcp_sd_source_last_success_timestamp_seconds",
			Help: "When every part of the source last gave a complete answer.",
		}, bySource),
		refreshes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_sd_source_refreshes_total",
			Help: "Listings of the source by outcome.",
		}, append(bySource, "outcome")),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mcp_sd_source_failures_total",
			Help: "Parts of the source that could not be listed, by reason.",
		}, append(bySource, "reason")),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "mcp_sd_source_refresh_duration_seconds",
			Help:    "How long the source took to list its instances, where it was asked.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}, bySource),
		targets: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mcp_sd_targets",
			Help: "Targets by state; each target has exactly one.",
		}, []string{"source", "state"}),
		health: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mcp_sd_target_health",
			Help: "Targets by the verdict of their probes.",
		}, []string{"source", "health"}),
		state: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "mcp_sd_target_state",
			Help: "1 for each target that is published though no source lists it, so that alerts can spare it.",
		}, []string{"target", "source", "state"}),
	}
	reg.MustRegister(m.lastPass, m.up, m.lastSuccess, m.refreshes, m.failures, m.duration, m.targets, m.health, m.state)
	return m
}

func (m *Metrics) pass(now time.Time) { m.lastPass.Set(seconds(now)) }

// Outcomes of a listing.
const (
	outcomeSuccess = "success"
	outcomeFailure = "failure"
)

// listing counts what a source said.
func (m *Metrics) listing(a Arrival, src *Source) {
	if src == nil || a.Early {
		return
	}
	outcome, up := outcomeSuccess, 1.0
	if a.Failed() {
		outcome, up = outcomeFailure, 0
	} else {
		m.lastSuccess.WithLabelValues(src.Name, src.Type).Set(seconds(a.At))
	}
	m.up.WithLabelValues(src.Name, src.Type).Set(up)
	m.refreshes.WithLabelValues(src.Name, src.Type, outcome).Inc()
	for _, p := range a.Parts {
		if p.Err != nil {
			m.failures.WithLabelValues(src.Name, src.Type, reason(p.Err)).Inc()
		}
	}
	if a.Took > 0 {
		m.duration.WithLabelValues(src.Name, src.Type).Observe(a.Took.Seconds())
	}
}

// reason is the word that a source's error has for itself: who is to mend an
// expired role is somebody else than who mends a network.
func reason(err error) string {
	var named interface{ Reason() string }
	switch {
	case errors.As(err, &named):
		return named.Reason()
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	default:
		return "other"
	}
}

// start makes the series of each source exist before anything happened to it.
func (m *Metrics) start(sources []SourceSetup) {
	for _, s := range sources {
		m.refreshes.WithLabelValues(s.Name, s.Type, outcomeSuccess)
		m.refreshes.WithLabelValues(s.Name, s.Type, outcomeFailure)
	}
}

// step shows how the targets stand.
func (m *Metrics) step(p *Plan) {
	for _, t := range p.Tallies {
		for _, st := range Standings {
			m.targets.WithLabelValues(t.Source, string(st)).Set(float64(t.Standing[st]))
		}
		for _, h := range []health.Verdict{health.Up, health.Down, health.Unknown} {
			m.health.WithLabelValues(t.Source, string(h)).Set(float64(t.Health[h]))
		}
	}
	m.keep(p.kept())
}

// keep shows the targets that are published though no source lists them. It
// never takes away what stays, so that no scrape misses it.
func (m *Metrics) keep(kept []KeptTarget) {
	now := make(map[[3]string]bool, len(kept))
	for _, k := range kept {
		lvs := [3]string{k.Key.Address, k.Source, string(k.Standing)}
		now[lvs] = true
		m.state.WithLabelValues(lvs[:]...).Set(1)
	}
	for lvs := range m.kept {
		if !now[lvs] {
			m.state.DeleteLabelValues(lvs[:]...)
		}
	}
	m.kept = now
}

// forget drops the series of sources that a reload took out.
func (m *Metrics) forget(before, now []SourceSetup) {
	kept := map[string]bool{}
	for _, s := range now {
		kept[s.Name+"\x00"+s.Type] = true
	}
	for _, s := range before {
		if !kept[s.Name+"\x00"+s.Type] {
			for _, v := range []*prometheus.MetricVec{m.up.MetricVec, m.lastSuccess.MetricVec, m.refreshes.MetricVec, m.failures.MetricVec, m.duration.MetricVec} {
				v.DeletePartialMatch(prometheus.Labels{"source": s.Name, "type": s.Type})
			}
			m.targets.DeletePartialMatch(prometheus.Labels{"source": s.Name})
			m.health.DeletePartialMatch(prometheus.Labels{"source": s.Name})
		}
	}
	m.start(now)
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
