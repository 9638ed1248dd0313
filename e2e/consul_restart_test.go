package e2e

import (
	"testing"
	"time"
)

// TestConsulRestarts takes Consul away and gives it back, first as it was,
// then empty. Prometheus must not lose a target at any time.
func TestConsulRestarts(t *testing.T) {
	t.Parallel()
	r := newRestart(t)
	r.appears(t, service{name: "mcp", ip: "127.0.3.1", meta: version("v1")})
	r.appears(t, service{name: "mcp", ip: "127.0.3.2", meta: version("v2"), tags: []string{"env=test"}})

	t.Log("Consul goes down")
	r.consul.kill()
	eventually(t, soon, func() error { return r.daemon.sourceUp("consul", "consul", "0") })
	holds(t, 2*time.Second, r.complete)

	t.Log("mcp-sd restarts in the middle of that")
	r.daemon.stops(t)
	r.daemon = r.workspace.start(t)
	eventually(t, soon, func() error { return r.daemon.sourceUp("consul", "consul", "0") })
	holds(t, 2*time.Second, r.complete)

	t.Log("Consul comes back with its data")
	r.consul.start(t, r.consul.dataDir)
	r.sourceRecovers(t)
	r.appears(t, service{name: "mcp", ip: "127.0.3.3", meta: version("v3")})

	t.Log("Consul comes back empty")
	r.consul.kill()
	r.consul.start(t, t.TempDir())
	r.sourceRecovers(t)
	r.allAre(t, "lingering")
	holds(t, 3*time.Second, r.complete)

	t.Log("the services register again")
	r.consul.register(t, r.fleet, r.services...)
	r.allAre(t, "published")
	holds(t, time.Second, r.complete)
}

// A restart is one Consul, one mcp-sd, and every Prometheus.
type restart struct {
	consul     *consulServer
	fleet      *fleet
	workspace  *workspace
	daemon     *daemon
	prometheus []*prometheusServer
	services   []service
	want       map[string]labels
}

func newRestart(t *testing.T) *restart {
	r := &restart{
		consul: startConsul(t, "", ""), fleet: newFleet(t), workspace: newWorkspace(t),
		want: map[string]labels{},
	}
	r.workspace.configure(t, `
global: {refresh_interval: 1s}
sources: [{name: consul, consul: {server: %q, services: [mcp]}}]
health: {interval: 2s, timeout: 2s, allow_cidrs: [127.0.0.0/8]}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, r.consul.address)
	r.daemon = r.workspace.start(t)
	for _, version := range prometheusVersions {
		r.prometheus = append(r.prometheus, version.startReading(t, r.workspace.targets))
	}
	return r
}

// appears registers an instance and waits until every Prometheus scrapes it.
func (r *restart) appears(t *testing.T, who service) {
	t.Helper()
	address := r.fleet.add(who.ip, "")
	r.services = append(r.services, who)
	r.want[address] = labels{"region": "dc1", "version": who.meta["version"]}
	if len(who.tags) > 0 {
		r.want[address]["environment"] = "test"
	}
	r.consul.register(t, r.fleet, who)
	eventually(t, inStep, r.complete)
}

// complete checks the file and every Prometheus.
func (r *restart) complete() error {
	if err := fileHas(r.workspace.output("mcp.json"), r.want); err != nil {
		return err
	}
	for _, prometheus := range r.prometheus {
		if err := prometheus.has(r.want); err != nil {
			return err
		}
	}
	return nil
}

// sourceRecovers waits for the source, with nothing lost on the way.
func (r *restart) sourceRecovers(t *testing.T) {
	t.Helper()
	eventually(t, retried, func() error { return r.daemon.sourceUp("consul", "consul", "1") })
	if err := r.complete(); err != nil {
		t.Fatal(err)
	}
}

// allAre waits until every target has this state, with nothing lost meanwhile.
func (r *restart) allAre(t *testing.T, state string) {
	t.Helper()
	path := r.workspace.output("mcp.json")
	for address := range r.want {
		eventually(t, retried, func() error {
			if err := r.complete(); err != nil {
				t.Fatal(err)
			}
			return fileLabel(path, address, "__meta_mcp_sd_state", state)
		})
	}
}
