package e2e

import (
	"fmt"
	"testing"
	"time"
)

// TestRemovedStaysRemoved: an instance was deregistered, fell silent and left.
// mcp-sd is killed before it has saved its state at leisure, and Consul is gone
// when it starts again: the listing on disk is older than the removal, and must
// not bring it back (contract §8), not even after admit_timeout.
func TestRemovedStaysRemoved(t *testing.T) {
	t.Parallel()
	consul := startConsul(t, "", "")
	w, fleet := newWorkspace(t), newFleet(t)
	w.configure(t, `
global: {refresh_interval: 1s, source_timeout: 3s}
sources: [{name: consul, consul: {server: %q, services: [mcp]}}]
health: {interval: 1s, timeout: 1s, fall: 1, admit_timeout: 2s, allow_cidrs: [127.0.0.0/8]}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, consul.address)
	published := func(instances ...int) func() error {
		want := map[string]labels{}
		for _, i := range instances {
			want[fleet.address(fmt.Sprintf("127.0.49.%d", i))] = labels{"region": "dc1", "version": "v1"}
		}
		return func() error { return fileHas(w.output("mcp.json"), want) }
	}
	gone := service{name: "mcp", ip: "127.0.49.3", meta: version("v1")}
	for _, ip := range []string{"127.0.49.1", "127.0.49.2", gone.ip} {
		fleet.add(ip, "")
		consul.register(t, fleet, service{name: "mcp", ip: ip, meta: version("v1")})
	}
	daemon := w.start(t)
	eventually(t, soon, published(1, 2, 3))
	fleet.set(gone.ip, off)
	consul.deregister(t, gone)
	eventually(t, soon, published(1, 2))

	consul.kill()
	daemon.kill()
	daemon = w.start(t)
	eventually(t, soon, func() error { return daemon.sourceUp("consul", "consul", "0") })
	holds(t, 5*time.Second, published(1, 2))
}
