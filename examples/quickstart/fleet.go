package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// A server is one MCP server of the fleet.
type server struct {
	environment string
	region      string
	version     string
	sick        bool

	address string // the one that it has
	*process
}

func (s *server) String() string { return s.environment + " " + s.region }

// newFleet is what the quick start discovers: two environments, and one server
// whose metrics fail.
func newFleet() []*server {
	return []*server{
		{environment: "production", region: "us-east-1", version: "v2.3.1"},
		{environment: "production", region: "eu-west-1", version: "v2.3.0"},
		{environment: "staging", region: "us-east-1", version: "v2.4.0-rc1"},
		{environment: "staging", region: "eu-west-1", version: "v2.4.0-rc2", sick: true},
	}
}

// firstPort is that of the first server where nobody has it already.
const firstPort = 3001

// start runs the server at the first port from the given one on that it can
// have, and returns the next: the fleet's ports ascend, whoever has some of
// them already.
func (s *server) start(ctx context.Context, program, dir string, port int) (next int, err error) {
	for range 50 {
		address := fmt.Sprintf("127.0.0.1:%d", port)
		port++
		if err = free(ctx, address); err == nil {
			err = s.startAt(ctx, program, dir, address)
		}
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return port, err
}

func (s *server) startAt(ctx context.Context, program, dir, address string) error {
	args := []string{"--web.listen-address=" + address, "--server.version=" + s.version, "--traffic.rate=5", "--log.level=error"}
	if s.sick {
		args = append(args, "--fault.metrics")
	}
	out, in := io.Pipe()
	p, err := start(ctx, dir, in, io.Discard, program, args...)
	if err != nil {
		return err
	}
	url := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		url <- strings.TrimSpace(line)
		_, _ = io.Copy(io.Discard, out)
	}()
	go func() {
		<-p.done
		_ = in.Close()
	}()
	select {
	case u := <-url:
		var ok bool
		if s.address, ok = strings.CutPrefix(u, "http://"); !ok {
			return fmt.Errorf("the MCP server at %s did not start", address)
		}
		s.process = p
		return nil
	case <-time.After(time.Minute):
		_ = p.cmd.Cancel()
		return errors.New("the MCP server did not say where it listens")
	}
}

// inventory is the fleet as a file that mcp-sd's static source reads. The
// versions are left out: mcp-sd reads them from the servers' own metrics.
func inventory(fleet []*server) string {
	var b strings.Builder
	b.WriteString("# The fleet, as mcp-sd and Prometheus read it.\n")
	for _, s := range fleet {
		fmt.Fprintf(&b, "- targets: [%q]\n  labels: {environment: %s, region: %s}\n", s.address, s.environment, s.region)
	}
	return b.String()
}
