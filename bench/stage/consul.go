package stage

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hashicorp/consul/api"
)

// Consul is one real server, a cluster of its own, as in production: its data
// is on disk, and its answers have no line breaks for people.
type Consul struct {
	*Process
	*api.Client
	Address string
}

// Consul starts a server and waits until it has a leader.
func (s *Stage) Consul() (*Consul, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	c := &Consul{Address: fmt.Sprintf("127.0.0.1:%d", ports[0])}
	if c.Client, err = api.NewClient(&api.Config{Address: c.Address}); err != nil {
		return nil, err
	}
	data, err := s.Path("consul")
	if err != nil {
		return nil, err
	}
	c.Process, err = s.Start("consul", s.bins.Consul, "agent", "-server", "-bootstrap-expect=1", "-data-dir="+data, "-bind=127.0.0.1", "-log-level=warn",
		"-http-port="+strconv.Itoa(ports[0]), "-server-port="+strconv.Itoa(ports[1]), "-serf-lan-port="+strconv.Itoa(ports[2]),
		"-serf-wan-port=-1", "-dns-port=-1", "-grpc-port=-1", "-grpc-tls-port=-1", "-hcl=performance { raft_multiplier = 1 } disable_update_check = true")
	if err != nil {
		return nil, err
	}
	return c, Await(s.ctx, 100*time.Millisecond, time.Minute, func() error {
		if err := c.Running(); err != nil {
			return err
		}
		nodes, _, err := c.Catalog().Nodes(nil)
		if err == nil && len(nodes) == 0 {
			err = errors.New("consul does not list itself yet")
		}
		return err
	})
}

// Instance is one instance of a service in Consul's catalogue.
type Instance struct {
	Service, Address string
	Port             int
	Version          string // the only thing that the benchmarks change
}

// perNode is how many instances share a node.
const perNode = 10

// Register puts instances into the catalogue, or changes them, many at once.
// i is the number of the first one, which decides the node that it is on.
func (c *Consul) Register(ctx context.Context, i int, instances ...Instance) error {
	const most = 40 // a transaction holds 128 operations, and each takes three at most
	for len(instances) > 0 {
		var ops api.TxnOps
		n := min(most, len(instances))
		for k, in := range instances[:n] {
			ops = append(ops, in.operations(i+k, k == 0 || (i+k)%perNode == 0)...)
		}
		ok, answer, _, err := c.Txn().Txn(ops, (&api.QueryOptions{}).WithContext(ctx))
		if err == nil && !ok {
			err = fmt.Errorf("refused: %v", answer.Errors[0])
		}
		if err != nil {
			return fmt.Errorf("registering instances: %w", err)
		}
		i, instances = i+n, instances[n:]
	}
	return nil
}

// Change registers one instance anew, as an agent does when its service's
// definition has changed.
func (c *Consul) Change(ctx context.Context, i int, in Instance) error {
	_, err := c.Catalog().Register(&api.CatalogRegistration{
		Node: node(i), Address: nodeAddress(i), SkipNodeUpdate: true, Service: in.service(i),
	}, (&api.WriteOptions{}).WithContext(ctx))
	return err
}

func node(i int) string        { return fmt.Sprintf("node-%05d", i/perNode) }
func nodeAddress(i int) string { return fmt.Sprintf("10.1.%d.%d", i/perNode/250, i/perNode%250+1) }

func (in Instance) service(i int) *api.AgentService {
	return &api.AgentService{
		ID: fmt.Sprintf("%s-%05d", in.Service, i), Service: in.Service, Address: in.Address, Port: in.Port,
		Tags: []string{"mcp", "http", "team=search"},
		Meta: map[string]string{
			"environment": "production", "region": "us-east-1", "version": in.Version,
			"team": "search", "transport": "streamable-http", "commit": "4f1c0de99a3b7a2c5d1e",
		},
	}
}

func (in Instance) operations(i int, withNode bool) api.TxnOps {
	svc := in.service(i)
	ops := api.TxnOps{
		{Service: &api.ServiceTxnOp{Verb: api.ServiceSet, Node: node(i), Service: *svc}},
		{Check: &api.CheckTxnOp{Verb: api.CheckSet, Check: api.HealthCheck{
			Node: node(i), CheckID: "service:" + svc.ID, Name: "Service '" + in.Service + "' check", Status: api.HealthPassing,
			ServiceID: svc.ID, ServiceName: in.Service, Output: "HTTP GET http://" + in.Address + "/health: 200 OK Output: ok", Type: "http",
		}}},
	}
	if !withNode {
		return ops
	}
	n := &api.TxnOp{Node: &api.NodeTxnOp{Verb: api.NodeSet, Node: api.Node{
		Node: node(i), Address: nodeAddress(i), Meta: map[string]string{"rack": fmt.Sprintf("r%d", i/perNode%20), "instance_type": "c7i.2xlarge"},
		TaggedAddresses: map[string]string{"lan": nodeAddress(i), "wan": nodeAddress(i)},
	}}}
	return append(api.TxnOps{n}, ops...)
}
