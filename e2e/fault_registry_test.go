package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestRegistryFaults: whatever a registry does instead of listing all pages, all
// that it listed stays, although there are no probes here that could speak for
// it, also over a restart in the middle and in --once. Then what it deletes
// leaves, with and without a trace, and what it deprecates stays.
func TestRegistryFaults(t *testing.T) {
	t.Parallel()
	r := newRegistryFaults(t)
	r.lists(t)
	for _, fault := range []struct {
		reason string
		fault  map[string]any
	}{
		{"unavailable", map[string]any{"Status": 503}},
		{"unauthorized", map[string]any{"Status": 401, "FromPage": 2}},
		{"unavailable", map[string]any{"Cut": true, "FromPage": 2}},
		{"bad_answer", map[string]any{"Short": true, "FromPage": 2}},
		{"bad_answer", map[string]any{"Loop": true}},
		{"bad_answer", map[string]any{"Body": "<html>Log in</html>", "FromPage": 2}},
		{"redirect", map[string]any{"Redirect": "http://127.0.0.1:9/v0.1/servers"}},
		{"timeout", map[string]any{"Hang": true, "FromPage": 2}},
	} {
		r.suffers(t, fault.reason, fault.fault)
	}
	r.once(t)
	r.down(t)
	r.leaves(t)
}

type registryFaults struct {
	*workspace
	registry *registryServer
	daemon   *daemon
	listed   []registered
}

func newRegistryFaults(t *testing.T) *registryFaults {
	t.Helper()
	r := &registryFaults{workspace: newWorkspace(t), registry: newRegistryServer(t)}
	for i := range 20 {
		r.listed = append(r.listed, registered{
			Name: fmt.Sprintf("com.example/s%02d", i), Version: "1.0.0", Publisher: map[string]string{"environment": "production"},
			Remotes: []map[string]string{{"type": "streamable-http", "url": fmt.Sprintf("https://10.3.0.%d/mcp", i+1)}},
		})
	}
	r.registry.tell(t, http.MethodPut, "servers", r.listed)
	r.registry.tell(t, http.MethodPut, "servers", []registered{
		{Name: "com.example/tenants", Version: "1.0.0", Remotes: []map[string]string{{"type": "sse", "url": "https://{tenant_id}.example.com/sse"}}},
		{Name: "net.example/other", Version: "1.0.0", Remotes: []map[string]string{{"type": "sse", "url": "https://10.3.9.9/sse"}}},
	})
	r.configure(t, `
global: {refresh_interval: 300ms, source_timeout: 2s}
sources:
  - name: registry
    mcp_registry: {server: %q, name_regex: 'com\.example/.*'}
    relabel_configs:
      - {source_labels: [__meta_mcp_registry_remote_scheme], target_label: __scheme__}
health: {enabled: false}
guard: {window: 1s}
outputs: [{path: "$TARGETS/mcp-{environment}.json", min_write_interval: 100ms}]
`, r.registry.url)
	r.starts(t)
	return r
}

func (r *registryFaults) starts(t *testing.T) {
	t.Helper()
	r.daemon = r.start(t)
	eventually(t, soon, r.whole)
}

func (r *registryFaults) whole() error {
	targets, err := readTargets(r.output("mcp-production.json"))
	if err == nil && len(targets) != len(r.listed) {
		err = fmt.Errorf("%d targets are published, want %d", len(targets), len(r.listed))
	}
	return err
}

// lists: the labels of a target, and the one that is none.
func (r *registryFaults) lists(t *testing.T) {
	t.Helper()
	body, err := os.ReadFile(r.output("mcp-production.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"10.3.0.1:443"`, `"__scheme__": "https"`, `"version": "1.0.0"`} {
		if !strings.Contains(string(body), want) {
			t.Errorf("the file lacks %s:\n%s", want, body)
		}
	}
	eventually(t, soon, func() error {
		_, err := r.daemon.sample(`mcp_sd_rejected_total{reason="url_template",source="registry"}`)
		return err
	})
}

// suffers one fault, meanwhile mcp-sd is killed and starts again.
func (r *registryFaults) suffers(t *testing.T, reason string, fault map[string]any) {
	t.Helper()
	r.registry.tell(t, http.MethodPut, "fault", fault)
	r.fails(t, reason)
	r.daemon.kill()
	r.starts(t)
	r.fails(t, reason)
	holds(t, time.Second, r.whole)
	r.registry.tell(t, http.MethodDelete, "fault", nil)
	eventually(t, retried, func() error { return r.daemon.sourceUp("registry", "mcp_registry", "1") })
}

func (r *registryFaults) fails(t *testing.T, reason string) {
	t.Helper()
	series := fmt.Sprintf(`mcp_sd_source_failures_total{reason=%q,source="registry",type="mcp_registry"}`, reason)
	eventually(t, soon, func() error {
		if _, err := r.daemon.sample(series); err != nil {
			return err
		}
		return r.daemon.sourceUp("registry", "mcp_registry", "0")
	})
}

// once: a pass in front of a broken registry keeps all, says so, and ends with
// the status for that.
func (r *registryFaults) once(t *testing.T) {
	t.Helper()
	r.daemon.stops(t)
	r.registry.tell(t, http.MethodPut, "fault", map[string]any{"Status": 503, "FromPage": 2})
	if got := r.workspace.once(t); got.code != 5 || !strings.Contains(got.stderr, "page 2: status 503") {
		t.Errorf("--once ended with %d: %s", got.code, got.stderr)
	}
	if err := r.whole(); err != nil {
		t.Error(err)
	}
	r.registry.tell(t, http.MethodDelete, "fault", nil)
	if got := r.workspace.once(t); got.code != 0 {
		t.Errorf("--once ended with %d: %s", got.code, got.stderr)
	}
}

// down: mcp-sd starts while the registry is not there.
func (r *registryFaults) down(t *testing.T) {
	t.Helper()
	r.registry.kill()
	r.starts(t)
	r.fails(t, "unavailable")
	holds(t, time.Second, r.whole)
	r.registry.start(t)
	r.registry.tell(t, http.MethodPut, "servers", r.listed)
	eventually(t, retried, func() error { return r.daemon.sourceUp("registry", "mcp_registry", "1") })
}

// leaves: one that is deprecated stays, one that is deleted goes, and so does one
// that somebody has taken out without a trace.
func (r *registryFaults) leaves(t *testing.T) {
	t.Helper()
	status := func(s registered, status string) {
		s.Status = status
		r.registry.tell(t, http.MethodPut, "status", s)
	}
	status(r.listed[0], "deprecated")
	last := len(r.listed) - 1
	status(r.listed[last], "deleted")
	r.listed = r.listed[:last]
	eventually(t, retried, r.whole)
	r.registry.tell(t, http.MethodDelete, "servers", r.listed[last-1:])
	r.listed = r.listed[:last-1]
	eventually(t, retried, r.whole)
}
