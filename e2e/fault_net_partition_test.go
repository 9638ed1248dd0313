package e2e

import (
	"fmt"
	"os"
	"testing"

	"github.com/hashicorp/consul/api"
)

// TestConsulPartitioned cuts the way to Consul, silently in between and by
// pulling the cable at the other end. A standing query notices by its
// keep-alive; until then, then, and after a restart in the middle of it nothing
// is lost, and the other source goes on.
func TestConsulPartitioned(t *testing.T) {
	t.Parallel()
	consul := startConsulOn(t, newHost(t))
	for i, c := range []struct {
		name       string
		cut, mends func(*route, *testing.T)
	}{
		{"silent", (*route).swallow, (*route).forward},
		{"cable", (*route).pull, (*route).plug},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRoute(t, consul.host, 10+i)
			o := newOutage(t, r.host, fmt.Sprintf("server: '%s:%s', services: [%s]", r.server, consul.flag("http-port"), c.name))
			o.joins(t, consul, c.name, "127.0.38.1")
			o.joins(t, consul, c.name, "127.0.38.2")

			c.cut(r, t)
			o.registers(t, consul, c.name, "127.0.38.3")
			late := o.fleet.address("127.0.38.3")
			delete(o.want, late)
			o.losesSource(t)
			o.racksGain(t, "127.0.38.11")
			o.restarts(t)
			o.losesSource(t)

			c.mends(r, t)
			o.want[late] = labels{"region": "dc1", "version": "v1"}
			o.regainsSource(t)
			o.becomesComplete(t, retried)
		})
	}
}

// startConsulOn runs a server on a host of its own, which serves all of its
// addresses.
func startConsulOn(t *testing.T, h *host) *consulServer {
	t.Helper()
	c := newConsul(t, "", "")
	c.host = h
	c.args = append(c.args, "-client=0.0.0.0")
	way := newWire(t, nil, h, c.address)
	client, err := api.NewClient(&api.Config{Address: way.address})
	if err != nil {
		t.Fatal(err)
	}
	c.Client = client
	c.start(t, t.TempDir())
	return c
}

// A route leads from a host over a router to a server:
//
//	host 10.n.1.2 — 10.n.1.1 router 10.n.2.1 — 10.n.2.2 server
type route struct {
	host    *host
	router  *host
	servers *host
	client  string // the host's address
	server  string // the server's
	network string // of the host
	gateway string // of the server
	cable   string // the server's interface
}

func newRoute(t *testing.T, servers *host, n int) *route {
	t.Helper()
	address := func(network, host int) string { return fmt.Sprintf("10.%d.%d.%d", n, network, host) }
	r := &route{
		host: newHost(t), router: newHost(t), servers: servers,
		client: address(1, 2), server: address(2, 2), network: address(1, 0) + "/24", gateway: address(2, 1),
	}
	r.router.link(t, r.host, address(1, 1)+"/24", address(1, 2)+"/24")
	_, r.cable = r.router.link(t, servers, address(2, 1)+"/24", address(2, 2)+"/24")
	var err error
	r.router.do(func() { err = os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) })
	if err != nil {
		t.Fatal(err)
	}
	r.host.ip(t, "route add default via "+address(1, 1))
	r.forward(t)
	return r
}

// swallow makes the router lose everything without a word, in both directions.
func (r *route) swallow(t *testing.T) {
	r.router.ip(t, "route add blackhole "+r.server)
	r.router.ip(t, "route add blackhole "+r.client)
}

// forward ends that.
func (r *route) forward(t *testing.T) {
	r.router.ip(t, "route flush type blackhole")
	r.servers.ip(t, "route replace "+r.network+" via "+r.gateway)
}

// pull takes out the server's cable.
func (r *route) pull(t *testing.T) { r.servers.ip(t, "link set "+r.cable+" down") }

// plug puts it back, and brings back the route that went with it.
func (r *route) plug(t *testing.T) {
	r.servers.ip(t, "link set "+r.cable+" up")
	r.forward(t)
}
