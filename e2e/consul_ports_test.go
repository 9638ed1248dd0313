package e2e

import (
	"testing"

	"github.com/hashicorp/consul/api"
)

// nothing is a port on which no instance listens.
const nothing = 1

// TestConsulPorts: the port of a target is the one that has the name, or the
// one on which a Connect proxy exposes the path, whether its own registration
// says so or a configuration entry.
func TestConsulPorts(t *testing.T) {
	t.Parallel()
	consul := startConsul(t, "", "")
	p := &ported{consul: consul, fleet: newFleet(t), workspace: newWorkspace(t), want: map[string]labels{}}
	p.configure(t, `
global: {refresh_interval: 1s}
sources:
  - {name: named, consul: {server: %[1]q, services: [several], ports: [metrics]}}
  - name: exposed
    consul: {server: %[1]q, services: [meshed, by-entry], exposed_path: /internal/metrics}
    relabel_configs: [{source_labels: [__meta_consul_exposed_path], target_label: __metrics_path__}]
  - {name: here, consul: {server: %[1]q, agent: true, services: [local], ports: [metrics]}}
health: {interval: 2s, timeout: 2s, fall: 1, allow_cidrs: [127.0.0.0/8]}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, consul.address)
	p.several(t, "several", "127.0.44.1")
	p.several(t, "local", "127.0.44.2")
	p.meshed(t, "meshed", "127.0.44.3", true)
	daemon := p.start(t)
	eventually(t, soon, p.complete)
	if err := fileLabel(p.output("mcp.json"), p.fleet.address("127.0.44.3"), "__metrics_path__", "/internal/metrics"); err != nil {
		t.Error(err)
	}

	// Consul does not stream either of these: they are seen by what changes.
	p.several(t, "several", "127.0.44.4")
	p.meshed(t, "meshed", "127.0.44.5", true)
	eventually(t, soon, p.complete)

	p.meshed(t, "by-entry", "127.0.44.6", false)
	const rejected = `mcp_sd_rejected_total{reason="no_exposed_path",source="exposed"}`
	eventually(t, soon, func() error { return daemon.metric(rejected, "1") })
	entry := &api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: "by-entry", Protocol: "http", Expose: p.exposes()}
	if _, _, err := consul.ConfigEntries().Set(entry, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon, p.complete)
}

// ported is a fleet whose instances have other ports than their metrics'.
type ported struct {
	consul *consulServer
	fleet  *fleet
	*workspace
	want map[string]labels
}

func (p *ported) complete() error { return fileHas(p.output("mcp.json"), p.want) }

// several registers an instance with two named ports.
func (p *ported) several(t *testing.T, name, ip string) {
	t.Helper()
	p.registers(t, &api.AgentServiceRegistration{
		ID: name + ip, Name: name, Address: ip,
		Ports: api.ServicePorts{{Name: "mcp", Port: nothing, Default: true}, {Name: "metrics", Port: p.fleet.port}},
	})
}

// meshed registers an instance with a proxy in front of it.
func (p *ported) meshed(t *testing.T, name, ip string, exposes bool) {
	t.Helper()
	proxy := &api.AgentServiceConnectProxyConfig{}
	if exposes {
		proxy.Expose = p.exposes()
	}
	p.registers(t, &api.AgentServiceRegistration{
		ID: name + ip, Name: name, Address: ip, Port: nothing,
		Connect: &api.AgentServiceConnect{SidecarService: &api.AgentServiceRegistration{Address: ip, Port: nothing + 1, Proxy: proxy}},
	})
}

func (p *ported) exposes() api.ExposeConfig {
	return api.ExposeConfig{Paths: []api.ExposePath{{Path: "/internal/metrics", ListenerPort: p.fleet.port, LocalPathPort: nothing}}}
}

func (p *ported) registers(t *testing.T, r *api.AgentServiceRegistration) {
	t.Helper()
	r.Meta = version("v1")
	if err := p.consul.Agent().ServiceRegister(r); err != nil {
		t.Fatal(err)
	}
	p.want[p.fleet.add(r.Address, "")] = labels{"region": "dc1", "version": "v1"}
}
