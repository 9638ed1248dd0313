package health

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
)

// The metrics of contract §10, there before the first probe.
func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	for range 2 { // a reload builds another
		s, err := NewSpec("racks", DefaultOptions(), true, m)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	check := func(want string) {
		t.Helper()
		const head = "# HELP mcp_sd_probes_total Probes by source and result: up, the class of the failure, or canceled where mcp-sd itself could not ask.\n# TYPE mcp_sd_probes_total counter\n"
		if err := testutil.GatherAndCompare(reg, strings.NewReader(head+want), "mcp_sd_probes_total"); err != nil {
			t.Error(err)
		}
	}
	check("mcp_sd_probes_total{result=\"up\",source=\"racks\"} 0\n")
	m.observe("racks", ClassUp, time.Second)
	m.observe("racks", ClassTimeout, 10*time.Second)
	m.observe("racks", ClassCanceled, 0)
	m.observe("consul", ClassUp, time.Second)
	m.Forget("consul")
	check("mcp_sd_probes_total{result=\"canceled\",source=\"racks\"} 1\nmcp_sd_probes_total{result=\"timeout\",source=\"racks\"} 1\nmcp_sd_probes_total{result=\"up\",source=\"racks\"} 1\n")
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	h := families[slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "mcp_sd_probe_duration_seconds" })].GetMetric()[0].GetHistogram()
	if h.GetSampleCount() != 3 || h.GetBucket()[0].GetUpperBound() != 0.005 || h.GetBucket()[len(h.GetBucket())-1].GetUpperBound() != 10 {
		t.Errorf("%v", h)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// A probe is counted for its source where it ended in a verdict, or where
// mcp-sd itself could not ask, but not where it was called off.
func TestProbesAreCounted(t *testing.T) {
	m := NewMetrics(prometheus.NewRegistry())
	sweeper := NewSweeper(nil, 1, m)
	for _, r := range []Result{{Class: ClassUp}, {Class: ClassRefused}, {Class: ClassCanceled}, {Class: ClassCanceled, Detail: "no files left"}} {
		sweeper.count(&flight{check: Check{Spec: spec(t, nil)}, result: r})
	}
	if n := testutil.CollectAndCount(m.probes); n != 3 {
		t.Errorf("%d results", n)
	}
}
