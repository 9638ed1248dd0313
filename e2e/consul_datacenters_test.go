package e2e

import (
	"fmt"
	"strconv"
	"testing"
	"time"
)

// TestConsulDatacenters: two federated datacenters are followed through one
// server. The one that can't be reached any more keeps its targets, and holds
// the other up in nothing.
func TestConsulDatacenters(t *testing.T) {
	t.Parallel()
	near := newConsul(t, "", "")
	wan := strconv.Itoa(freePort(t))
	near.args = append(near.args, "-serf-wan-port="+wan)
	near.start(t, t.TempDir())
	far := newConsul(t, "", "")
	far.args = append(far.args, "-serf-wan-port="+strconv.Itoa(freePort(t)),
		"-datacenter=dc2", "-retry-join-wan=127.0.0.1:"+wan, "-retry-interval-wan=1s")
	far.start(t, t.TempDir())
	eventually(t, retried, func() error {
		all, err := near.Catalog().Datacenters()
		if err == nil && len(all) < 2 {
			err = fmt.Errorf("only %v is there", all)
		}
		return err
	})
	fleet, w := newFleet(t), newWorkspace(t)
	w.configure(t, `
global: {refresh_interval: 1s, source_timeout: 5s}
sources: [{name: both, consul: {server: %q, datacenters: [dc1, dc2], service_regex: mcp}}]
health: {interval: 2s, timeout: 2s, fall: 1, allow_cidrs: [127.0.0.0/8]}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, near.address)
	want := map[string]labels{}
	joins := func(consul *consulServer, dc, ip string) {
		want[fleet.add(ip, "")] = labels{"region": dc, "version": "v1"}
		consul.register(t, fleet, service{name: "mcp", ip: ip, meta: version("v1")})
	}
	complete := func() error { return fileHas(w.output("mcp.json"), want) }
	joins(near, "dc1", "127.0.42.1")
	joins(far, "dc2", "127.0.42.2")
	daemon := w.start(t)
	eventually(t, soon, complete)
	began := time.Now()
	joins(far, "dc2", "127.0.42.3")
	eventually(t, soon, complete)
	t.Logf("an instance of the other datacenter was published after %s", time.Since(began).Round(time.Millisecond))

	far.kill()
	eventually(t, retried, func() error { return daemon.sourceUp("both", "consul", "0") })
	joins(near, "dc1", "127.0.42.4")
	eventually(t, soon, complete)
	daemon.kill()
	daemon = w.start(t)
	eventually(t, retried, func() error { return daemon.sourceUp("both", "consul", "0") })
	joins(near, "dc1", "127.0.42.5")
	eventually(t, soon, complete)
	holds(t, 2*time.Second, complete)

	far.start(t, far.dataDir)
	joins(far, "dc2", "127.0.42.6")
	eventually(t, 2*retried, complete)
	eventually(t, retried, func() error { return daemon.sourceUp("both", "consul", "1") })
}
