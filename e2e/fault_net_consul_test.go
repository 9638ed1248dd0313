package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
)

// TestConsulLosesLeader: of three servers one dies and the next is asked; a
// second one dies and the third, which goes on to answer but knows no leader,
// is not believed (contract §4).
func TestConsulLosesLeader(t *testing.T) {
	t.Parallel()
	servers := startCluster(t)
	home, others := servers[0], servers[1:]
	o := newOutage(t, nil, fmt.Sprintf("services: [mcp], servers: [%q, %q, %q]",
		others[0].address, others[1].address, home.address))
	o.joins(t, home, "mcp", "127.0.31.1")
	o.joins(t, home, "mcp", "127.0.31.2")

	t.Log("the server that is asked dies, be it the leader or not")
	others[0].kill()
	o.registers(t, home, "mcp", "127.0.31.3")
	o.becomesComplete(t, retried)
	o.regainsSource(t)

	t.Log("two of three are dead")
	others[1].kill()
	knowsNoLeader(t, home)
	gone := o.fleet.address("127.0.31.3")
	o.goes(t, home, "mcp", "127.0.31.3")
	o.want[gone] = labels{"region": "dc1", "version": "v1"}
	o.racksGain(t, "127.0.31.11")
	// A query that stands already would tell only when its wait is over.
	o.restarts(t)
	o.losesSource(t)

	t.Log("there is a leader again")
	delete(o.want, gone)
	for _, server := range others {
		server.boot(t, server.dataDir)
	}
	home.leads(t)
	o.regainsSource(t)
	o.becomesComplete(t, retried)
}

// startCluster starts three servers that elect a leader. The first is not it.
func startCluster(t *testing.T) []*consulServer {
	t.Helper()
	servers := make([]*consulServer, 3)
	for i := range servers {
		servers[i] = newConsul(t, "", "")
		servers[i].args = append(servers[i].args, "-bootstrap-expect=3", "-node=node"+strconv.Itoa(1+i))
	}
	for i, server := range servers {
		for j, other := range servers {
			if j != i {
				server.args = append(server.args, "-retry-join=127.0.0.1:"+other.flag("serf-lan-port"), "-retry-interval=1s")
			}
		}
	}
	for _, server := range servers {
		server.boot(t, t.TempDir())
	}
	for _, server := range servers {
		server.leads(t)
	}
	leader, err := servers[0].Status().Leader()
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(leader, ":"+servers[0].flag("server-port")) {
		servers[0], servers[1] = servers[1], servers[0]
	}
	return servers
}

// flag is the value of a flag on the server's command line.
func (c *consulServer) flag(name string) string {
	for _, arg := range c.args {
		if value, ok := strings.CutPrefix(arg, "-"+name+"="); ok {
			return value
		}
	}
	return ""
}

// knowsNoLeader makes sure that the server still answers, which is what makes
// it dangerous.
func knowsNoLeader(t *testing.T, consul *consulServer) {
	t.Helper()
	eventually(t, soon, func() error {
		instances, meta, err := consul.Health().Service("mcp", "", false, &api.QueryOptions{AllowStale: true})
		switch {
		case err != nil:
			return err
		case meta.KnownLeader:
			return fmt.Errorf("it knows a leader, and lists %d instances", len(instances))
		}
		return nil
	})
}
