package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	reloads      = 1000
	reloadRacks  = 20
	reloadConsul = 5
	// leakage is how many goroutines or file descriptors more may be left than
	// before: connections come and go.
	leakage = 10
)

// TestReloadStorm reloads a thousand times while both sources change, and
// probes run, one of which always hangs.
func TestReloadStorm(t *testing.T) {
	t.Parallel()
	s := newReloadStorm(t)
	for range 20 {
		s.reload(t)
	}
	before := s.calm(t)
	vigil := keepVigil(t, s.output("mcp.json"), s.all...)
	prometheus := watchPrometheus(t, prometheus3, s.output("mcp.json"), s.all...)
	for n := range reloads {
		if n%10 == 0 {
			s.change(t)
		}
		if n%100 == 50 {
			s.reloadBadly(t)
		}
		s.reload(t)
	}
	vigil.ends(t)
	prometheus.ends(t)
	eventually(t, soon, s.written)
	s.leaked(t, before)
	s.daemon.stops(t)
}

type reloadStorm struct {
	*workspace
	fleet  *fleet
	consul *consulServer
	daemon *daemon
	log    *logReader
	all    []string // addresses that are always listed
	wave   int
	count  int
}

func newReloadStorm(t *testing.T) *reloadStorm {
	s := &reloadStorm{workspace: newWorkspace(t), fleet: newFleet(t), consul: startConsul(t, "", "")}
	for i := range reloadRacks {
		s.all = append(s.all, s.fleet.add(fmt.Sprintf("127.0.14.%d", i), ""))
	}
	for i := range reloadConsul {
		ip := fmt.Sprintf("127.0.15.%d", i)
		s.all = append(s.all, s.fleet.add(ip, ""))
		s.consul.register(t, s.fleet, service{name: "mcp", ip: ip})
	}
	s.configures(t)
	s.change(t)
	s.daemon = s.start(t)
	s.log = &logReader{path: s.daemon.log}
	eventually(t, soon, s.written)
	s.fleet.set("127.0.14.0", hanging)
	return s
}

// configures writes a configuration that differs from the one before.
func (s *reloadStorm) configures(t *testing.T) {
	s.count++
	s.configure(t, `
global: {refresh_interval: 1s, labels: {reload: "%d"}}
sources:
  - {name: racks, static: {files: ['$STATIC/*.json']}}
  - {name: consul, consul: {server: %q, services: [mcp]}}
health: {interval: 1s, timeout: 1s, allow_cidrs: [127.0.0.0/8]}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 50ms}]
`, s.count/50, s.consul.address)
}

// reload waits until the new configuration is in force.
func (s *reloadStorm) reload(t *testing.T) {
	t.Helper()
	s.configures(t)
	s.daemon.signal(t, syscall.SIGHUP)
	s.log.waitFor(t, "the configuration was reloaded")
}

func (s *reloadStorm) reloadBadly(t *testing.T) {
	t.Helper()
	s.configure(t, "sources: [{name: racks}, {name: racks}]\n")
	s.daemon.signal(t, syscall.SIGHUP)
	s.log.waitFor(t, "the configuration was not reloaded")
}

// change gives all static targets another label, and one more instance to
// Consul or takes it away.
func (s *reloadStorm) change(t *testing.T) {
	t.Helper()
	s.wave++
	replaceFile(t, filepath.Join(s.static, "a.json"), fmt.Sprintf(`[{"targets": ["%s"], "labels": {"wave": "%d"}}]`,
		strings.Join(s.all[:reloadRacks], `", "`), s.wave))
	guest := service{name: "mcp", ip: "127.0.15.99"}
	if s.wave%2 == 0 {
		s.consul.register(t, s.fleet, guest)
	} else if s.wave > 1 {
		s.consul.deregister(t, guest)
	}
}

// written checks that the latest change and the latest configuration have
// reached the file.
func (s *reloadStorm) written() error {
	targets, err := readTargets(s.output("mcp.json"))
	if err != nil {
		return err
	}
	want := map[string]labels{}
	for i, address := range s.all {
		want[address] = labels{"reload": fmt.Sprint(s.count / 50), "region": "dc1"}
		if i < reloadRacks {
			want[address] = labels{"reload": fmt.Sprint(s.count / 50), "wave": fmt.Sprint(s.wave)}
		}
		if _, ok := targets[address]; !ok {
			return fmt.Errorf("%s is missing", address)
		}
		targets[address] = targets[address].series()
	}
	for address := range targets {
		if _, ok := want[address]; !ok { // the guest
			delete(targets, address)
		}
	}
	return sameTargets(targets, want)
}

// calm is the most that the daemon needs while nothing but probes happens.
func (s *reloadStorm) calm(t *testing.T) map[string]float64 {
	t.Helper()
	most := map[string]float64{}
	holds(t, 3*time.Second, func() error {
		for name, now := range s.resources(t) {
			most[name] = max(most[name], now)
		}
		return nil
	})
	return most
}

// resources are what a leak would take.
func (s *reloadStorm) resources(t *testing.T) map[string]float64 {
	t.Helper()
	used := map[string]float64{}
	for _, name := range []string{"go_goroutines", "process_open_fds"} {
		value, err := s.daemon.sample(name)
		if err != nil {
			t.Fatal(err)
		}
		used[name] = value
	}
	return used
}

func (s *reloadStorm) leaked(t *testing.T, before map[string]float64) {
	t.Helper()
	lowest := map[string]float64{"go_goroutines": math.Inf(1), "process_open_fds": math.Inf(1)}
	defer s.tellsStacks(t)
	eventually(t, retried, func() error { // what was in flight takes its time
		for name, now := range s.resources(t) {
			lowest[name] = min(lowest[name], now)
			if now > before[name]+leakage {
				return fmt.Errorf("%s was %g before %d reloads and is %g", name, before[name], reloads, now)
			}
		}
		return nil
	})
	t.Logf("before %d reloads: %v; after: %v", reloads, before, lowest)
}

// tellsStacks says, after a failure, what the goroutines are at.
func (s *reloadStorm) tellsStacks(t *testing.T) {
	if !t.Failed() || s.daemon.running() != nil {
		return
	}
	s.daemon.signal(t, syscall.SIGQUIT)
	<-s.daemon.done
	log, err := os.ReadFile(s.daemon.log)
	if err != nil {
		t.Fatal(err)
	}
	stacks := map[string]int{}
	for _, dump := range bytes.Split(log, []byte("\n\n")) {
		if lines := bytes.SplitN(dump, []byte("\n"), 3); bytes.HasPrefix(dump, []byte("goroutine ")) && len(lines) > 1 {
			_, state, _ := bytes.Cut(lines[0], []byte("["))
			stacks[fmt.Sprintf("%s %s", state, bytes.SplitN(lines[1], []byte("("), 2)[0])]++
		}
	}
	for _, stack := range slices.Sorted(maps.Keys(stacks)) {
		t.Logf("%d × %s", stacks[stack], stack)
	}
}
