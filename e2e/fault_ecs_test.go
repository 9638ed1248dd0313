package e2e

import (
	"fmt"
	"net/http"
	"testing"
)

const ecsMany = 250 // three pages

// TestECSFaults: whatever ECS answers instead of a whole listing, all that it
// listed stays, although there are no probes here that could speak for it; the
// metric has a word for why, also after a restart in the middle. Once ECS
// answers, what is gone leaves.
func TestECSFaults(t *testing.T) {
	t.Parallel()
	e := newECSFaults(t)
	for _, fault := range []struct {
		name, reason string
		fault        map[string]any
	}{
		{"throttled", "throttled", map[string]any{"Code": "ThrottlingException", "Status": 400}},
		{"third page lost", "unavailable", map[string]any{"Action": "ListTasks", "Page": 3, "Drop": true}},
		{"second page cut off", "incomplete", map[string]any{"Action": "ListTasks", "Page": 2, "Cut": 0.5, "Clean": true}},
		{"half a description", "incomplete", map[string]any{"Action": "DescribeTasks", "Body": `{"tasks": [], "failures": []}`}},
		{"network interfaces denied", "unauthorized", map[string]any{"Action": "DescribeNetworkInterfaces", "Code": "UnauthorizedOperation", "Status": 403}},
		{"expired role", "expired_token", map[string]any{"Code": "ExpiredTokenException", "Status": 400}},
		{"access revoked", "unauthorized", map[string]any{"Action": "ListTasks", "Code": "AccessDeniedException", "Status": 400}},
		{"a proxy's login page", "incomplete", map[string]any{"Body": "<html><body>Please sign in</body></html>"}},
		{"silent", "timeout", map[string]any{"Action": "DescribeTasks", "Hang": true}},
	} {
		e.suffers(t, fault.name, fault.reason, fault.fault)
	}
	e.daemon.stops(t)
	if err := e.has(e.left); err != nil {
		t.Error(err)
	}
}

type ecsFaults struct {
	*workspace
	server *ec2Server
	daemon *daemon
	left   int // tasks that run
}

func newECSFaults(t *testing.T) *ecsFaults {
	t.Helper()
	e := &ecsFaults{workspace: newWorkspace(t), server: startEC2(t), left: ecsMany}
	runECS(t, e.server, 3000)
	var all []ecsTask
	for i := range e.left {
		all = append(all, webTask(fmt.Sprintf("%04d", i), fmt.Sprintf("10.1.%d.%d", i/250, 1+i%250), 1))
	}
	e.server.play(t, all...)
	e.configure(t, `
global: {refresh_interval: 1s, source_timeout: 3s}
sources: [{name: fleet, ecs: {endpoint: %q, region: us-east-1, clusters: [%s], access_key: %s, secret_key: %s}}]
health: {enabled: false}
guard: {window: 1s}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, e.server.url, ecsCluster, ec2Key, ec2Secret)
	e.starts(t)
	return e
}

func (e *ecsFaults) starts(t *testing.T) {
	t.Helper()
	e.daemon = e.startWith(t, "AWS_MAX_ATTEMPTS=1", "AWS_ENDPOINT_URL_EC2="+e.server.url)
	eventually(t, soon, func() error { return e.has(e.left) })
}

func (e *ecsFaults) has(n int) error {
	targets, err := readTargets(e.output("mcp.json"))
	if err == nil && len(targets) != n {
		err = fmt.Errorf("%d targets are published, want %d", len(targets), n)
	}
	return err
}

// suffers one fault, in which five tasks end.
func (e *ecsFaults) suffers(t *testing.T, name, reason string, fault map[string]any) {
	t.Helper()
	e.server.tell(t, http.MethodPut, "faults", fault)
	for i := range 5 {
		e.server.tell(t, http.MethodDelete, fmt.Sprintf("tasks?id=%04d", e.left-1-i), nil)
	}
	e.fails(t, name, reason)
	e.daemon.kill()
	e.starts(t)
	e.fails(t, name, reason)
	e.server.tell(t, http.MethodDelete, "faults", nil)
	e.left -= 5
	eventually(t, retried, func() error { return e.has(e.left) })
	eventually(t, retried, func() error { return e.daemon.sourceUp("fleet", "ecs", "1") })
}

func (e *ecsFaults) fails(t *testing.T, name, reason string) {
	t.Helper()
	series := fmt.Sprintf(`mcp_sd_source_failures_total{reason=%q,source="fleet",type="ecs"}`, reason)
	eventually(t, soon, func() error {
		if _, err := e.daemon.sample(series); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return e.daemon.sourceUp("fleet", "ecs", "0")
	})
	if err := e.has(e.left); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
