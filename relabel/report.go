package relabel

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mcp-sd/mcp-sd/target"
)

// Why something was left out: the values of the label "reason" of
// mcp_sd_rejected_total (contract §10), and of Rejection.Reason.
const (
	BadAddress    = "bad_address"     // no host:port that Prometheus could scrape
	Denied        = "denied"          // a literal address that is never a target
	BadLabelName  = "bad_label_name"  // not [a-zA-Z_][a-zA-Z0-9_]*
	BadLabelValue = "bad_label_value" // no UTF-8, too long, control characters, %{, or not what an internal label takes
	ReservedLabel = "reserved_label"  // not for this source, or for nobody, to set

	// Dropped marks a target that relabel_configs left out. That is what they
	// are for: it is explained, and neither counted nor logged.
	Dropped = "relabel_dropped"
)

// Counted reports whether a rejection is one, or the operator's own wish.
func Counted(r target.Rejection) bool { return r.Reason != Dropped }

// Metrics are those of this package.
type Metrics struct{ rejected *prometheus.CounterVec }

// NewMetrics registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "mcp_sd_rejected_total",
		Help: "Targets and labels of targets that were left out, each counted when it appears.",
	}, []string{"source", "reason"})}
	reg.MustRegister(m.rejected)
	return m
}

// announce shows a source's counters from the start: a counter that appears
// with its first increment hides that increment from rate().
func (m *Metrics) announce(source string) {
	for _, reason := range []string{BadAddress, Denied, BadLabelName, BadLabelValue, ReservedLabel} {
		m.rejected.WithLabelValues(source, reason)
	}
}

// logged is how many rejections of one part have a line of their own in one
// pass. The others share lines, so many in each: every one is named once.
const (
	logged  = 20
	inALine = 50
)

// count counts rejections that are new.
func (r *Relabeler) count(fresh []target.Rejection) {
	for _, rej := range fresh {
		r.metrics.rejected.WithLabelValues(r.source, rej.Reason).Inc()
	}
}

// report logs rejections.
func (r *Relabeler) report(level slog.Level, part string, fresh []target.Rejection) {
	for _, rej := range fresh[:min(logged, len(fresh))] {
		r.logOne(level, part, rej)
	}
	for more := range slices.Chunk(fresh[min(logged, len(fresh)):], inALine) {
		names := make([]string, len(more))
		for i, rej := range more {
			names[i] = strings.TrimSuffix(rej.Address+" "+rej.Label, " ")
		}
		r.log.Log(context.Background(), level, "more was left out", "part", part, "count", len(more), "of", strings.Join(names, ", "), "hint", "mcp-sd explain ADDRESS says why")
	}
}

func (r *Relabeler) logOne(level slog.Level, part string, rej target.Rejection) {
	attrs := []any{"part", part, "address", rej.Address}
	msg := "target left out"
	if rej.Label != "" {
		msg = "label left out"
		attrs = append(attrs, "label", rej.Label)
	}
	r.log.Log(context.Background(), level, msg, append(attrs, "reason", rej.Reason, slog.String("detail", rej.Detail))...)
}
