//go:build ci

package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// In a cgroup with a limit, as services and containers have, the limit is what
// the server may have, and the fault fills it without being killed for it.
func TestMemoryFaultInACgroup(t *testing.T) {
	const limit = 256 << 20
	group := cgroup(t, limit)
	cmd := exec.Command("sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, group,
		program(t), "--web.listen-address=127.0.0.1:0", "--traffic.rate=20", "--fault.memory-ratio=0.9", "--log.level=error")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("it ended with %v", err)
		}
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := strings.TrimSpace(line) + "/metrics"
	deadline := time.After(time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		body := get(t, url)
		if got := gauge(t, body, "machine_memory_bytes"); got != limit {
			t.Fatalf("machine_memory_bytes is %v, want %d", got, limit)
		}
		used := gauge(t, body, "process_resident_memory_bytes") / limit
		if used > 0.85 && used < 0.95 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it uses %.0f %% of its memory, want 90", 100*used)
		}
	}
}

// built is where a test that was started by another finds the server.
const built = "MCP_SERVER_BUILT"

// program builds the server, unless that is done.
func program(t *testing.T) string {
	t.Helper()
	if path := os.Getenv(built); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "mcp-server")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("building it: %v\n%s", err, out)
	}
	return path
}

// cgroup makes one with a limit of memory, of whichever version there is.
func cgroup(t *testing.T, limit int) string {
	t.Helper()
	name := "mcp-server-test-" + strconv.Itoa(os.Getpid())
	group, file := filepath.Join("/sys/fs/cgroup/memory", name), "memory.limit_in_bytes"
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		group, file = filepath.Join("/sys/fs/cgroup", name), "memory.max"
	}
	err := os.Mkdir(group, 0o755)
	if err == nil {
		t.Cleanup(func() { _ = os.Remove(group) })
		err = os.WriteFile(filepath.Join(group, file), []byte(strconv.Itoa(limit)), 0)
	}
	if err != nil {
		t.Fatalf("this test needs root and a cgroup of its own: %v", err)
	}
	return group
}

func gauge(t *testing.T, body, name string) float64 {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("/metrics lacks %s", name)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
