package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestAlertMCPSD breaks mcp-sd in one way after the other.
func TestAlertMCPSD(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.serve(t, good, "--traffic.rate=5")
	s.open(t, prometheus2)
	itself := labels{"job": "mcp-sd"}
	s.spares(t, itself) // all is well

	s.breakSource(t)
	s.fires(t, "MCPSDSourceFailing", itself.and("source", "racks").and("type", "static"))
	s.list(t, s.servers...)

	s.breakConfiguration(t)
	s.fires(t, "MCPSDReloadFailing", itself)

	s.breakDisk(t)
	s.fires(t, "MCPSDWriteFailing", itself)

	s.daemon.kill()
	s.fires(t, "MCPSDDown", itself)
	s.age(t)
	s.fires(t, "MCPSDFileStale", labels{"job": "prometheus", "filename": s.output("mcp-production.json")})

	// All of that costs no target; that somebody empties the file does.
	s.spares(t, ofGood, "HighToolErrorRate")
	replaceFile(t, s.output("mcp-production.json"), "[]")
	s.fires(t, "MCPFleetVanished", labels{"job": "mcp"})
}

func (s *stage) breakSource(t *testing.T) {
	t.Helper()
	replaceFile(t, filepath.Join(s.static, "racks.yml"), "- targets: [")
}

func (s *stage) breakConfiguration(t *testing.T) {
	t.Helper()
	before, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	replaceFile(t, s.config, string(before)+"surces: []\n")
	s.daemon.signal(t, syscall.SIGHUP)
}

// breakDisk takes the place away where files are staged, then gives mcp-sd
// something to write.
func (s *stage) breakDisk(t *testing.T) {
	t.Helper()
	staging := filepath.Join(s.targets, ".mcp-sd")
	if err := os.Rename(staging, staging+".gone"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(staging, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m := s.serve(t, bad)
	eventually(t, soon, func() error { _, err := httpGet("http://" + m.address + "/metrics"); return err })
	s.list(t, s.servers...)
}

// age is what happens to a file that nobody confirms, in no time.
func (s *stage) age(t *testing.T) {
	t.Helper()
	past := time.Now().Add(-11 * time.Minute)
	if err := os.Chtimes(s.output("mcp-production.json"), past, past); err != nil {
		t.Fatal(err)
	}
}

// TestAlertReplicas: two of mcp-sd, each on a machine of its own with the same
// path, one of which reads another list.
func TestAlertReplicas(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.serve(t, good)
	s.serve(t, bad)
	s.open(t, prometheus2)
	other := newStage(t)
	path := s.output("mcp-production.json")
	other.configure(t, `
sources: [{name: racks, static: {files: [$STATIC/racks.yml]}}]
outputs: [{path: %q}]
`, path)
	other.list(t, s.servers[0])
	h := newHost(t)
	// The machine's own directory is in the place of the first one's, and its
	// network is the test's, so that Prometheus reaches it.
	h.mount(t, other.targets, s.targets)
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	b := startProcess(t, "mcp-sd-b", "nsenter", "--mount="+h.namespaces+"/mnt", "--", mcpSD,
		"--config.file="+other.config, "--state.path="+other.state, "--web.listen-address="+listen)
	eventually(t, soon, func() error {
		if err := b.running(); err != nil {
			return err
		}
		_, err := httpGet("http://" + listen + "/-/ready")
		return err
	})
	s.prometheus.kill()
	s.replica = listen
	s.prometheus = prometheus2.startShipped(t, s)
	s.fires(t, "MCPSDReplicasDisagree", labels{"job": "mcp-sd", "file": path})
	s.spares(t, labels{"job": "mcp-sd"}, "MCPSDReplicasDisagree")
}
