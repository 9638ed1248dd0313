package e2e

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// TestConsulPeers: what a peered cluster exports is followed beside the
// cluster's own. When the peer is gone, and when the peering is deleted so that
// Consul itself forgets all of it, no target is lost.
func TestConsulPeers(t *testing.T) {
	t.Parallel()
	west, east := startPeer(t, "dc1"), startPeer(t, "dc2")
	peered(t, west, east)
	fleet, w := newFleet(t), newWorkspace(t)
	w.configure(t, `
global: {refresh_interval: 1s, source_timeout: 5s}
sources:
  - name: west
    consul: {server: %q, peers: [east], service_regex: mcp}
    relabel_configs: [{source_labels: [__meta_consul_peer], target_label: peer}]
health: {interval: 2s, timeout: 2s, fall: 1, allow_cidrs: [127.0.0.0/8]}
guard: {min_removed: 100}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, west.address)
	want := map[string]labels{}
	joins := func(consul *consulServer, l labels, name, ip string) {
		want[fleet.add(ip, "")] = l
		consul.register(t, fleet, service{name: name, ip: ip, meta: version("v1")})
	}
	complete := func() error { return fileHas(w.output("mcp.json"), want) }
	imported := labels{"region": "dc2", "version": "v1", "peer": "east"}
	joins(west, labels{"region": "dc1", "version": "v1"}, "mcp", "127.0.43.1")
	joins(east, imported, "mcp", "127.0.43.2")
	joins(east, imported, "mcp", "127.0.43.3")
	// Not exported, so not there.
	east.register(t, fleet, service{name: "secret", ip: "127.0.43.9"})
	daemon := w.start(t)
	eventually(t, retried, complete)
	eventually(t, retried, func() error { return daemon.sourceUp("west", "consul", "1") })

	began := time.Now()
	joins(east, imported, "mcp", "127.0.43.4")
	eventually(t, soon, complete)
	t.Logf("an instance of the peer was published after %s", time.Since(began).Round(time.Millisecond))
	east.deregister(t, service{name: "mcp", ip: "127.0.43.3"})
	fleet.set("127.0.43.3", off)
	delete(want, fleet.address("127.0.43.3"))
	eventually(t, soon, complete)

	t.Log("the peer ends, and its instances with it")
	east.kill()
	fleet.set("127.0.43.2", off)
	fleet.set("127.0.43.4", off)
	eventually(t, retried, func() error { return daemon.sourceUp("west", "consul", "0") })
	t.Log("the peering is deleted")
	if _, err := west.Peerings().Delete(context.Background(), "east", nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, func() error {
		left, _, err := west.Health().Service("mcp", "", false, &api.QueryOptions{Peer: "east"})
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("%d instances are still imported", len(left))
		}
		return err
	})
	joins(west, labels{"region": "dc1", "version": "v1"}, "mcp", "127.0.43.5")
	eventually(t, soon, complete)
	daemon.kill()
	daemon = w.start(t)
	eventually(t, retried, func() error { return daemon.sourceUp("west", "consul", "0") })
	holds(t, 5*time.Second, complete)
}

// startPeer runs a server that a peer can reach.
func startPeer(t *testing.T, dc string) *consulServer {
	t.Helper()
	c := newConsul(t, "", "")
	c.args = append(c.args, "-datacenter="+dc, "-grpc-tls-port="+strconv.Itoa(freePort(t)))
	c.start(t, t.TempDir())
	return c
}

// peered lets west import the service mcp from east.
func peered(t *testing.T, west, east *consulServer) {
	t.Helper()
	var token string
	eventually(t, retried, func() error {
		answer, _, err := east.Peerings().GenerateToken(context.Background(), api.PeeringGenerateTokenRequest{PeerName: "west"}, nil)
		if err == nil {
			token = answer.PeeringToken
		}
		return err
	})
	eventually(t, retried, func() error {
		_, _, err := west.Peerings().Establish(context.Background(), api.PeeringEstablishRequest{PeerName: "east", PeeringToken: token}, nil)
		return err
	})
	entry := &api.ExportedServicesConfigEntry{Name: "default", Services: []api.ExportedService{
		{Name: "mcp", Consumers: []api.ServiceConsumer{{Peer: "west"}}},
	}}
	if _, _, err := east.ConfigEntries().Set(entry, nil); err != nil {
		t.Fatal(err)
	}
}
