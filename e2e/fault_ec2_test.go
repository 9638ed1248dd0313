package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

const (
	ec2Many = 1200 // in one region: two pages
	ec2Few  = 2    // in the other: as many as may leave at any time
)

// TestEC2Faults: whatever EC2 answers instead of a whole listing, all that it
// listed stays, although there are no probes here that could speak for it; the
// metric has a word for why, also after a restart in the middle. Once EC2
// answers, what is gone leaves.
func TestEC2Faults(t *testing.T) {
	t.Parallel()
	e := newEC2Faults(t)
	for _, fault := range []struct {
		name, reason string
		fault        map[string]any
	}{
		{"throttled", "throttled", map[string]any{"Code": "RequestLimitExceeded", "Status": 503}},
		{"second page lost", "unavailable", map[string]any{"Page": 2, "Drop": true}},
		{"second page cut off", "incomplete", map[string]any{"Page": 2, "Cut": 0.5, "Clean": true}},
		{"wrong clock", "request_expired", map[string]any{"Code": "RequestExpired", "Status": 400}},
		{"expired role", "expired_token", map[string]any{"Code": "ExpiredToken", "Status": 400}},
		{"right revoked", "unauthorized", map[string]any{"Code": "UnauthorizedOperation", "Status": 403}},
		{"a proxy's login page", "incomplete", map[string]any{"Body": "<html><body>Please sign in</body></html>"}},
		{"silent", "timeout", map[string]any{"Hang": true}},
	} {
		e.suffers(t, fault.name, fault.reason, fault.fault)
	}
	e.losesFew(t)
	e.daemon.stops(t)
	if err := e.has(e.left); err != nil {
		t.Error(err)
	}
}

type ec2Faults struct {
	*workspace
	ec2    *ec2Server
	daemon *daemon
	left   int // instances that run
}

func newEC2Faults(t *testing.T) *ec2Faults {
	t.Helper()
	e := &ec2Faults{workspace: newWorkspace(t), ec2: startEC2(t), left: ec2Many + ec2Few}
	var all []ec2Instance
	for i := range e.left {
		all = append(all, e.instance(i))
	}
	e.ec2.launch(t, all...)
	e.configure(t, `
global: {refresh_interval: 1s, source_timeout: 2s}
sources: [{name: fleet, ec2: {endpoint: %q, regions: [us-east-1, eu-west-1], access_key: %s, secret_key: %s}}]
health: {enabled: false}
guard: {window: 1s}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, e.ec2.url, ec2Key, ec2Secret)
	e.starts(t)
	return e
}

func (e *ec2Faults) instance(i int) ec2Instance {
	region := "us-east-1"
	if i < ec2Few {
		region = "eu-west-1"
	}
	return ec2Instance{ID: fmt.Sprintf("i-%04d", i), Account: ec2Ours, Region: region, PrivateIP: fmt.Sprintf("10.1.%d.%d", i/250, 1+i%250)}
}

func (e *ec2Faults) starts(t *testing.T) {
	t.Helper()
	e.daemon = e.startWith(t, "AWS_MAX_ATTEMPTS=1")
	eventually(t, soon, func() error { return e.has(e.left) })
}

func (e *ec2Faults) has(n int) error {
	targets, err := readTargets(e.output("mcp.json"))
	if err == nil && len(targets) != n {
		err = fmt.Errorf("%d targets are published, want %d", len(targets), n)
	}
	return err
}

// suffers one fault, in which five instances are terminated.
func (e *ec2Faults) suffers(t *testing.T, name, reason string, fault map[string]any) {
	t.Helper()
	fault["Action"] = "DescribeInstances"
	e.ec2.tell(t, http.MethodPut, "faults", fault)
	for i := range 5 {
		e.ec2.launch(t, e.instance(e.left-1-i).in("terminated"))
	}
	e.fails(t, name, reason)
	e.daemon.kill()
	e.starts(t)
	e.fails(t, name, reason)
	e.ec2.tell(t, http.MethodDelete, "faults", nil)
	e.left -= 5
	eventually(t, retried, func() error { return e.has(e.left) })
	eventually(t, retried, func() error { return e.daemon.sourceUp("fleet", "ec2", "1") })
}

// losesFew: the region fails that has so few instances that the guard would let
// them leave. What keeps them is the last good listing alone.
func (e *ec2Faults) losesFew(t *testing.T) {
	t.Helper()
	e.ec2.tell(t, http.MethodPut, "faults", map[string]any{"Region": "eu-west-1", "Drop": true})
	for range 2 {
		e.fails(t, "small region lost", "unavailable")
		holds(t, 2*time.Second, func() error { return e.has(e.left) })
		e.daemon.kill()
		e.starts(t)
	}
	e.ec2.tell(t, http.MethodDelete, "faults", nil)
}

func (e *ec2Faults) fails(t *testing.T, name, reason string) {
	t.Helper()
	series := fmt.Sprintf(`mcp_sd_source_failures_total{reason=%q,source="fleet",type="ec2"}`, reason)
	eventually(t, soon, func() error {
		if _, err := e.daemon.sample(series); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return e.daemon.sourceUp("fleet", "ec2", "0")
	})
	if err := e.has(e.left); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
