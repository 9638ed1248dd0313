package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEC2Once: the region and the credentials come from the instance that
// mcp-sd runs on; a region that fails is exit status 5, and loses nothing.
func TestEC2Once(t *testing.T) {
	t.Parallel()
	server, fleet, w := startEC2(t), newFleet(t), newWorkspace(t)
	server.tell(t, http.MethodPut, "machine", map[string]string{"InstanceID": "i-me", "Account": ec2Ours, "Region": "eu-west-1", "Role": "mcp-sd"})
	fleet.add("127.0.3.1", "v1")
	server.launch(t, ec2Instance{ID: "i-1", Account: ec2Ours, Region: "eu-west-1", PrivateIP: "127.0.3.1"})
	w.configure(t, `
sources: [{name: ec2, ec2: {endpoint: %q, port: %d}}]
health: {timeout: 2s, fall: 2, allow_cidrs: [127.0.0.0/8]}
outputs: [{path: $TARGETS/mcp.json}]
`, server.url, fleet.port)
	once := func() result {
		return call(t, "/usr/bin/env", "AWS_EC2_METADATA_SERVICE_ENDPOINT="+server.url, "AWS_MAX_ATTEMPTS=1",
			mcpSD, "--config.file="+w.config, "--state.path="+w.state, "--once")
	}
	once().expectSilence(t)
	want := map[string]labels{fleet.address("127.0.3.1"): {"region": "eu-west-1", "version": "v1"}}
	if err := fileHas(w.output("mcp.json"), want); err != nil {
		t.Fatal(err)
	}
	server.tell(t, http.MethodPut, "faults", map[string]any{"Action": "DescribeInstances", "Status": 403, "Code": "UnauthorizedOperation"})
	once().expect(t, 5, "UnauthorizedOperation", "allow ec2:DescribeInstances")
	if err := fileHas(w.output("mcp.json"), want); err != nil {
		t.Error(err)
	}
}

// call runs a program to its end.
func call(t testing.TB, path string, args ...string) result {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// TestBinarySize: the stripped binary stays under 80 MB with all of Prometheus'
// mechanisms, and under 40 MB without them. The SDK for EC2 alone takes 50 where all
// of its methods are kept. It compiles, so nothing runs beside it.
func TestBinarySize(t *testing.T) {
	for _, c := range []struct {
		tags string
		most int64
	}{{"", 80_000_000}, {"remove_all_sd", 40_000_000}} {
		binary := filepath.Join(t.TempDir(), "mcp-sd")
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-tags="+c.tags, "-o", binary, ".")
		build.Dir = ".."
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		fi, err := os.Stat(binary)
		if err != nil {
			t.Fatal(err)
		}
		if fi.Size() > c.most {
			t.Errorf("with -tags=%s the stripped binary has %d bytes, at most %d", c.tags, fi.Size(), c.most)
		}
		t.Logf("with -tags=%s the stripped binary has %.1f MB", c.tags, float64(fi.Size())/1e6)
	}
}
