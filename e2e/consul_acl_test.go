package e2e

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

const managementToken = "6f1c1a52-6e1c-4a63-9f0e-6d9b7c6f2d11"

// TestConsulTokens: a token that may read its one service and the nodes is
// enough; one that may not read the service makes the source failed, since
// what such a token is shown looks like an empty Consul.
func TestConsulTokens(t *testing.T) {
	t.Parallel()
	consul := startConsul(t, managementToken, fmt.Sprintf(`
		acl { enabled = true default_policy = "deny" tokens { initial_management = %[1]q agent = %[1]q } }
		# A streamed view shows a loss of rights only when the query's wait is over.
		use_streaming_backend = false`, managementToken))
	fleet := newFleet(t)
	w := newWorkspace(t)
	least := consul.mayRead(t, "least")
	revoked := consul.mayRead(t, "revoked")
	tokenConfig(t, w, consul, least, revoked)
	consul.joins(t, fleet, "least", "127.0.4.1")
	consul.joins(t, fleet, "revoked", "127.0.4.2")
	daemon := w.start(t)
	bothListed := func() error { return listed(w, fleet, "127.0.4.1", "127.0.4.2") }
	eventually(t, soon, bothListed)

	consul.revoke(t, revoked)
	// A change wakes the blocking query, which then runs with fewer rights.
	consul.joins(t, fleet, "revoked", "127.0.4.3")
	eventually(t, retried, func() error { return daemon.sourceUp("revoked", "consul", "0") })
	holds(t, 2*time.Second, bothListed)
	if err := daemon.sourceUp("least", "consul", "1"); err != nil {
		t.Error(err)
	}

	consul.grant(t, revoked, "revoked")
	eventually(t, retried, func() error { return listed(w, fleet, "127.0.4.1", "127.0.4.2", "127.0.4.3") })
	eventually(t, soon, func() error { return daemon.sourceUp("revoked", "consul", "1") })
	daemon.stops(t)
	onceWithTooFewRights(t, w, consul, revoked)
}

// onceWithTooFewRights: for --once, too, this is a failed source and no empty
// one.
func onceWithTooFewRights(t *testing.T, w *workspace, consul *consulServer, token *api.ACLToken) {
	consul.revoke(t, token)
	before, err := os.ReadFile(w.output("mcp.json"))
	if err != nil {
		t.Fatal(err)
	}
	got := w.once(t)
	if got.code != 5 {
		t.Errorf("mcp-sd --once ended with %d, want 5; stderr:\n%s", got.code, got.stderr)
	}
	after, err := os.ReadFile(w.output("mcp.json"))
	if err != nil {
		t.Fatal(err)
	}
	if string(after) != string(before) {
		t.Errorf("the output changed from\n%s\nto\n%s", before, after)
	}
}

func tokenConfig(t *testing.T, w *workspace, consul *consulServer, least, revoked *api.ACLToken) {
	tokenFile := w.dir + "/token"
	replaceFile(t, tokenFile, revoked.SecretID+"\n")
	w.configure(t, `
global: {refresh_interval: 1s}
sources:
  - name: least
    consul: {server: %[1]q, services: [least], token: %[2]q}
  - name: revoked
    consul: {server: %[1]q, services: [revoked], authorization: {credentials_file: %[3]q}}
health: {interval: 2s, timeout: 2s, allow_cidrs: [127.0.0.0/8]}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, consul.address, least.SecretID, tokenFile)
}

// mayRead makes a token with the least rights that discovery of one service
// needs.
func (c *consulServer) mayRead(t *testing.T, name string) *api.ACLToken {
	t.Helper()
	rules := fmt.Sprintf(`service %q { policy = "read" } node_prefix "" { policy = "read" }`, name)
	if _, _, err := c.ACL().PolicyCreate(&api.ACLPolicy{Name: name, Rules: rules}, nil); err != nil {
		t.Fatal(err)
	}
	nodes := &api.ACLPolicy{Name: name + "-nodes", Rules: `node_prefix "" { policy = "read" }`}
	if _, _, err := c.ACL().PolicyCreate(nodes, nil); err != nil {
		t.Fatal(err)
	}
	token, _, err := c.ACL().TokenCreate(&api.ACLToken{
		Policies: []*api.ACLTokenPolicyLink{{Name: name}, {Name: nodes.Name}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// revoke leaves the token with the right to read nodes.
func (c *consulServer) revoke(t *testing.T, token *api.ACLToken) {
	t.Helper()
	c.grant(t, token)
}

// grant gives the token the named policies, besides the nodes.
func (c *consulServer) grant(t *testing.T, token *api.ACLToken, policies ...string) {
	t.Helper()
	changed := *token
	changed.Policies = token.Policies[1:]
	for _, name := range policies {
		changed.Policies = append(changed.Policies, &api.ACLTokenPolicyLink{Name: name})
	}
	if _, _, err := c.ACL().TokenUpdate(&changed, nil); err != nil {
		t.Fatal(err)
	}
}

func (c *consulServer) joins(t *testing.T, f *fleet, name, ip string) {
	t.Helper()
	f.add(ip, "v1")
	c.register(t, f, service{name: name, ip: ip})
}

// listed checks that the output has exactly these instances.
func listed(w *workspace, f *fleet, ips ...string) error {
	want := map[string]labels{}
	for _, ip := range ips {
		want[f.address(ip)] = labels{"region": "dc1", "version": "v1"}
	}
	return fileHas(w.output("mcp.json"), want)
}
