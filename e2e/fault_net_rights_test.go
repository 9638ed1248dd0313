package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// anonymous is the token of whoever shows none.
const anonymous = "00000000-0000-0000-0000-000000000002"

// TestConsulRightsLost: a token loses rights in each way in which it can, and
// whatever Consul then leaves out of its answers stays published: where Consul
// tells, because the source fails; where it does not, because the guard holds.
func TestConsulRightsLost(t *testing.T) {
	t.Parallel()
	r := newRights(t)
	for source, ip := range r.instances {
		eventually(t, soon, func() error { return atLeast(r.file(source), r.fleet.address(ip)) })
	}
	t.Log("rights are lost")
	r.consul.grant(t, r.tokens["catalog"], "other")
	r.consul.onlyPolicies(t, r.tokens["nodes"], r.consul.policy(t, `service "nodes" { policy = "read" }`))
	if _, err := r.consul.ACL().TokenDelete(r.tokens["deleted"].AccessorID, nil); err != nil {
		t.Fatal(err)
	}
	r.consul.onlyPolicies(t, &api.ACLToken{AccessorID: anonymous})
	// Whether rights or instances were lost must not matter where both look the same.
	for _, ip := range r.instances {
		r.fleet.set(ip, off)
	}
	for source := range r.instances {
		r.consul.joins(t, r.fleet, source, "127.0.37."+fmt.Sprint(100+len(source))) // wakes the standing query
	}

	for _, source := range []string{"catalog", "nodes", "deleted"} {
		eventually(t, retried, func() error { return r.daemon.sourceUp(source, "consul", "0") })
	}
	eventually(t, retried, func() error {
		return fileLabel(r.file("anonymous"), r.fleet.address(r.instances["anonymous"]), "__meta_mcp_sd_state", "held")
	})
	// What the token may still read goes on: the source fails only in part.
	r.consul.joins(t, r.fleet, "other", "127.0.37.51")
	eventually(t, retried, func() error { return atLeast(r.file("catalog"), r.fleet.address("127.0.37.51")) })
	holds(t, 2*time.Second, func() error {
		for source, ip := range r.instances {
			if err := atLeast(r.file(source), r.fleet.address(ip)); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestConsulRightsLostMeanwhile: a token loses its rights to one of two services
// while mcp-sd does not run. What comes up then has not heard of the service
// itself, and the catalogue lacks it as if it had ended: it must be missed all
// the same, by the daemon and by --once.
func TestConsulRightsLostMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRights(t)
	file, gone := r.file("catalog"), r.fleet.address(r.instances["catalog"])
	both := func() error { return atLeast(file, gone, r.fleet.address("127.0.37.50")) }
	eventually(t, soon, both)
	r.daemon.stops(t)
	r.consul.grant(t, r.tokens["catalog"], "other")
	r.fleet.set(r.instances["catalog"], off)

	if got := r.once(t); got.code != 5 {
		t.Errorf("mcp-sd --once ended with %d, want 5; stderr:\n%s", got.code, got.stderr)
	}
	if err := both(); err != nil {
		t.Errorf("after --once: %v", err)
	}
	r.daemon = r.start(t)
	eventually(t, retried, func() error { return r.daemon.sourceUp("catalog", "consul", "0") })
	// What the token may still read goes on.
	r.consul.joins(t, r.fleet, "other", "127.0.37.51")
	eventually(t, retried, func() error { return atLeast(file, gone, r.fleet.address("127.0.37.51")) })
	holds(t, 3*time.Second, both)

	r.consul.grant(t, r.tokens["catalog"], "catalog", "other")
	eventually(t, retried, func() error { return r.daemon.sourceUp("catalog", "consul", "1") })
	if err := both(); err != nil {
		t.Errorf("with the rights back: %v", err)
	}
}

// A rights is one Consul with ACLs, and a source for each way to lose rights.
type rights struct {
	*workspace
	consul    *consulServer
	fleet     *fleet
	daemon    *daemon
	tokens    map[string]*api.ACLToken
	instances map[string]string // by the source, which is named as its service
}

func newRights(t *testing.T) *rights {
	r := &rights{
		workspace: newWorkspace(t), fleet: newFleet(t), tokens: map[string]*api.ACLToken{},
		instances: map[string]string{
			"catalog": "127.0.37.1", "nodes": "127.0.37.2", "deleted": "127.0.37.3", "anonymous": "127.0.37.4",
		},
	}
	r.consul = startConsul(t, managementToken, fmt.Sprintf(`
		acl { enabled = true default_policy = "deny" tokens { initial_management = %[1]q agent = %[1]q } }
		use_streaming_backend = false`, managementToken))
	for name, ip := range r.instances {
		r.tokens[name] = r.consul.mayRead(t, name)
		r.consul.joins(t, r.fleet, name, ip)
	}
	r.consul.mayRead(t, "other")
	r.consul.joins(t, r.fleet, "other", "127.0.37.50")
	r.consul.grant(t, r.tokens["catalog"], "catalog", "other")
	r.consul.onlyPolicies(t, &api.ACLToken{AccessorID: anonymous}, "anonymous", "anonymous-nodes")
	r.configure(t, `
global: {refresh_interval: 1s, source_timeout: 3s}
sources:
  - {name: catalog, consul: {server: %[1]q, service_regex: 'catalog|other', token: %[2]q}}
  - {name: nodes, consul: {server: %[1]q, services: [nodes], token: %[3]q}}
  - {name: deleted, consul: {server: %[1]q, services: [deleted], token: %[4]q}}
  - {name: anonymous, consul: {server: %[1]q, services: [anonymous]}}
health: {interval: 2s, timeout: 2s, fall: 1, allow_cidrs: [127.0.0.0/8]}
guard: {window: 5s, confirm_after: 1s}
outputs: [{path: '$TARGETS/{source}.json', min_write_interval: 100ms}]
`, r.consul.address, r.tokens["catalog"].SecretID, r.tokens["nodes"].SecretID, r.tokens["deleted"].SecretID)
	r.daemon = r.start(t)
	return r
}

func (r *rights) file(source string) string { return r.output(source + ".json") }

// policy makes a policy of these rules and returns its name.
func (c *consulServer) policy(t *testing.T, rules string) string {
	t.Helper()
	made, _, err := c.ACL().PolicyCreate(&api.ACLPolicy{Name: "without-nodes", Rules: rules}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return made.Name
}

// onlyPolicies leaves the token with these policies and no others.
func (c *consulServer) onlyPolicies(t *testing.T, token *api.ACLToken, names ...string) {
	t.Helper()
	changed := *token
	changed.Policies = nil
	for _, name := range names {
		changed.Policies = append(changed.Policies, &api.ACLTokenPolicyLink{Name: name})
	}
	if _, _, err := c.ACL().TokenUpdate(&changed, nil); err != nil {
		t.Fatal(err)
	}
}
