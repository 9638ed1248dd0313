package e2e

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// forbiddenLiterals are ways to write addresses that are never probed and never
// published (contract §7): mostly that of the metadata service.
var forbiddenLiterals = []string{
	"169.254.169.254", "169.254.169.254.", "2852039166", "0xa9fea9fe", "0XA9FEA9FE", "025177524776",
	"0251.0376.0251.0376", "0251.254.169.254", "0xa9.0xfe.0xa9.0xfe", "0xa9.254.0251.254",
	"169.16689662", "169.254.43518", "169.0xfea9fe", "169.254.0xa9fe",
	"[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[0:0:0:0:0:ffff:a9fe:a9fe]", "[::FFFF:A9FE:A9FE]",
	"[64:ff9b::a9fe:a9fe]", "[64:ff9b::169.254.169.254]", "[0064:ff9b:0:0:0:0:a9fe:a9fe]",
	"[fd00:ec2::254]", "[fd00:0ec2:0:0:0:0:0:254]", "100.100.100.200", "192.0.0.192", "169.254.0.1",
	"0.0.0.0", "0", "0x0", "[::]", "[::ffff:0.0.0.0]", "0.1.2.3",
	"[fe80::1]", "[fe80::1%lo]", "[fe80::1%25lo]", "224.0.0.1", "[ff02::1]", "255.255.255.255",
	"１６９.254.169.254", "169。254。169。254",
}

// forbiddenNames resolve to such addresses.
var forbiddenNames = map[string]string{
	"meta.test":   "169.254.169.254",
	"v6.test":     "fd00:ec2::254",
	"nat64.test":  "64:ff9b::a9fe:a9fe",
	"mapped.test": "::ffff:169.254.169.254",
	"zero.test":   "0.0.0.0",
	"oracle.test": "192.0.0.192",
	"hosts.test":  "127.0.0.1", // but /etc/hosts has it otherwise
}

// trapped are the addresses that these come to, as far as anything can listen
// on them.
var trapped = []string{
	"169.254.169.254/32", "169.254.0.1/32", "100.100.100.200/32", "192.0.0.192/32",
	"fd00:ec2::254/128", "64:ff9b::a9fe:a9fe/128",
}

// TestMetadataAddress offers mcp-sd the metadata service in every notation,
// from static files, from Consul and by relabelling, by names that resolve to
// it, by a redirect and through a proxy, with everything in allow_cidrs. Nobody
// connects to it, and nothing of it is published, while every target beside it
// is.
func TestMetadataAddress(t *testing.T) {
	t.Parallel()
	m := newMetadata(t)
	m.starts(t)
	eventually(t, soon, func() error { return atLeast(m.output("mcp.json"), m.good...) })
	for name := range forbiddenNames {
		eventually(t, soon, func() error { return m.shows(t, []string{trapAddress(name)}, "down", "denied") })
	}
	eventually(t, soon, func() error { return m.shows(t, []string{m.redirecting}, "down", "redirect") })
	// The names have all been down for longer than admit_timeout.
	holds(t, 3*time.Second, m.onlyGood)
	m.trap.isEmpty(t)
	if asked := m.proxied.Load(); asked != 0 {
		t.Errorf("the proxy was asked for metadata %d times", asked)
	}
	for _, literal := range []string{"169.254.169.254", "0xa9fea9fe", "[64:ff9b::a9fe:a9fe]"} {
		why := m.call(t, "explain", trapAddress(literal))
		if !strings.Contains(why.stdout, "(denied)") {
			t.Errorf("mcp-sd explain does not say why %s is not published:\n%s%s", literal, why.stdout, why.stderr)
		}
	}
}

func trapAddress(name string) string { return fmt.Sprintf("%s:%d", name, trapPort) }

// A metadata is a host on which all addresses that are forbidden answer.
type metadata struct {
	*workspace
	host        *host
	fleet       *fleet
	names       *nameServer
	trap        *trap
	good        []string // addresses that are to be published
	redirecting string   // one of them
	proxy       string
	proxied     atomic.Int64 // questions for what is forbidden
}

func newMetadata(t *testing.T) *metadata {
	h := newHost(t)
	m := &metadata{workspace: newWorkspace(t), host: h, fleet: newFleetOn(t, h), names: newNameServer(t, h)}
	m.trap = newTrap(t, h, trapped...)
	for name, address := range forbiddenNames {
		m.names.name(name, address)
	}
	m.names.name("good.test", "127.0.52.2")
	h.file(t, "/etc/hosts", "127.0.0.1 localhost\n169.254.169.254 hosts.test\n")
	m.fleet.add("127.0.52.2", "")
	m.redirecting = m.fleet.play("127.0.52.3", redirects("http://169.254.169.254/metrics"))
	m.good = []string{m.fleet.add("127.0.52.1", ""), fmt.Sprintf("good.test:%d", m.fleet.port), m.redirecting}
	metrics := instanceMetrics("")
	m.proxy = m.fleet.play("127.0.52.4", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host != "proxied.test:80" {
			m.proxied.Add(1)
		}
		metrics.ServeHTTP(w, r)
	})
	return m
}

// starts offers everything to mcp-sd, and starts it.
func (m *metadata) starts(t *testing.T) {
	t.Helper()
	consul := startConsulOn(t, m.host)
	m.registers(t, consul)
	bad := slices.Concat(forbiddenLiterals, slices.Sorted(maps.Keys(forbiddenNames)))
	list := slices.Clone(m.good)
	for _, name := range bad {
		list = append(list, trapAddress(name))
	}
	m.writes(t, "racks.yml", list)
	m.writes(t, "proxied.yml", []string{"proxied.test:80", "169.254.169.254:80", "0xa9fea9fe:80", "[64:ff9b::a9fe:a9fe]:80"})
	m.good = append(m.good, m.fleet.address("127.0.52.9"), "proxied.test:80")
	m.configure(t, `
global: {refresh_interval: 1s}
sources:
  - {name: racks, static: {files: ['$STATIC/racks.yml']}}
  - name: consul
    consul: {server: %q, services: [mcp]}
    relabel_configs:
      - {source_labels: [__meta_consul_service_metadata_address], regex: (.+), target_label: __address__}
  - name: proxied
    static: {files: ['$STATIC/proxied.yml']}
    health: {http_client: {proxy_url: 'http://%s'}}
health: {interval: 1s, timeout: 1s, admit_timeout: 1s, allow_cidrs: [0.0.0.0/0, '::/0', 169.254.169.254/32]}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, consul.address, m.proxy)
	m.host.start(t, m.workspace)
}

// writes a static file of targets.
func (w *workspace) writes(t *testing.T, name string, addresses []string) {
	t.Helper()
	replaceFile(t, w.static+"/"+name, fmt.Sprintf("[{targets: ['%s']}]", strings.Join(addresses, "', '")))
}

// registers everything in Consul as well, which does not take all of it.
func (m *metadata) registers(t *testing.T, consul *consulServer) {
	t.Helper()
	m.fleet.add("127.0.52.9", "")
	consul.register(t, m.fleet, service{name: "mcp", ip: "127.0.52.9"})
	taken := 0
	for _, literal := range append(slices.Sorted(maps.Keys(forbiddenNames)), forbiddenLiterals...) {
		bare := strings.Trim(literal, "[]")
		err := consul.Agent().ServiceRegister(&api.AgentServiceRegistration{
			ID: bare, Name: "mcp", Address: bare, Port: trapPort,
		})
		if err == nil {
			taken++
		}
		err = consul.Agent().ServiceRegister(&api.AgentServiceRegistration{
			ID: "relabelled " + bare, Name: "mcp", Address: "127.0.52.1", Port: trapPort,
			Meta: map[string]string{"address": trapAddress(literal)},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if taken < len(forbiddenLiterals)/2 {
		t.Errorf("consul took only %d of the addresses", taken)
	}
}

// onlyGood checks that nothing is published but what may be.
func (m *metadata) onlyGood() error {
	targets, err := readTargets(m.output("mcp.json"))
	if err != nil {
		return err
	}
	var wrong []error
	for address := range targets {
		if !slices.Contains(m.good, address) {
			wrong = append(wrong, fmt.Errorf("%s is published", address))
		}
	}
	return errors.Join(wrong...)
}

// TestRebinding: names that are good when they are first looked up, and bad
// later, or now and then, or in part. What was published stays, as down; no
// bad address is ever connected to.
func TestRebinding(t *testing.T) {
	t.Parallel()
	var bad atomic.Bool
	m := newRebinding(t, &bad)
	eventually(t, soon, func() error { return atLeast(m.output("mcp.json"), m.address("later")) })
	bad.Store(true)
	eventually(t, soon, func() error { return m.shows(t, []string{m.address("later")}, "down", "denied") })
	eventually(t, soon, func() error {
		if n := m.names.lookups("turns.test"); n < 10 {
			return fmt.Errorf("looked up %d times, want 10", n)
		}
		return nil
	})
	if err := atLeast(m.output("mcp.json"), m.address("later")); err != nil {
		t.Error(err)
	}
	if n := m.proxied.Load(); n != 0 {
		t.Errorf("%d questions arrived at the metadata service", n)
	}
}

func (m *metadata) address(name string) string { return fmt.Sprintf("%s.test:%d", name, m.fleet.port) }

// newRebinding begins with all good; "later" turns when later says so.
func newRebinding(t *testing.T, later *atomic.Bool) *metadata {
	h := newHost(t)
	m := &metadata{workspace: newWorkspace(t), host: h, fleet: newFleetOn(t, h), names: newNameServer(t, h)}
	h.ip(t, "address add 169.254.169.254/32 dev lo")
	m.fleet.play("169.254.169.254", func(http.ResponseWriter, *http.Request) { m.proxied.Add(1) })
	metrics := instanceMetrics("")
	m.fleet.play("127.0.53.1", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // so that the name is looked up again
		metrics.ServeHTTP(w, r)
	})
	m.binds("later", func(int) bool { return later.Load() })
	m.binds("turns", func(asked int) bool { return asked%2 == 0 })
	m.names.name("mixed.test", "169.254.169.254", "127.0.53.1")
	m.writes(t, "racks.yml", []string{m.address("later"), m.address("turns"), m.address("mixed")})
	m.configure(t, `
sources: [{name: racks, static: {files: ['$STATIC/racks.yml']}}]
health: {interval: 500ms, timeout: 500ms, fall: 2}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`)
	m.host.start(t, m.workspace)
	return m
}

// binds a name to an address that is good, unless it is bad.
func (m *metadata) binds(name string, bad func(asked int) bool) {
	m.names.names(name+".test", func(asked int) []netip.Addr {
		if bad(asked) {
			return []netip.Addr{netip.MustParseAddr("169.254.169.254")}
		}
		return []netip.Addr{netip.MustParseAddr("127.0.53.1")}
	})
}
