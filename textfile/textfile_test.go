package textfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/mcp-sd/mcp-sd/state"
)

// pass is one process: new counters, the same folder.
func pass(t *testing.T, path string, folder Folder, count func(c *prometheus.CounterVec, h prometheus.Histogram, g prometheus.Gauge)) string {
	t.Helper()
	reg := prometheus.NewRegistry()
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mcp_sd_probes_total", Help: "Probes."}, []string{"result"})
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "mcp_sd_took_seconds", Help: "Took.", Buckets: []float64{1, 2}})
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "mcp_sd_targets", Help: "Targets."})
	reg.MustRegister(c, h, g, collectors.NewGoCollector())
	count(c, h, g)
	if err := Write(path, reg, folder); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Contract §2: mcp_sd_* alone, mode 0644, counters continued from the state.
func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mcp-sd.prom")
	folder := state.New(t.TempDir())
	pass(t, path, folder, func(c *prometheus.CounterVec, h prometheus.Histogram, g prometheus.Gauge) {
		c.WithLabelValues("up").Add(3)
		c.WithLabelValues("refused").Inc()
		h.Observe(1.5)
		g.Set(7)
	})
	text := pass(t, path, folder, func(c *prometheus.CounterVec, h prometheus.Histogram, g prometheus.Gauge) {
		c.WithLabelValues("up").Add(4)
		h.Observe(0.5)
		g.Set(5)
	})
	for _, want := range []string{
		`mcp_sd_probes_total{result="up"} 7`,
		`mcp_sd_probes_total{result="refused"} 1`,
		`mcp_sd_took_seconds_bucket{le="1"} 1`,
		`mcp_sd_took_seconds_bucket{le="2"} 2`,
		`mcp_sd_took_seconds_count 2`,
		`mcp_sd_took_seconds_sum 2`,
		"mcp_sd_targets 5",
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("the textfile lacks %s:\n%s", want, text)
		}
	}
	if strings.Contains(text, "go_goroutines") {
		t.Error("the textfile has go_* metrics")
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o644 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
}

// Counters that can't be read start anew.
func TestDamagedCounters(t *testing.T) {
	folder := state.New(t.TempDir())
	if err := folder.Write(counters, []byte("{{{")); err != nil {
		t.Fatal(err)
	}
	text := pass(t, filepath.Join(t.TempDir(), "x.prom"), folder, func(c *prometheus.CounterVec, _ prometheus.Histogram, _ prometheus.Gauge) {
		c.WithLabelValues("up").Inc()
	})
	if !strings.Contains(text, `mcp_sd_probes_total{result="up"} 1`) {
		t.Error(text)
	}
}
