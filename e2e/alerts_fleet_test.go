package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The fault is always in this version, beside a server without faults.
const (
	good = "v2.3.1"
	bad  = "v2.4.0"
)

var (
	ofGood = labels{"job": "mcp", "version": good}
	ofBad  = labels{"job": "mcp", "environment": "production", "region": "us-east-1", "version": bad}
)

// has says whether l has all of these.
func (l labels) has(want labels) bool {
	for name, value := range want {
		if l[name] != value {
			return false
		}
	}
	return true
}

// and is l with one label more, or with another value of it.
func (l labels) and(name, value string) labels {
	all := maps.Clone(l)
	all[name] = value
	return all
}

// TestAlertServers: the alert that matters most, as far as Alertmanager. A
// server that was killed raises it; those that were taken off the list before
// they were shut down, and whose removal the guard holds back, do not answer
// either, and raise none.
func TestAlertServers(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.startAlertmanager(t)
	var shutDown []*exampleServer
	for range 4 {
		shutDown = append(shutDown, s.serve(t, good))
	}
	killed := s.serve(t, bad)
	s.open(t, prometheus2)
	s.list(t, killed) // the rest is more than may leave at once
	eventually(t, inStep, func() error {
		leaving, err := s.prometheus.query(`count(mcp_sd_target_state{state=~"lingering|held"})`)
		if err == nil && (len(leaving) != 1 || leaving[0].value != float64(len(shutDown))) {
			err = fmt.Errorf("Prometheus has %v, want %d that leave", leaving, len(shutDown))
		}
		return err
	})
	for _, m := range s.servers {
		m.signal(t, syscall.SIGTERM)
	}
	eventually(t, retried, func() error { return s.daemon.metric(`mcp_sd_targets{source="racks",state="held"}`, "4") })
	s.fires(t, "MCPServerDown", ofBad.and("instance", killed.address))
	s.fires(t, "MCPSDTargetsHeld", labels{"source": "racks", "severity": "warning"})
	for _, m := range shutDown {
		if err := s.prometheus.up(m.address, "0"); err != nil {
			t.Error(err)
		}
	}
	s.spares(t, ofGood)
	eventually(t, retried, func() error { return s.arrived("MCPServerDown", killed.address) })
}

// startAlertmanager runs it with the shipped stub, which shall not wait.
func (s *stage) startAlertmanager(t *testing.T) {
	t.Helper()
	config, err := os.ReadFile(examples + "alertmanager/alertmanager.yml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "alertmanager.yml")
	replaceFile(t, path, edited(t, string(config), "group_wait: 30s", "group_wait: 1s"))
	startProcess(t, "alertmanager", need(t, alertmanagerBinary), "--config.file="+path,
		"--storage.path="+filepath.Join(dir, "data"), "--web.listen-address="+s.alertmanager, "--cluster.listen-address=")
}

// arrived says whether Alertmanager has the alert and will page somebody. Two
// replicas of one Prometheus have to look the same to it.
func (s *stage) arrived(name, instance string) error {
	body, err := httpGet("http://" + s.alertmanager + "/api/v2/alerts?receiver=pager")
	if err != nil {
		return err
	}
	var all []struct {
		Labels labels `json:"labels"`
	}
	if err := json.Unmarshal(body, &all); err != nil {
		return err
	}
	for _, a := range all {
		if a.Labels.has(labels{"alertname": name, "instance": instance, "prometheus": "mcp-fleet"}) && a.Labels["replica"] == "" {
			return nil
		}
	}
	return fmt.Errorf("the pager does not get %s of %s, but: %s", name, instance, body)
}

// TestAlertTools: calls that fail, and calls that take too long.
func TestAlertTools(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.serve(t, good, "--traffic.rate=20")
	s.serve(t, bad, "--traffic.rate=20", "--fault.error-rate=0.3")
	s.serve(t, "v2.5.0", "--traffic.rate=20", "--fault.latency=3s")
	s.open(t, prometheus2)
	search := ofBad.and("tool_name", "search_documents")
	s.fires(t, "HighToolErrorRate", search)
	s.fires(t, "ToolExecutionLatencyHigh", search.and("version", "v2.5.0"))
	s.spares(t, ofGood.and("tool_name", "search_documents"))
	s.spares(t, ofBad, "HighToolErrorRate")
	s.spares(t, ofBad.and("version", "v2.5.0"), "ToolExecutionLatencyHigh", "HighToolErrorRate")
}

// TestAlertAuthentication: wrong credentials, and somebody who guesses them.
func TestAlertAuthentication(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.serve(t, good, "--traffic.rate=20")
	s.serve(t, bad, "--traffic.rate=20", "--fault.auth-failure-rate=0.5")
	s.serve(t, "v2.5.0", "--fault.auth-attempts=200")
	s.open(t, prometheus2)
	s.fires(t, "HighAuthenticationFailureRate", ofBad.and("method", "bearer"))
	s.fires(t, "AuthenticationAttemptSpike", ofBad.and("version", "v2.5.0"))
	s.spares(t, ofGood, "HighToolErrorRate")
	s.spares(t, ofBad, "HighAuthenticationFailureRate", "HighToolErrorRate")
	s.spares(t, ofBad.and("version", "v2.5.0"), "AuthenticationAttemptSpike")
}

// TestAlertResources: real connections, slow queries, and memory that a cgroup
// limits.
func TestAlertResources(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.serve(t, good, "--traffic.rate=10", "--fault.connections=50")
	crowded := s.serve(t, bad, "--fault.connections=950")
	s.serve(t, "v2.5.0", "--traffic.rate=10", "--fault.db-latency=1500ms")
	full := s.serveLimited(t, "v2.6.0", 256<<20, "--fault.memory-ratio=0.9")
	s.open(t, prometheus2)
	s.fires(t, "ActiveConnectionsHigh", ofBad.and("instance", crowded.address))
	s.fires(t, "DatabaseQueryLatencyHigh", ofBad.and("version", "v2.5.0").and("collection", "documents"))
	s.fires(t, "MemoryUsageHigh", ofBad.and("version", "v2.6.0").and("instance", full.address))
	s.spares(t, ofGood, "HighToolErrorRate")
	// Each connection authenticates: all at once they may be a spike as well.
	s.spares(t, ofBad, "ActiveConnectionsHigh", "AuthenticationAttemptSpike")
	// A tool that asks the database twice is slow as well.
	s.spares(t, ofBad.and("version", "v2.5.0"), "DatabaseQueryLatencyHigh", "ToolExecutionLatencyHigh", "HighToolErrorRate")
	s.spares(t, ofBad.and("version", "v2.6.0"), "MemoryUsageHigh")
}

// serveLimited starts a server in a cgroup of its own.
func (s *stage) serveLimited(t *testing.T, version string, bytes int, flags ...string) *exampleServer {
	t.Helper()
	group := newCgroup(t, bytes)
	m := newExampleServer(t, "production", "us-east-1", version)
	enter := fmt.Sprintf(`echo $$ >%s/cgroup.procs && exec "$@"`, group)
	m.process = startProcess(t, "mcp-server-"+version, "/bin/sh",
		append([]string{"-c", enter, "sh", need(t, exampleServerBinary)}, m.args(flags)...)...)
	s.servers = append(s.servers, m)
	t.Cleanup(func() { // before the server's own clean-up; the group goes when it is empty
		m.kill()
		eventually(t, soon, func() error { return os.Remove(group) }) // its last process goes a moment later
	})
	return m
}

// newCgroup makes a group with a limit of memory, in the first or the second
// version of cgroups.
func newCgroup(t *testing.T, bytes int) string {
	t.Helper()
	name := fmt.Sprintf("mcp-sd-e2e-%d", os.Getpid())
	v1, v2 := filepath.Join("/sys/fs/cgroup/memory", name), filepath.Join("/sys/fs/cgroup", name)
	limit := func(group, file string) error {
		if err := os.Mkdir(group, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		return os.WriteFile(filepath.Join(group, file), []byte(fmt.Sprint(bytes)), 0o644)
	}
	if _, err := os.Stat("/sys/fs/cgroup/memory/cgroup.procs"); err == nil {
		if err := limit(v1, "memory.limit_in_bytes"); err != nil {
			t.Fatalf("limiting the memory of a cgroup needs root and a writable /sys/fs/cgroup: %v", err)
		}
		return v1
	}
	// The root has to hand the controller down; where it does already, this
	// changes nothing.
	_ = os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+memory"), 0o644)
	if err := limit(v2, "memory.max"); err != nil {
		t.Fatalf("limiting the memory of a cgroup needs root and a writable /sys/fs/cgroup: %v", err)
	}
	return v2
}

// TestAlertUsers: tools are called and nothing is rendered. The sign-ups'
// alert looks back a week and at business hours, so promtool alone has it.
func TestAlertUsers(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.serve(t, good, "--traffic.rate=10")
	s.serve(t, bad, "--traffic.rate=10", "--fault.no-widget-renders")
	s.open(t, prometheus2)
	s.fires(t, "WidgetRenderingIssues", ofBad)
	s.spares(t, ofGood, "HighToolErrorRate", "SignupRateDrop")
}

// TestAlertTable: every shipped alert is among those that these tests raise, or
// is promtool's alone, by name.
func TestAlertTable(t *testing.T) {
	t.Parallel()
	sources, err := filepath.Glob("alerts_*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, path := range sources {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(text)
	}
	for _, name := range alertNames(t) {
		raised := strings.Contains(code.String(), fmt.Sprintf(`s.fires(t, %q`, name))
		if alone := name == "SignupRateDrop"; raised == alone {
			t.Errorf("%s: raised by a test here: %t", name, raised)
		}
	}
}
