package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"
)

const (
	crowdInterval = 10 * time.Second
	crowdHealthy  = 500
	crowdOfEach   = 200
	crowdMemory   = 250 // MiB
)

// TestCrowdOfHostileEndpoints: a thousand endpoints that hang, drip, bomb,
// redirect or never take a connection, all at once and in the source of five
// hundred healthy ones, which are judged within two intervals all the same:
// when they appear, when they break, and when they are mended (contract §5).
func TestCrowdOfHostileEndpoints(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	for _, kind := range c.hostile { // all of them have been met
		eventually(t, retried, func() error { return c.shows(t, kind.addresses, "down", kind.class) })
	}
	c.appear(t)
	c.judges(t, "appeared", "up", "")
	eventually(t, soon, func() error { return atLeast(c.output("mcp.json"), c.healthy...) })
	c.all(broken)
	c.judges(t, "broke", "down", "http_5xx")
	c.all(healthy)
	c.judges(t, "were mended", "up", "")
	if memory := c.daemon.resident(t); memory > crowdMemory {
		t.Errorf("%.0f MiB resident, want at most %d", memory, crowdMemory)
	}
	c.daemon.stops(t)
}

// judges waits for the verdict about each healthy endpoint.
func (c *crowd) judges(t *testing.T, what, health, failure string) {
	t.Helper()
	began := time.Now()
	eventually(t, 2*crowdInterval, c.judged(t, c.healthy, health, failure))
	cpu, _ := c.daemon.value("process_cpu_seconds_total")
	t.Logf("%d %s and were judged within %s; %.0f MiB resident, %s s of CPU", len(c.healthy), what,
		time.Since(began).Round(100*time.Millisecond), c.daemon.resident(t), cpu)
}

// A crowd is many endpoints of one source, few of them well.
type crowd struct {
	*workspace
	fleet   *fleet
	daemon  *daemon
	healthy []string // addresses
	hostile []hostile
}

// A hostile is a way to be a bad endpoint.
type hostile struct {
	class     string // of its probes
	addresses []string
}

func newCrowd(t *testing.T) *crowd {
	h := newHost(t)
	c := &crowd{workspace: newWorkspace(t), fleet: newFleetOn(t, h)}
	c.plays(1, "timeout", hangs)
	c.plays(2, "timeout", drips)
	c.plays(3, "too_large", bombs)
	c.plays(4, "redirect", redirects("http://"+c.fleet.address(crowdIP(0, 0))+"/metrics"))
	c.swallows(t, h)
	c.lists(t)
	c.configure(t, `
sources: [{name: crowd, static: {files: ['$STATIC/crowd.yml']}}]
health: {interval: %s, timeout: 2s, rise: 1, fall: 1, body_limit: 1MiB}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, crowdInterval)
	c.daemon = h.start(t, c.workspace)
	return c
}

// lists everybody in the one static list.
func (c *crowd) lists(t *testing.T) {
	t.Helper()
	all := slices.Clone(c.healthy)
	for _, kind := range c.hostile {
		all = append(all, kind.addresses...)
	}
	c.writes(t, "crowd.yml", all)
}

// appear adds the healthy ones.
func (c *crowd) appear(t *testing.T) {
	t.Helper()
	for i := range crowdHealthy {
		c.healthy = append(c.healthy, c.fleet.add(crowdIP(0, i), ""))
	}
	c.lists(t)
}

func crowdIP(kind, i int) string { return fmt.Sprintf("127.6%d.%d.%d", kind, i/200, 1+i%200) }

func (c *crowd) plays(kind int, class string, answers http.HandlerFunc) {
	k := hostile{class: class}
	for i := range crowdOfEach {
		k.addresses = append(k.addresses, c.fleet.play(crowdIP(kind, i), answers))
	}
	c.hostile = append(c.hostile, k)
}

// swallows adds endpoints that never answer a SYN: the frames go to a machine
// that is not there.
func (c *crowd) swallows(t *testing.T, h *host) {
	here, _ := h.link(t, newHost(t), "10.60.0.1/24", "10.60.0.2/24")
	h.ip(t, "neighbour add 10.60.0.3 lladdr 02:00:00:00:00:03 dev "+here)
	h.ip(t, "route add 10.61.0.0/16 via 10.60.0.3")
	k := hostile{class: "timeout"}
	for i := range crowdOfEach {
		k.addresses = append(k.addresses, fmt.Sprintf("10.61.0.%d:80", 1+i))
	}
	c.hostile = append(c.hostile, k)
}

// all healthy ones behave so from now on.
func (c *crowd) all(mode behaviour) {
	for i := range crowdHealthy {
		c.fleet.set(crowdIP(0, i), mode)
	}
}
