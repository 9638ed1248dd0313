package e2e

import (
	"fmt"
	"testing"
	"time"
)

const (
	dnsInterval = 10 * time.Second
	dnsHealthy  = 250 // by name, and as many by address
	dnsHanging  = 1000
)

// TestDNSHangs: a thousand names get no answer from the resolver. Healthy
// endpoints beside them, by name and by address, are judged within two
// intervals; a Consul that goes by such a name is a failed source; and when all
// names hang, what is published stays. That must not depend on nsswitch.conf,
// which on some machines asks for what only the C library's resolver has: that
// one can't give up.
func TestDNSHangs(t *testing.T) {
	t.Parallel()
	for name, nsswitch := range map[string]string{
		"plain":            "hosts: files dns\n",
		"systemd-resolved": "hosts: files resolve [!UNAVAIL=return] dns\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newHangingDNS(t, nsswitch)
			began := time.Now()
			eventually(t, 2*dnsInterval, func() error { return atLeast(d.output("mcp.json"), d.healthy...) })
			t.Logf("%d healthy ones were published within %s", len(d.healthy), time.Since(began).Round(100*time.Millisecond))
			eventually(t, soon, func() error { return d.daemon.sourceUp("consul", "consul", "0") })

			d.breaks(t)
			d.hangs(t)
			d.daemon.stops(t)
		})
	}
}

// A hangingDNS is a list of endpoints of which most go by names that hang.
type hangingDNS struct {
	*workspace
	host    *host
	names   *nameServer
	fleet   *fleet
	daemon  *daemon
	healthy []string
}

func newHangingDNS(t *testing.T, nsswitch string) *hangingDNS {
	h := newHost(t)
	h.file(t, "/etc/nsswitch.conf", nsswitch)
	d := &hangingDNS{workspace: newWorkspace(t), host: h, names: newNameServer(t, h), fleet: newFleetOn(t, h)}
	d.names.hangs(".hang.test")
	for i := range 2 * dnsHealthy {
		ip := crowdIP(7, i)
		address := d.fleet.add(ip, "")
		if i%2 == 0 {
			name := fmt.Sprintf("mcp-%d.well.test", i)
			d.names.name(name, ip)
			address = fmt.Sprintf("%s:%d", name, d.fleet.port)
		}
		d.healthy = append(d.healthy, address)
	}
	all := d.healthy
	for i := range dnsHanging {
		all = append(all, fmt.Sprintf("mcp-%d.hang.test:%d", i, d.fleet.port))
	}
	d.writes(t, "racks.yml", all)
	d.configure(t, `
global: {refresh_interval: 1s, source_timeout: 3s}
sources:
  - {name: racks, static: {files: ['$STATIC/racks.yml']}}
  - {name: consul, consul: {server: 'consul.hang.test:8500', services: [mcp]}}
health: {interval: %s, timeout: 1s, rise: 1, fall: 1}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, dnsInterval)
	d.daemon = h.start(t, d.workspace)
	return d
}

// breaks breaks half of the healthy ones, by name and by address.
func (d *hangingDNS) breaks(t *testing.T) {
	t.Helper()
	for i := range dnsHealthy {
		d.fleet.set(crowdIP(7, i), broken)
	}
	began := time.Now()
	eventually(t, 2*dnsInterval, d.judged(t, d.healthy[:dnsHealthy], "down", "http_5xx"))
	t.Logf("%d broken ones were judged within %s", dnsHealthy, time.Since(began).Round(100*time.Millisecond))
}

// hangs makes all names hang, those that were looked up before, too, and
// restarts mcp-sd, which has no connections then.
func (d *hangingDNS) hangs(t *testing.T) {
	t.Helper()
	d.names.hangs(".test")
	d.daemon.kill()
	d.daemon = d.host.start(t, d.workspace)
	all := func() error { return atLeast(d.output("mcp.json"), d.healthy...) }
	eventually(t, retried, func() error {
		if err := all(); err != nil {
			t.Fatalf("meanwhile: %v", err)
		}
		return d.shows(t, d.healthy[:1], "down", "dns")
	})
	holds(t, time.Second, all)
}
