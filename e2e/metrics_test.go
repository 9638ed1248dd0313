package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// metricNames are those that alerts and dashboards may rely on.
var metricNames = []string{
	"mcp_sd_build_info",
	"mcp_sd_config_last_reload_successful",
	"mcp_sd_config_last_reload_success_timestamp_seconds",
	"mcp_sd_last_pass_timestamp_seconds",
	"mcp_sd_source_up",
	"mcp_sd_source_last_success_timestamp_seconds",
	"mcp_sd_source_refreshes_total",
	"mcp_sd_source_failures_total",
	"mcp_sd_source_refresh_duration_seconds",
	"mcp_sd_targets",
	"mcp_sd_target_health",
	"mcp_sd_target_state",
	"mcp_sd_probes_total",
	"mcp_sd_probe_duration_seconds",
	"mcp_sd_rejected_total",
	"mcp_sd_writes_total",
	"mcp_sd_last_write_timestamp_seconds",
	"mcp_sd_published_targets",
	"mcp_sd_output_hash",
}

var (
	ownMetric     = regexp.MustCompile(`^mcp_sd_[a-z_]+`)
	histogramPart = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// TestMetrics looks at a daemon that has had something of everything: targets
// up, down, pending, lingering and rejected, and a source that failed.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t)
	f := newFleet(t)
	f.add("127.0.8.1", "v1")
	f.add("127.0.8.2", "v1")
	f.add("127.0.8.3", "v1")
	f.set("127.0.8.3", loginPage)
	w.configure(t, `
global: {refresh_interval: 1s}
sources:
  - {name: racks, static: {files: ['$STATIC/*.yml']}}
  - {name: unreachable, consul: {server: "127.0.0.1:%d"}}
health: {interval: 2s, timeout: 2s}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, freePort(t))
	list := func(ips ...string) {
		replaceFile(t, filepath.Join(w.static, "a.yml"), fmt.Sprintf("[{targets: ['%s', '10.0.0.1/x']}]",
			strings.Join(ips, "', '")))
	}
	list(f.address("127.0.8.1"), f.address("127.0.8.2"), f.address("127.0.8.3"))
	daemon := w.start(t)
	eventually(t, soon, func() error { return daemon.metric(`mcp_sd_targets{source="racks",state="published"}`, "2") })
	eventually(t, soon, func() error { return daemon.metric(`mcp_sd_targets{source="racks",state="pending"}`, "1") })
	eventually(t, soon, func() error { return daemon.sourceUp("unreachable", "consul", "0") })
	list(f.address("127.0.8.1"), f.address("127.0.8.3"))
	eventually(t, soon, func() error { return daemon.metric(`mcp_sd_targets{source="racks",state="lingering"}`, "1") })

	metricsAreClean(t, daemon)
	if _, err := httpGet(daemon.url + "/-/healthy"); err != nil {
		t.Error(err)
	}
}

func metricsAreClean(t *testing.T, daemon *daemon) {
	body, err := httpGet(daemon.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	promtoolChecks(t, body)
	for _, name := range metricNames {
		if !regexp.MustCompile(`(?m)^` + name + `(_count)?(\{.*\})? `).Match(body) {
			t.Errorf("/metrics has no sample of %s", name)
		}
	}
	for line := range strings.Lines(string(body)) {
		name := ownMetric.FindString(line)
		if name != "" && !slices.Contains(metricNames, histogramPart.ReplaceAllString(name, "")) {
			t.Errorf("%s is not among the documented metrics", name)
		}
		if strings.Contains(line, `source=""`) {
			t.Errorf("a source without a name: %s", line)
		}
	}
}

// promtoolChecks lets the linter of Prometheus read metrics.
func promtoolChecks(t *testing.T, metrics []byte) {
	t.Helper()
	cmd := exec.Command(need(t, promtoolBinary), "check", "metrics")
	cmd.Stdin = bytes.NewReader(metrics)
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s\nof\n%s", err, out, metrics)
	}
}

// TestTextfile: what --once leaves for node_exporter.
func TestTextfile(t *testing.T) {
	t.Parallel()
	o := newOnce(t)
	path := filepath.Join(o.dir, "mcp-sd.prom")
	o.once(t, "--metrics.textfile="+path).expectSilence(t)
	metrics, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	promtoolChecks(t, metrics)
	for line := range bytes.Lines(metrics) {
		if !bytes.HasPrefix(line, []byte("#")) && !bytes.HasPrefix(line, []byte("mcp_sd_")) {
			t.Errorf("the textfile has a metric of another kind: %s", line)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%s: %v, %v, want mode 0644", path, info, err)
	}
}
