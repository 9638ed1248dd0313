package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// Of the scenarios: guard.confirm_after, unless they have to see what lasts no
// longer than that, and guard.window.
const (
	guardConfirm = 4 * time.Second
	guardWindow  = 3 * time.Second
)

// TestGuard lets real deployments and real mishaps happen in one Consul, and
// looks at what stays published (contract §6).
func TestGuard(t *testing.T) {
	t.Parallel()
	consul := startConsul(t, "", "")
	for i, scenario := range []struct {
		name    string
		run     func(*testing.T, *guarded)
		confirm time.Duration
	}{
		{"rolling-deploy", rollingDeploy, guardConfirm},
		{"scale-in", scaleIn, 20 * time.Second},
		{"scale-in-of-living", scaleInOfLiving, guardConfirm},
		{"blue-green", blueGreen, guardConfirm},
		{"environment-lost", environmentLost, 20 * time.Second},
		{"relabel-typo", relabelTypo, guardConfirm},
		{"flapping", flapping, guardConfirm},
	} {
		t.Run(scenario.name, func(t *testing.T) {
			t.Parallel()
			scenario.run(t, &guarded{
				workspace: newWorkspace(t), consul: consul, fleet: newFleet(t), name: scenario.name, net: 40 + i,
				probes: "interval: 1s, timeout: 1s", health: "fall: 1", output: "mcp.json", confirm: scenario.confirm,
			})
		})
	}
}

// A guarded is one service in Consul and the mcp-sd that follows it.
type guarded struct {
	*workspace
	consul  *consulServer
	fleet   *fleet
	daemon  *daemon
	name    string // of the service
	net     int    // its instances are 127.0.net.i
	probes  string // the options for how often and how long
	health  string // further options
	relabel string // a rule
	output  string
	confirm time.Duration // guard.confirm_after
}

func (g *guarded) configures(t *testing.T) {
	t.Helper()
	g.configure(t, `
global: {refresh_interval: 1s}
sources: [{name: consul, consul: {server: %q, services: [%s]}, relabel_configs: [%s]}]
health: {%s, allow_cidrs: [127.0.0.0/8], %s}
guard: {window: %s, confirm_after: %s}
outputs: [{path: '$TARGETS/%s', min_write_interval: 100ms}]
`, g.consul.address, g.name, g.relabel, g.probes, g.health, guardWindow, g.confirm, g.output)
}

// begins with so many instances, of version v1 and generation a.
func (g *guarded) begins(t *testing.T, instances int) {
	t.Helper()
	for i := range instances {
		g.comes(t, 1+i, "a", "v1")
	}
	g.follows(t, instances)
}

// follows starts mcp-sd, which publishes so many instances. In the end the
// guard does not count them as newly admitted any more, which would make up
// for removals.
func (g *guarded) follows(t *testing.T, instances int) {
	t.Helper()
	g.configures(t)
	g.daemon = g.start(t)
	all := func() error { return g.has(g.addresses(1, instances)) }
	eventually(t, soon, all)
	holds(t, guardWindow+time.Second/2, all)
}

func (g *guarded) ip(i int) string { return fmt.Sprintf("127.0.%d.%d", g.net, i) }

// addresses of the instances from one to another.
func (g *guarded) addresses(from, to int) []string {
	var list []string
	for i := from; i <= to; i++ {
		list = append(list, g.fleet.address(g.ip(i)))
	}
	return list
}

// comes starts and registers an instance. Its id is its own: another
// generation at the same address is another instance.
func (g *guarded) comes(t *testing.T, i int, generation, v string) {
	t.Helper()
	g.fleet.add(g.ip(i), "")
	err := g.consul.Agent().ServiceRegister(&api.AgentServiceRegistration{
		ID: g.id(i, generation), Name: g.name, Address: g.ip(i), Port: g.fleet.port, Meta: version(v),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// onNode starts and registers instances on a node of their own.
func (g *guarded) onNode(t *testing.T, node string, from, to int, meta map[string]string) {
	t.Helper()
	for i := from; i <= to; i++ {
		g.fleet.add(g.ip(i), "")
		_, err := g.consul.Catalog().Register(&api.CatalogRegistration{
			Node: node + "-of-" + g.name, Address: "127.0.0.1", NodeMeta: meta,
			Service: &api.AgentService{ID: g.id(i, "a"), Service: g.name, Address: g.ip(i), Port: g.fleet.port},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// nodeGoes deregisters a node with all of its instances in one transaction.
func (g *guarded) nodeGoes(t *testing.T, node string) {
	t.Helper()
	if _, err := g.consul.Catalog().Deregister(&api.CatalogDeregistration{Node: node + "-of-" + g.name}, nil); err != nil {
		t.Fatal(err)
	}
}

func (g *guarded) id(i int, generation string) string {
	return fmt.Sprintf("%s-%d-%s", g.name, i, generation)
}

// goes stops and deregisters instances.
func (g *guarded) goes(t *testing.T, from, to int, generation string) {
	t.Helper()
	for i := from; i <= to; i++ {
		g.fleet.set(g.ip(i), off)
		g.delisted(t, i, generation)
	}
}

// delisted deregisters an instance, which goes on to answer.
func (g *guarded) delisted(t *testing.T, i int, generation string) {
	t.Helper()
	if err := g.consul.Agent().ServiceDeregister(g.id(i, generation)); err != nil {
		t.Fatal(err)
	}
}

func (g *guarded) file() string { return g.workspace.output(g.output) }

// has checks that exactly these are published.
func (g *guarded) has(want []string) error {
	targets, err := readTargets(g.file())
	if err != nil {
		return err
	}
	var got []string
	for address := range targets {
		got = append(got, address)
	}
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		return fmt.Errorf("published are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	return nil
}

// published counts the targets in the file.
func (g *guarded) published() (int, error) {
	targets, err := readTargets(g.file())
	return len(targets), err
}

// are checks the state of every target in the file.
func (g *guarded) are(state string, addresses []string) error {
	var wrong []error
	for _, address := range addresses {
		wrong = append(wrong, fileLabel(g.file(), address, "__meta_mcp_sd_state", state))
	}
	return errors.Join(wrong...)
}

// keeping waits for check, during which all of these stay published.
func (g *guarded) keeping(t *testing.T, addresses []string, check func() error) {
	t.Helper()
	g.keepingFor(t, soon, addresses, check)
}

func (g *guarded) keepingFor(t *testing.T, within time.Duration, addresses []string, check func() error) {
	t.Helper()
	eventually(t, within, func() error {
		if err := atLeast(g.file(), addresses...); err != nil {
			t.Fatalf("meanwhile: %v", err)
		}
		return check()
	})
}

// call runs a command that talks to the daemon.
func (w *workspace) call(t testing.TB, args ...string) result {
	t.Helper()
	return mcpSDCall(t, append(args, "--config.file="+w.config, "--state.path="+w.state)...)
}
