package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A host is a machine of its own as far as the network is concerned: a network
// namespace and a mount namespace, which live on a thread of this process and
// end with the process, whatever becomes of the test.
type host struct {
	namespaces string // the folder in /proc
	calls      chan func()
	links      int
}

// newHost needs root. Only its loopback interface is up.
func newHost(t testing.TB) *host {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test makes network namespaces: run it as root")
	}
	for _, program := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v\ninstall it: apt-get install --no-install-recommends iproute2 util-linux", err)
		}
	}
	h := &host{calls: make(chan func())}
	lives := make(chan error)
	go h.live(lives)
	if err := <-lives; err != nil {
		t.Fatalf("making a network namespace: %v", err)
	}
	h.ip(t, "link set lo up")
	return h
}

// live is the thread. It is never unlocked, so that it serves nobody else in
// the wrong namespace, and never ends: the kernel would kill the servers that
// it started before it became a host (see startProcess).
func (h *host) live(lives chan<- error) {
	runtime.LockOSThread()
	err := syscall.Unshare(syscall.CLONE_NEWNET | syscall.CLONE_NEWNS)
	if err == nil {
		err = syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	}
	h.namespaces = fmt.Sprintf("/proc/%d/task/%d/ns", os.Getpid(), syscall.Gettid())
	lives <- err
	for call := range h.calls {
		call()
	}
}

// do runs f on the host: the sockets that it opens are the host's. Nil stands
// for the machine itself.
func (h *host) do(f func()) {
	if h == nil {
		f()
		return
	}
	done := make(chan struct{})
	h.calls <- func() { defer close(done); f() }
	<-done
}

// command is what to start in order to run a program on the host.
func (h *host) command(program string, args ...string) (string, []string) {
	if h == nil {
		return program, args
	}
	return "nsenter", append([]string{
		"--net=" + h.namespaces + "/net", "--mount=" + h.namespaces + "/mnt", "--", program,
	}, args...)
}

func (h *host) ip(t testing.TB, arguments string) {
	t.Helper()
	program, args := h.command("ip", strings.Fields(arguments)...)
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", arguments, err, out)
	}
}

// link lays a cable to another host and returns its interfaces' names.
func (h *host) link(t testing.TB, peer *host, address, peerAddress string) (here, there string) {
	t.Helper()
	here, there = "eth"+strconv.Itoa(h.links), "eth"+strconv.Itoa(peer.links)
	h.links++
	peer.links++
	h.ip(t, "link add "+here+" type veth peer name "+there+" netns "+peer.namespaces+"/net")
	h.ip(t, "address add "+address+" dev "+here)
	peer.ip(t, "address add "+peerAddress+" dev "+there)
	h.ip(t, "link set "+here+" up")
	peer.ip(t, "link set "+there+" up")
	return here, there
}

// file puts a file of the host's own in the place of one that exists.
func (h *host) file(t testing.TB, path, content string) {
	t.Helper()
	own := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(own, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	var err error
	h.do(func() { err = syscall.Mount(own, path, "", syscall.MS_BIND, "") })
	if err != nil {
		t.Fatalf("replacing %s: %v", path, err)
	}
}

// mount puts a directory in the place of another.
func (h *host) mount(t testing.TB, own, path string) {
	t.Helper()
	var err error
	h.do(func() { err = syscall.Mount(own, path, "", syscall.MS_BIND, "") })
	if err != nil {
		t.Fatalf("mounting %s: %v", path, err)
	}
}

func (h *host) listen(network, address string) (l net.Listener, err error) {
	h.do(func() { l, err = net.Listen(network, address) })
	return l, err
}

func (h *host) dial(ctx context.Context, address string) (conn net.Conn, err error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	h.do(func() { conn, err = dialer.DialContext(ctx, "tcp", address) })
	return conn, err
}

// launch runs the daemon on the host without waiting for it. Its url is good
// on the machine.
func (h *host) launch(t testing.TB, w *workspace, flags ...string) *daemon {
	t.Helper()
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	program, args := h.command(mcpSD, append([]string{
		"--config.file=" + w.config, "--state.path=" + w.state, "--web.listen-address=" + listen,
	}, flags...)...)
	url := "http://" + listen
	if h != nil {
		url = "http://" + newWire(t, nil, h, listen).address
	}
	return &daemon{url: url, process: startProcess(t, "mcp-sd", program, args...)}
}

// start runs the daemon on the host and waits until it serves; it need not be
// ready.
func (h *host) start(t testing.TB, w *workspace, flags ...string) *daemon {
	t.Helper()
	d := h.launch(t, w, flags...)
	eventually(t, soon, func() error {
		if err := d.running(); err != nil {
			return err
		}
		_, err := httpGet(d.url + "/-/healthy")
		return err
	})
	return d
}
