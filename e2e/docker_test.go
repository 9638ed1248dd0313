package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestDocker follows containers of a real engine through their life, by the block
// that Prometheus has for it. Those of an engine that hangs or has ended stay, also
// over a restart of mcp-sd.
func TestDocker(t *testing.T) {
	t.Parallel()
	s := newDockerScenario(t, `docker_sd_configs: [{host: '%s', refresh_interval: 1s, filters: [{name: label, values: [mcp]}]}]`)
	first := s.engine.run(t, "mcp-1", "mcp", "environment=production", "version=v2.3.1")
	second := s.engine.run(t, "mcp-2", "mcp", "env=staging") // its version comes from its metrics
	s.engine.run(t, "database", "environment=production")
	s.want = map[string]labels{
		first:  {"environment": "production", "version": "v2.3.1"},
		second: {"environment": "staging", "version": "v1.0.0"},
	}
	s.shows(t)

	third := s.engine.run(t, "mcp-3", "mcp", "environment=production", "version=v2.3.2")
	s.want[third] = labels{"environment": "production", "version": "v2.3.2"}
	s.shows(t)
	s.engine.docker(t, "rm", "--force", "mcp-1")
	delete(s.want, first)
	s.shows(t)

	s.engine.hangs(t, true)
	s.keeps(t)
	s.engine.hangs(t, false)
	s.returns(t)

	s.engine.kill() // and the containers with it
	s.keeps(t)
	s.engine.starts(t)
	s.engine.docker(t, "start", "mcp-2", "mcp-3")
	s.want = map[string]labels{ // they get their addresses anew
		s.engine.address(t, "mcp-2"): s.want[second],
		s.engine.address(t, "mcp-3"): s.want[third],
	}
	s.recovers(t)
}

// TestDockerSwarm follows the tasks of a service of a real swarm while it is scaled.
func TestDockerSwarm(t *testing.T) {
	t.Parallel()
	const node = "10.9.0.1"
	s := newDockerScenario(t, `dockerswarm_sd_configs: [{host: '%s', role: tasks, refresh_interval: 1s}]`)
	s.engine.host.ip(t, "address add "+node+"/32 dev lo")
	s.engine.docker(t, "swarm", "init", "--advertise-addr="+node)
	s.engine.docker(t, "service", "create", "--detach", "--name=mcp", "--replicas=2", "--label=environment=production", "--label=version=v3",
		"--publish=mode=host,target=3000", "--no-resolve-image", serverImage)
	s.tasks(t, node, 2)
	s.engine.docker(t, "service", "scale", "--detach", "mcp=3")
	s.tasks(t, node, 3)
	s.engine.hangs(t, true)
	s.keeps(t)
	s.engine.hangs(t, false)
	s.returns(t)
	s.engine.docker(t, "service", "scale", "--detach", "mcp=1")
	s.tasks(t, node, 1)
}

// A dockerScenario is an engine, and the mcp-sd beside it.
type dockerScenario struct {
	*bridged
	engine *dockerEngine
	want   map[string]labels
}

// newDockerScenario takes a list of Prometheus', in which %s stands for the engine.
func newDockerScenario(t *testing.T, list string) *dockerScenario {
	t.Helper()
	h := newHost(t)
	s := &dockerScenario{bridged: &bridged{workspace: newWorkspace(t), host: h, source: "containers"}, engine: startDocker(t, h)}
	s.bridged.published = s.published
	s.configure(t, `
global: {source_timeout: 3s}
sources:
  - name: containers
    prometheus:
      `+list+`
health: {interval: 1s, timeout: 1s, fall: 2}
guard: {max_removed_ratio: 0.9, confirm_after: 5s}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, s.engine.socket)
	s.follows(t)
	return s
}

func (s *dockerScenario) published() error { return fileHas(s.output("mcp.json"), s.want) }

// tasks waits for so many of them, at ports that the node chose.
func (s *dockerScenario) tasks(t *testing.T, node string, number int) {
	t.Helper()
	eventually(t, retried, func() error {
		targets, err := readTargets(s.output("mcp.json"))
		if err != nil {
			return err
		}
		s.want = map[string]labels{}
		for address := range targets {
			s.want[address] = labels{"environment": "production", "version": "v3"}
			if !strings.HasPrefix(address, node+":") {
				return fmt.Errorf("%s is no port of the node", address)
			}
		}
		if len(targets) != number {
			return fmt.Errorf("%d tasks are published, want %d: %v", len(targets), number, slices.Sorted(maps.Keys(targets)))
		}
		return s.published()
	})
}
