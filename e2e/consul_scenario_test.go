package e2e

import (
	"fmt"
	"testing"
	"time"
)

// TestConsulToPrometheus follows instances through their whole life in Consul
// and looks at them where it matters: in Prometheus.
func TestConsulToPrometheus(t *testing.T) {
	t.Parallel()
	consul := startConsul(t, "", "")
	eachPrometheus(t, func(t *testing.T, version prometheusVersion) {
		s := newScenario(t, consul, version)
		s.registered(t)
		s.metadataChanges(t)
		s.instancesFail(t)
		s.lastsUntilTheEnd(t)
	})
}

// scenarioLinger is long enough to see that one lingers.
const scenarioLinger = 20 * time.Second

// A scenario is a small fleet in Consul, the mcp-sd that watches it, and the
// Prometheus that reads what mcp-sd writes.
type scenario struct {
	consul     *consulServer
	fleet      *fleet
	workspace  *workspace
	daemon     *daemon
	prometheus *prometheusServer
	services   map[string]service // by the part that they play
	want       map[string]labels  // what Prometheus is to scrape
}

func newScenario(t *testing.T, consul *consulServer, version prometheusVersion) *scenario {
	s := &scenario{
		consul: consul, fleet: newFleet(t), workspace: newWorkspace(t),
		services: map[string]service{}, want: map[string]labels{},
	}
	s.workspace.configure(t, `
global: {refresh_interval: 1s}
sources:
  - name: consul
    consul: {server: %q, services: [%q]}
health: {interval: 2s, timeout: 2s, fall: 2, linger: %s, allow_cidrs: [127.0.0.0/8]}
outputs:
  - {path: $TARGETS/mcp.json, min_write_interval: 100ms}
`, consul.address, version.name, scenarioLinger)
	s.daemon = s.workspace.start(t)
	s.prometheus = version.startReading(t, s.workspace.targets)
	s.cast(version.name)
	return s
}

// cast hands out the parts: where labels come from, and what will happen to
// whom.
func (s *scenario) cast(name string) {
	s.play("meta", service{name: name, ip: "127.0.1.1", meta: map[string]string{
		"environment": "production", "region": "us-east-1", "version": "v1.0.0", "owner": "x",
	}}, labels{"environment": "production", "region": "us-east-1", "version": "v1.0.0"})
	s.play("tags", service{name: name, ip: "127.0.1.2", tags: []string{
		"env=staging", "region=eu-west-1", "version=v1.1.0", "mcp",
	}}, labels{"environment": "staging", "region": "eu-west-1", "version": "v1.1.0"})
	// The data center stands in for the region, the endpoint for the version.
	s.play("bare", service{name: name, ip: "127.0.1.3"}, labels{"region": "dc1", "version": "v9.9.9"})
	s.play("critical", service{
		name: name, ip: "127.0.1.4", meta: version("v1"), status: "critical",
	}, labels{"region": "dc1", "version": "v1"})
	for i, part := range []string{"failing", "silent", "lingering"} {
		s.play(part, service{
			name: name, ip: fmt.Sprintf("127.0.1.%d", 10+i), meta: version("v1"),
		}, labels{"region": "dc1", "version": "v1"})
	}
	s.services["login page"] = service{name: name, ip: "127.0.1.20", meta: version("v1")}
}

func version(v string) map[string]string { return map[string]string{"version": v} }

func (s *scenario) play(part string, who service, want labels) {
	s.services[part] = who
	s.want[s.fleet.address(who.ip)] = want
}

func (s *scenario) address(part string) string { return s.fleet.address(s.services[part].ip) }

func (s *scenario) file() string { return s.workspace.output("mcp.json") }

// registered: everything that answers as a metrics endpoint appears with its
// labels, a critical check or not; a login page doesn't.
func (s *scenario) registered(t *testing.T) {
	for _, who := range s.services {
		s.fleet.add(who.ip, "v9.9.9")
	}
	s.fleet.set(s.services["login page"].ip, loginPage)
	for _, who := range s.services {
		s.consul.register(t, s.fleet, who)
	}
	eventually(t, soon, func() error { return fileHas(s.file(), s.want) })
	eventually(t, inStep, func() error { return s.prometheus.has(s.want) })
	for address := range s.want {
		eventually(t, inStep, func() error { return s.prometheus.up(address, "1") })
	}
	for _, name := range []string{"__meta_mcp_sd_source", "__meta_mcp_sd_health", "__meta_mcp_sd_state"} {
		want := map[string]string{
			"__meta_mcp_sd_source": "consul", "__meta_mcp_sd_health": "up", "__meta_mcp_sd_state": "published",
		}[name]
		eventually(t, inStep, func() error { return s.discovered(s.address("meta"), name, want) })
	}
	eventually(t, soon, func() error { return s.daemon.sourceUp("consul", "consul", "1") })
}

// metadataChanges measures how long a new version takes to reach Prometheus.
func (s *scenario) metadataChanges(t *testing.T) {
	who := s.services["meta"]
	who.meta["version"] = "v2.0.0"
	s.want[s.address("meta")]["version"] = "v2.0.0"
	start := time.Now()
	s.consul.register(t, s.fleet, who)
	eventually(t, soon, func() error { return fileHas(s.file(), s.want) })
	toFile := time.Since(start)
	eventually(t, inStep, func() error { return s.prometheus.has(s.want) })
	t.Logf("a change of metadata took %s to the file and %s to %s",
		toFile.Round(time.Millisecond), time.Since(start).Round(time.Millisecond), s.prometheus.name)
}

// instancesFail: what is down but listed stays, what is gone and silent
// leaves, and what is gone but answers leaves later.
func (s *scenario) instancesFail(t *testing.T) {
	start := time.Now()
	s.fleet.set(s.services["failing"].ip, broken)
	s.fleet.set(s.services["silent"].ip, off)
	s.consul.deregister(t, s.services["silent"], s.services["lingering"])

	lingering := s.address("lingering")
	eventually(t, soon, func() error {
		return fileLabel(s.file(), lingering, "__meta_mcp_sd_state", "lingering")
	})
	eventually(t, soon, func() error {
		return s.daemon.metric(fmt.Sprintf(
			`mcp_sd_target_state{source="consul",state="lingering",target=%q}`, lingering), "1")
	})
	eventually(t, soon, func() error { return s.gone("silent") })
	eventually(t, retried, func() error { return s.gone("lingering") })
	if stayed := time.Since(start); stayed < scenarioLinger {
		t.Errorf("%s left %s after it was deregistered though it answered; linger is %s",
			lingering, stayed.Round(time.Millisecond), scenarioLinger)
	}
	eventually(t, inStep, func() error { return s.discovered(s.address("failing"), "__meta_mcp_sd_health", "down") })
}

// lastsUntilTheEnd: Prometheus is left with what Consul lists, the failing one
// among it, as the same series as ever.
func (s *scenario) lastsUntilTheEnd(t *testing.T) {
	delete(s.want, s.address("silent"))
	delete(s.want, s.address("lingering"))
	eventually(t, inStep, func() error { return s.prometheus.has(s.want) })
	eventually(t, inStep, func() error { return s.prometheus.up(s.address("failing"), "0") })
	holds(t, 2*time.Second, func() error { return s.prometheus.has(s.want) })
	s.daemon.stops(t)
	if err := fileHas(s.file(), s.want); err != nil {
		t.Errorf("after mcp-sd has ended: %v", err)
	}
}

// gone checks that the part's target has left the file.
func (s *scenario) gone(part string) error {
	targets, err := readTargets(s.file())
	if err != nil {
		return err
	}
	if l, there := targets[s.address(part)]; there {
		return fmt.Errorf("%s still lists the %s instance: %v", s.file(), part, l)
	}
	return nil
}

// discovered checks a label that Prometheus sees before relabelling.
func (s *scenario) discovered(address, name, want string) error {
	target, err := s.prometheus.target(address)
	if err != nil {
		return err
	}
	if got := target.DiscoveredLabels[name]; got != want {
		return fmt.Errorf("%s discovered %s with %s=%q, want %q", s.prometheus.name, address, name, got, want)
	}
	return nil
}
