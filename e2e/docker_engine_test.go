package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

var (
	dockerdBinary = sync.OnceValues(func() (string, error) { return packaged("dockerd", "docker.io") })
	dockerBinary  = sync.OnceValues(func() (string, error) { return packaged("docker", "docker.io") })
	// containedServerBinary is the example server for an image that has nothing else.
	containedServerBinary = sync.OnceValues(func() (string, error) {
		return fromSource("contained-server", "..", "./examples/mcp-server", "CGO_ENABLED=0")
	})
)

// A dockerEngine is a real one on a host of its own. Everything that it starts
// ends with it: it is the first process of a namespace of processes.
type dockerEngine struct {
	*process
	host   *host
	dir    string
	socket string // of its API
	client string
}

// serverImage is the image of the example server.
const serverImage = "mcp-server:e2e"

func startDocker(t testing.TB, h *host) *dockerEngine {
	t.Helper()
	dir := t.TempDir()
	e := &dockerEngine{host: h, dir: dir, socket: "unix://" + filepath.Join(dir, "docker.sock"), client: need(t, dockerBinary)}
	e.starts(t)
	server := need(t, containedServerBinary)
	packed := filepath.Join(dir, "image.tar")
	if out, err := exec.Command("tar", "-cf", packed, "-C", filepath.Dir(server), filepath.Base(server)).CombinedOutput(); err != nil {
		t.Fatalf("packing an image: %v\n%s", err, out)
	}
	e.docker(t, "import", "--change", `ENTRYPOINT ["/`+filepath.Base(server)+`", "--web.listen-address=:3000"]`, "--change", "EXPOSE 3000", packed, serverImage)
	return e
}

// starts runs the engine with the images and containers that it had before, as after
// a reboot: process ids in what an earlier one left below run would be those of others
// now, which it would take for its own.
func (e *dockerEngine) starts(t testing.TB) {
	t.Helper()
	run := filepath.Join(e.dir, "run")
	if err := os.RemoveAll(run); err != nil {
		t.Fatal(err)
	}
	program, args := e.host.command(
		"unshare", "--pid", "--fork", "--kill-child", "--mount-proc", need(t, dockerdBinary),
		"--data-root="+filepath.Join(e.dir, "data"), "--exec-root="+filepath.Join(run, "docker"), "--pidfile="+filepath.Join(run, "docker.pid"),
		"--host="+e.socket, "--storage-driver=vfs", "--log-level=warn",
	)
	e.process = startProcess(t, "dockerd", program, args...)
	eventually(t, soon, func() error {
		if err := e.running(); err != nil {
			return err
		}
		return exec.Command(e.client, "--host="+e.socket, "version").Run()
	})
}

// docker runs the client, and returns what it says.
func (e *dockerEngine) docker(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(e.client, append([]string{"--host=" + e.socket}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// run starts a container with these labels, and returns its address.
func (e *dockerEngine) run(t testing.TB, name string, labels ...string) string {
	t.Helper()
	args := []string{"run", "--detach", "--name=" + name}
	for _, l := range labels {
		args = append(args, "--label="+l)
	}
	e.docker(t, append(args, serverImage)...)
	return e.address(t, name)
}

func (e *dockerEngine) address(t testing.TB, name string) string {
	t.Helper()
	return e.docker(t, "inspect", "--format={{.NetworkSettings.IPAddress}}", name) + ":3000"
}

// hangs stops the engine without ending it: connections stand, and nobody answers.
func (e *dockerEngine) hangs(t testing.TB, now bool) {
	t.Helper()
	sig := syscall.SIGCONT
	if now {
		sig = syscall.SIGSTOP
	}
	if err := syscall.Kill(-e.cmd.Process.Pid, sig); err != nil {
		t.Fatal(fmt.Errorf("signalling dockerd: %w", err))
	}
}
