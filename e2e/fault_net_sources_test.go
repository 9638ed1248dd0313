package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// TestSourceFailsBesideAnother: of two Consuls one dies. What the other lists
// comes and goes as ever; what the dead one listed stays, also what the living
// one listed as well and lists no more. The dead one's source is renamed
// meanwhile, mcp-sd restarts, and Consul comes back: empty first, while no
// instance answers, and then whole.
func TestSourceFailsBesideAnother(t *testing.T) {
	t.Parallel()
	s := newTwoSources(t)
	s.comes(t, s.living, 1, 2)
	s.comes(t, s.dead, 3, 4, 5)
	s.both(t, 6)
	s.published(t, 1, 2, 3, 4, 5, 6)

	t.Log("one of two dies")
	s.dead.kill()
	eventually(t, soon, func() error { return s.daemon.sourceUp("dead", "consul", "0") })
	s.goes(t, s.living, 1)
	s.goes(t, s.living, 6)
	s.comes(t, s.living, 7)
	s.published(t, 2, 3, 4, 5, 6, 7)

	t.Log("its source is renamed")
	s.configures(t, "renamed")
	s.daemon.signal(t, syscall.SIGHUP)
	eventually(t, soon, func() error { return s.daemon.sourceUp("renamed", "consul", "0") })
	s.keeps(t, 2*time.Second, 2, 3, 4, 5, 6, 7)
	s.daemon.kill()
	s.daemon = s.start(t)
	eventually(t, soon, func() error { return s.daemon.sourceUp("renamed", "consul", "0") })
	s.keeps(t, 2*time.Second, 2, 3, 4, 5, 6, 7)

	t.Log("it comes back whole, under the new name")
	s.dead.start(t, s.dead.dataDir)
	for _, i := range []int{3, 4, 5, 6} {
		eventually(t, retried, func() error {
			return fileLabel(s.file(), s.address(i), "__meta_mcp_sd_source", "renamed")
		})
	}
	s.keeps(t, time.Second, 2, 3, 4, 5, 6, 7)

	t.Log("it comes back empty, and nobody answers")
	for _, i := range []int{3, 4, 5, 6} {
		s.fleet.set(s.ip(i), off)
	}
	s.dead.kill()
	s.dead.start(t, t.TempDir())
	for _, i := range []int{3, 4, 5, 6} {
		eventually(t, retried, func() error { return fileLabel(s.file(), s.address(i), "__meta_mcp_sd_state", "held") })
	}
	s.keeps(t, guardConfirm+2*time.Second, 2, 3, 4, 5, 6, 7)
	if got := s.call(t, "accept", "living"); got.stdout != "The guard holds nothing.\n" {
		t.Errorf("mcp-sd accept of the other source says\n%s%s", got.stdout, got.stderr)
	}
	s.call(t, "accept", "renamed").expect(t, 0)
	s.published(t, 2, 7)
}

// A twoSources is one mcp-sd with two Consuls.
type twoSources struct {
	*workspace
	living, dead *consulServer
	fleet        *fleet
	daemon       *daemon
}

func newTwoSources(t *testing.T) *twoSources {
	s := &twoSources{workspace: newWorkspace(t), fleet: newFleet(t)}
	s.living, s.dead = newConsul(t, "", ""), newConsul(t, "", "")
	s.living.boot(t, t.TempDir())
	s.dead.boot(t, t.TempDir())
	s.living.leads(t)
	s.dead.leads(t)
	s.configures(t, "dead")
	s.daemon = s.start(t)
	return s
}

func (s *twoSources) configures(t *testing.T, name string) {
	t.Helper()
	s.configure(t, `
global: {refresh_interval: 1s, source_timeout: 3s}
sources:
  - {name: living, consul: {server: %q, services: [mcp]}}
  - {name: %s, consul: {server: %q, services: [mcp]}}
health: {interval: 1s, timeout: 1s, fall: 1, allow_cidrs: [127.0.0.0/8]}
guard: {window: %s, confirm_after: %s}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, s.living.address, name, s.dead.address, guardWindow, guardConfirm)
}

func (s *twoSources) ip(i int) string { return fmt.Sprintf("127.0.50.%d", i) }

func (s *twoSources) address(i int) string { return s.fleet.address(s.ip(i)) }

func (s *twoSources) file() string { return s.output("mcp.json") }

func (s *twoSources) comes(t *testing.T, consul *consulServer, instances ...int) {
	t.Helper()
	for _, i := range instances {
		s.fleet.add(s.ip(i), "")
		consul.register(t, s.fleet, service{name: "mcp", ip: s.ip(i), meta: version("v1")})
	}
}

// both list an instance.
func (s *twoSources) both(t *testing.T, i int) {
	t.Helper()
	s.comes(t, s.living, i)
	s.comes(t, s.dead, i)
}

// goes stops and deregisters an instance.
func (s *twoSources) goes(t *testing.T, consul *consulServer, i int) {
	t.Helper()
	s.fleet.set(s.ip(i), off)
	consul.deregister(t, service{name: "mcp", ip: s.ip(i)})
}

func (s *twoSources) has(instances []int) error {
	want := map[string]labels{}
	for _, i := range instances {
		want[s.address(i)] = labels{"region": "dc1", "version": "v1"}
	}
	return fileHas(s.file(), want)
}

// published waits for exactly these.
func (s *twoSources) published(t *testing.T, instances ...int) {
	t.Helper()
	eventually(t, retried, func() error { return s.has(instances) })
}

func (s *twoSources) keeps(t *testing.T, during time.Duration, instances ...int) {
	t.Helper()
	holds(t, during, func() error { return s.has(instances) })
}
