package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// slowInstances make an answer of Consul's that takes seconds to arrive.
const slowInstances = 300

// TestConsulSlow: an answer that is cut off fails and lists nothing; one that
// takes its time counts when it is whole; a question that nobody answers ends
// with source_timeout. No target is lost to any of them.
func TestConsulSlow(t *testing.T) {
	t.Parallel()
	consul := startConsul(t, "", "")
	way := newWire(t, nil, nil, consul.address)
	o := newOutage(t, nil, fmt.Sprintf("server: %q, services: [mcp]", way.address))
	for i := range slowInstances {
		o.external(t, consul, slowIP(i))
	}
	o.becomesComplete(t, soon)

	t.Log("answers are cut off")
	way.becomes(cutting)
	o.leavesExternally(t, consul, slowIP(0))
	o.losesSource(t)
	o.racksGain(t, "127.0.33.1")
	way.becomes(perfect)
	delete(o.want, o.fleet.address(slowIP(0)))
	o.becomesComplete(t, retried)
	o.regainsSource(t)

	t.Log("answers take seconds")
	way.becomes(slow)
	before, began := way.carried.Load(), time.Now()
	joined := o.fleet.address(slowIP(slowInstances))
	o.external(t, consul, slowIP(slowInstances))
	delete(o.want, joined)
	o.throughout(t, soon, func() error { return way.hasCarried(before + 64<<10) })
	o.want[joined] = labels{"region": "dc1", "version": "v1"}
	o.becomesComplete(t, soon)
	t.Logf("an answer of %d bytes took %s", way.carried.Load()-before, time.Since(began).Round(100*time.Millisecond))
	if err := o.daemon.sourceUp("consul", "consul", "1"); err != nil {
		t.Errorf("after a slow answer that was whole: %v", err)
	}

	t.Log("mcp-sd restarts, and its first question takes longer than source_timeout")
	o.restarts(t)
	o.losesSource(t)

	t.Log("nothing comes any more")
	way.becomes(silent)
	way.drop()
	o.racksGain(t, "127.0.33.2")
	holds(t, 4*time.Second, o.complete)

	way.becomes(perfect)
	way.drop()
	o.regainsSource(t)
	holds(t, time.Second, o.complete)
}

func slowIP(i int) string { return fmt.Sprintf("127.0.%d.%d", 34+i/200, 1+i%200) }

// external registers an instance in the catalogue, as a node without an agent.
func (o *outage) external(t *testing.T, consul *consulServer, ip string) {
	t.Helper()
	o.want[o.fleet.add(ip, "")] = labels{"region": "dc1", "version": "v1"}
	_, err := consul.Catalog().Register(&api.CatalogRegistration{
		Node: "rack", Address: "127.0.0.1", SkipNodeUpdate: len(o.want) > 1,
		Service: &api.AgentService{ID: "mcp-" + ip, Service: "mcp", Address: ip, Port: o.fleet.port, Meta: version("v1")},
	}, nil)
	if err != nil {
		t.Fatalf("registering %s: %v", ip, err)
	}
}

// leavesExternally deregisters an instance that answers no more.
func (o *outage) leavesExternally(t *testing.T, consul *consulServer, ip string) {
	t.Helper()
	o.fleet.set(ip, off)
	if _, err := consul.Catalog().Deregister(&api.CatalogDeregistration{Node: "rack", ServiceID: "mcp-" + ip}, nil); err != nil {
		t.Fatalf("deregistering %s: %v", ip, err)
	}
}

// hasCarried is an error until so many bytes of answers have passed.
func (w *wire) hasCarried(bytes int64) error {
	if carried := w.carried.Load(); carried < bytes {
		return fmt.Errorf("%d bytes have passed, want %d", carried, bytes)
	}
	return nil
}
