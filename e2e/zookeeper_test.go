package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// TestZooKeeper follows the members of a serverset in a real ZooKeeper, which tells
// what changes and is silent otherwise. What it told stays while it hangs, while it
// is gone, and over a restart of mcp-sd meanwhile; when it comes back, what has
// changed in between is seen.
func TestZooKeeper(t *testing.T) {
	t.Parallel()
	s := newZooKeeperScenario(t)
	s.joins(t, "10.5.0.1", "10.5.0.2", "10.5.0.3", "10.5.0.4")
	s.shows(t)
	s.joins(t, "10.5.0.5")
	s.shows(t)
	s.leaves(t, "10.5.0.1")
	s.shows(t)

	s.server.signal(t, syscall.SIGSTOP)
	s.keeps(t)
	s.server.signal(t, syscall.SIGCONT)
	s.returns(t)

	s.server.kill()
	s.keeps(t)
	s.serves(t)
	s.returns(t)
	s.leaves(t, "10.5.0.2")
	s.joins(t, "10.5.0.6")
	s.shows(t)
}

// zookeeperJar is the server with all that it needs.
var zookeeperJar = sync.OnceValues(func() (string, error) {
	const path = "/usr/share/java/zookeeper.jar"
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w\ninstall it: apt-get install --no-install-recommends libzookeeper-java", err)
	}
	return path, nil
})

// A zookeeperScenario is a ZooKeeper, and the mcp-sd that follows it.
type zookeeperScenario struct {
	*bridged
	server  *process
	address string
	members []string
}

const serverset = "/mcp"

func newZooKeeperScenario(t *testing.T) *zookeeperScenario {
	t.Helper()
	s := &zookeeperScenario{bridged: &bridged{workspace: newWorkspace(t), source: "zookeeper"}, address: net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(t)))}
	s.bridged.published = s.published
	s.serves(t)
	s.asks(t, func(c *zk.Conn) error {
		_, err := c.Create(serverset, nil, 0, zk.WorldACL(zk.PermAll))
		return err
	})
	s.configure(t, `
global: {source_timeout: 3s}
sources:
  - name: zookeeper
    prometheus:
      serverset_sd_configs:
        - {servers: ['%s'], paths: [%s], timeout: 2s}
health: {enabled: false}
guard: {max_removed_ratio: 0.9}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, s.address, serverset)
	s.follows(t)
	return s
}

// serves runs the server with what it had before.
func (s *zookeeperScenario) serves(t *testing.T) {
	t.Helper()
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(s.dir, "zoo.cfg")
	replaceFile(t, config, fmt.Sprintf("tickTime=500\ndataDir=%s\nclientPort=%s\nclientPortAddress=%s\nmaxClientCnxns=0\nadmin.enableServer=false\n", filepath.Join(s.dir, "zookeeper"), port, host))
	s.server = startProcess(t, "zookeeper", need(t, java), "-cp", need(t, zookeeperJar), "org.apache.zookeeper.server.quorum.QuorumPeerMain", config)
	s.asks(t, func(*zk.Conn) error { return s.server.running() })
}

var java = sync.OnceValues(func() (string, error) { return packaged("java", "default-jre-headless") })

// asks does something at the server, once it has a session for it.
func (s *zookeeperScenario) asks(t *testing.T, f func(*zk.Conn) error) {
	t.Helper()
	conn, events, err := zk.Connect([]string{s.address}, 5*time.Second, zk.WithLogger(log.New(io.Discard, "", 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	timeout := time.After(retried)
	for conn.State() != zk.StateHasSession {
		select {
		case <-events:
		case <-timeout:
			t.Fatalf("ZooKeeper gives no session within %s: %s", retried, conn.State())
		}
	}
	if err := f(conn); err != nil {
		t.Fatalf("asking ZooKeeper: %v", err)
	}
}

func member(ip string) string { return serverset + "/member_" + ip }

func (s *zookeeperScenario) joins(t *testing.T, ips ...string) {
	t.Helper()
	s.asks(t, func(c *zk.Conn) error {
		for _, ip := range ips {
			type endpoint struct {
				Host string `json:"host"`
				Port int    `json:"port"`
			}
			data, err := json.Marshal(map[string]any{"serviceEndpoint": endpoint{ip, 3000}, "additionalEndpoints": map[string]endpoint{}, "status": "ALIVE", "shard": 0})
			if err != nil {
				return err
			}
			if _, err := c.Create(member(ip), data, 0, zk.WorldACL(zk.PermAll)); err != nil {
				return err
			}
			s.members = append(s.members, ip)
		}
		return nil
	})
}

func (s *zookeeperScenario) leaves(t *testing.T, ip string) {
	t.Helper()
	s.asks(t, func(c *zk.Conn) error { return c.Delete(member(ip), -1) })
	s.members = slices.DeleteFunc(s.members, func(m string) bool { return m == ip })
}

func (s *zookeeperScenario) published() error {
	want := map[string]labels{}
	for _, ip := range s.members {
		want[ip+":3000"] = labels{}
	}
	return fileHas(s.output("mcp.json"), want)
}
