package e2e

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/hashicorp/consul/api"
)

// TestConsulAgent: an agent tells what is registered with it when all of
// Consul's servers are gone, and so what changes there is followed, also by an
// mcp-sd that starts then. A source that needs the catalogue keeps its targets.
func TestConsulAgent(t *testing.T) {
	t.Parallel()
	server := startConsul(t, "", "")
	agent := startAgent(t, server)
	fleet, w := newFleet(t), newWorkspace(t)
	w.configure(t, `
global: {refresh_interval: 1s}
sources:
  - {name: here, consul: {server: %[1]q, agent: true, service_regex: mcp}}
  - {name: catalogue, consul: {server: %[1]q, services: [other]}}
health: {interval: 2s, timeout: 2s, fall: 1, allow_cidrs: [127.0.0.0/8]}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, agent.address)
	want := map[string]labels{}
	joins := func(name, ip, status string) {
		want[fleet.add(ip, "")] = labels{"region": "dc1", "version": "v1"}
		agent.register(t, fleet, service{name: name, ip: ip, meta: version("v1"), status: status})
	}
	complete := func() error { return fileHas(w.output("mcp.json"), want) }
	joins("mcp", "127.0.41.1", "")
	joins("mcp", "127.0.41.2", "critical")
	joins("other", "127.0.41.3", "")
	// What another agent has is in the catalogue, and none of this one's.
	server.register(t, fleet, service{name: "mcp", ip: "127.0.41.9", meta: version("v1")})
	fleet.add("127.0.41.9", "")
	daemon := w.start(t)
	eventually(t, soon, complete)

	server.kill()
	eventually(t, retried, func() error { return daemon.sourceUp("catalogue", "consul", "0") })
	joins("mcp", "127.0.41.4", "")
	eventually(t, soon, complete)
	if err := daemon.sourceUp("here", "consul", "1"); err != nil {
		t.Error(err)
	}
	daemon.stops(t)
	daemon = w.start(t)
	joins("mcp", "127.0.41.5", "warning")
	eventually(t, soon, complete)
	agent.deregister(t, service{name: "mcp", ip: "127.0.41.1"})
	fleet.set("127.0.41.1", off)
	delete(want, fleet.address("127.0.41.1"))
	eventually(t, soon, complete)
	if err := daemon.sourceUp("here", "consul", "1"); err != nil {
		t.Error(err)
	}
}

// startAgent runs an agent that is no server, and waits until the server has
// it in its catalogue.
func startAgent(t *testing.T, server *consulServer) *consulServer {
	t.Helper()
	c := &consulServer{address: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	client, err := api.NewClient(&api.Config{Address: c.address})
	if err != nil {
		t.Fatal(err)
	}
	c.Client = client
	c.args = []string{
		"agent", "-node=agent1", "-bind=127.0.0.1", "-log-level=warn",
		"-http-port=" + c.address[len("127.0.0.1:"):],
		"-serf-lan-port=" + strconv.Itoa(freePort(t)),
		"-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1",
		"-retry-join=127.0.0.1:" + server.flag("serf-lan-port"), "-retry-interval=1s",
		"-hcl=disable_update_check = true",
	}
	c.boot(t, t.TempDir())
	eventually(t, retried, func() error {
		nodes, _, err := server.Catalog().Nodes(nil)
		if err == nil && len(nodes) < 2 {
			err = fmt.Errorf("the catalogue has %d nodes", len(nodes))
		}
		return err
	})
	return c
}
