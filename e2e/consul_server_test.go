package e2e

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/hashicorp/consul/api"
)

// A consulServer is one real Consul server, a cluster of its own.
type consulServer struct {
	*process
	*api.Client
	host    *host // that it runs on; nil is the machine itself
	address string
	args    []string
	dataDir string
}

// startConsul starts a server and waits until it has a leader and itself in
// the catalogue. The extra configuration is HCL.
func startConsul(t testing.TB, token, hcl string) *consulServer {
	t.Helper()
	c := newConsul(t, token, hcl)
	c.start(t, t.TempDir())
	return c
}

// newConsul prepares a server that does not run yet.
func newConsul(t testing.TB, token, hcl string) *consulServer {
	t.Helper()
	c := &consulServer{address: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	client, err := api.NewClient(&api.Config{Address: c.address, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	c.Client = client
	c.args = []string{
		"agent", "-server", "-bootstrap-expect=1", "-node=node1", "-node-meta=rack:r1",
		"-bind=127.0.0.1", "-log-level=warn",
		"-http-port=" + c.address[len("127.0.0.1:"):],
		"-server-port=" + strconv.Itoa(freePort(t)),
		"-serf-lan-port=" + strconv.Itoa(freePort(t)),
		"-serf-wan-port=-1", "-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1",
		// Elect a leader as quickly as production does.
		"-hcl=performance { raft_multiplier = 1 } disable_update_check = true " + hcl,
	}
	return c
}

// start runs the server on the data in dataDir. After a kill, the same
// directory makes it remember; with a new one it has forgotten everything.
func (c *consulServer) start(t testing.TB, dataDir string) {
	t.Helper()
	c.boot(t, dataDir)
	c.leads(t)
}

// boot starts the server without waiting for anything.
func (c *consulServer) boot(t testing.TB, dataDir string) {
	t.Helper()
	c.dataDir = dataDir
	program, args := c.host.command(need(t, consulBinary), append(c.args, "-data-dir="+dataDir)...)
	c.process = startProcess(t, "consul", program, args...)
}

// leads waits until there is a leader and a catalogue.
func (c *consulServer) leads(t testing.TB) {
	t.Helper()
	eventually(t, retried, func() error {
		if err := c.running(); err != nil {
			return err
		}
		nodes, _, err := c.Catalog().Nodes(nil)
		if err != nil {
			return err
		}
		if len(nodes) == 0 {
			return errors.New("consul does not list itself yet")
		}
		return nil
	})
}

// A service describes one instance to register.
type service struct {
	name, ip string
	meta     map[string]string
	tags     []string
	status   string // of its check; none without
}

func (s service) id() string { return s.name + "-" + s.ip }

func (c *consulServer) register(t testing.TB, f *fleet, services ...service) {
	t.Helper()
	for _, s := range services {
		registration := &api.AgentServiceRegistration{
			ID: s.id(), Name: s.name, Address: s.ip, Port: f.port, Meta: s.meta, Tags: s.tags,
		}
		if s.status != "" {
			registration.Check = &api.AgentServiceCheck{TTL: "1h", Status: s.status}
		}
		if err := c.Agent().ServiceRegister(registration); err != nil {
			t.Fatalf("registering %s: %v", s.id(), err)
		}
	}
}

func (c *consulServer) deregister(t testing.TB, services ...service) {
	t.Helper()
	for _, s := range services {
		if err := c.Agent().ServiceDeregister(s.id()); err != nil {
			t.Fatalf("deregistering %s: %v", s.id(), err)
		}
	}
}
