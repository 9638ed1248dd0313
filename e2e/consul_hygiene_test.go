package e2e

import (
	"os"
	"strings"
	"testing"
)

// TestConsulBadMetadata registers what anybody with access to Consul could.
// One bad value costs that label, not the instance and not its neighbours.
func TestConsulBadMetadata(t *testing.T) {
	t.Parallel()
	consul := startConsul(t, "", "")
	fleet := newFleet(t)
	w := newWorkspace(t)
	w.configure(t, `
global: {refresh_interval: 1s}
sources: [{name: consul, consul: {server: %q, services: [mcp]}}]
health: {interval: 2s, timeout: 2s, allow_cidrs: [127.0.0.0/8]}
outputs: [{path: '$TARGETS/mcp-{environment}.json', min_write_interval: 100ms}]
`, consul.address)
	for ip, meta := range map[string]map[string]string{
		"127.0.5.1": {"environment": "production", "version": "v1"},
		"127.0.5.2": {"environment": "../../etc/cron.d/x", "version": "v1"},
		"127.0.5.3": {"environment": "production", "region": "%{HOME}"},
		"127.0.5.4": {"environment": "production", "region": "line\nbreak", "version": "v1"},
	} {
		fleet.add(ip, "v1")
		consul.register(t, fleet, service{name: "mcp", ip: ip, meta: meta})
	}
	// An address that is none: it must be dropped alone.
	consul.register(t, fleet, service{name: "mcp", ip: "127.0.5.5/metrics"})
	daemon := w.start(t)

	eventually(t, soon, func() error {
		return fileHas(w.output("mcp-production.json"), map[string]labels{
			fleet.address("127.0.5.1"): {"environment": "production", "region": "dc1", "version": "v1"},
			fleet.address("127.0.5.3"): {"environment": "production", "version": "v1"},
			fleet.address("127.0.5.4"): {"environment": "production", "version": "v1"},
		})
	})
	eventually(t, soon, func() error {
		return fileHas(w.output("mcp-unknown.json"), map[string]labels{
			fleet.address("127.0.5.2"): {"environment": "../../etc/cron.d/x", "region": "dc1", "version": "v1"},
		})
	})
	onlyIn(t, w.targets, ".mcp-sd", "mcp-production.json", "mcp-unknown.json")
	body, err := httpGet(daemon.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(body), `mcp_sd_rejected_total{reason="`) {
		t.Errorf("nothing is counted in mcp_sd_rejected_total:\n%s", body)
	}
}

// onlyIn checks the names in a directory.
func onlyIn(t *testing.T, dir string, want ...string) {
	t.Helper()
	if got := strings.Join(namesIn(t, dir), " "); got != strings.Join(want, " ") {
		t.Errorf("%s has %s, want %v", dir, got, want)
	}
}

func namesIn(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
