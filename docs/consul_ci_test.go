//go:build ci

package docs

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mcp-sd/mcp-sd/house/ports"
)

// Whoever takes over examples/consul gets what the README says: the service as
// it is defined there, in HCL and in JSON, found with a token that has that
// policy and nothing else, by that configuration. The real Consul is built
// from the module of the end-to-end tests.
func TestConsulExample(t *testing.T) {
	c := startConsul(t)
	policy := read(t, "../examples/consul/acl-policy.hcl")
	commands := regexp.MustCompile(`(?m)^#   (consul acl .*)$`).FindAllStringSubmatch(policy, -1)
	if len(commands) != 2 {
		t.Fatalf("acl-policy.hcl should say how it is applied: %q", commands)
	}
	c.run(t, commands[0][1])
	var token struct{ SecretID string }
	if err := json.Unmarshal(c.run(t, commands[1][1]+" -format=json"), &token); err != nil {
		t.Fatal(err)
	}
	server := startServer(t)
	_, port, err := net.SplitHostPort(server)
	if err != nil {
		t.Fatal(err)
	}
	mcpsd := built(t)
	for _, definition := range []string{"service.hcl", "service.json"} {
		root := t.TempDir()
		for _, dir := range []string{"etc/mcp-sd", "etc/prometheus/targets", "state"} {
			if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		path := func(elem ...string) string { return filepath.Join(append([]string{root}, elem...)...) }
		write(t, path(definition), strings.ReplaceAll(read(t, "../examples/consul/"+definition), "3000", port))
		write(t, path("etc/mcp-sd/consul-token"), token.SecretID)
		write(t, path("mcp-sd.yml"), strings.NewReplacer("/etc/", root+"/etc/", "localhost:8500", c.address).
			Replace(read(t, "../examples/consul/mcp-sd.yml"))+"\nhealth: {allow_cidrs: [127.0.0.0/8]}\n")

		c.run(t, "consul services register "+path(definition))
		once := exec.CommandContext(t.Context(), mcpsd, "--once", "--config.file="+path("mcp-sd.yml"), "--state.path="+path("state"))
		if out, err := once.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: mcp-sd: %v\n%s", definition, err, out)
		}
		written := read(t, path("etc/prometheus/targets/mcp-production.json"))
		for _, want := range []string{`"` + server + `"`, `"region": "us-east-1"`, `"version": "v2.3.1"`} {
			if !strings.Contains(written, want) {
				t.Errorf("%s: the file lacks %s:\n%s", definition, want, written)
			}
		}
		c.run(t, "consul services deregister "+path(definition))
	}
}

// A consul is a running agent with ACLs that deny what nothing allows.
type consul struct {
	program string
	address string
}

const management = "5a0c1c1e-0c3a-4f0e-9d57-6f3c6d7b2f10"

func startConsul(t *testing.T) *consul {
	t.Helper()
	c := &consul{program: filepath.Join(t.TempDir(), "consul")}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", c.program, "github.com/hashicorp/consul")
	build.Dir = "../e2e"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building Consul: %v\n%s", err, out)
	}
	ports := freePorts(t, 4)
	c.address = fmt.Sprintf("127.0.0.1:%d", ports[0])
	number := func(i int) string { return fmt.Sprint(ports[i]) }
	start(t, c.program, "agent", "-dev", "-bind=127.0.0.1", "-http-port="+number(0), "-server-port="+number(1),
		"-serf-lan-port="+number(2), "-serf-wan-port="+number(3), "-grpc-port=-1", "-grpc-tls-port=-1", "-dns-port=-1",
		"-log-level=error", "-hcl", fmt.Sprintf(`acl { enabled = true, default_policy = "deny", tokens { initial_management = %q, agent = %q } }`, management, management))
	await(t, "Consul's leader", func() bool {
		return c.command(t.Context(), "consul acl policy list").Run() == nil
	})
	return c
}

// command is a consul command as the examples write it, for this agent, with
// every right.
func (c *consul) command(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.program, strings.Fields(strings.TrimPrefix(line, "consul "))...)
	cmd.Dir = "../examples/consul"
	cmd.Env = append(os.Environ(), "CONSUL_HTTP_ADDR="+c.address, "CONSUL_HTTP_TOKEN="+management)
	return cmd
}

func (c *consul) run(t *testing.T, line string) []byte {
	t.Helper()
	out, err := c.command(t.Context(), line).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return out
}

// startServer runs the example MCP server and returns its address.
func startServer(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "mcp-server")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../examples/mcp-server").CombinedOutput(); err != nil {
		t.Fatalf("building the example server: %v\n%s", err, out)
	}
	line, err := bufio.NewReader(start(t, program, "--web.listen-address=127.0.0.1:0")).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(strings.TrimSpace(line), "http://")
}

// start runs a program until the test ends and returns what it prints.
func start(t *testing.T, program string, args ...string) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		r.Close()
	})
	return r
}

func freePorts(t *testing.T, n int) []int {
	t.Helper()
	free := make([]int, n)
	for i := range free {
		var err error
		if free[i], err = ports.Next(); err != nil {
			t.Fatal(err)
		}
	}
	return free
}

func await(t *testing.T, what string, there func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !there() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still waiting for %s", what)
		}
	}
}
