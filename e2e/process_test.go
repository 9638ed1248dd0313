package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/mcp-sd/mcp-sd/e2e/ports"
)

// A process is a server under the test's care: it ends with the test, and its
// log is shown when the test fails.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed once it has ended
	err  error         // how it ended; to be read after done
}

func startProcess(t testing.TB, name, path string, args ...string) *process {
	t.Helper()
	p := &process{name: name, log: filepath.Join(t.TempDir(), name+".log"), done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.cmd = exec.Command(path, args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	// The kernel ends the server even if the test itself is killed.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		// The kernel takes the end of the thread that started it for the end of
		// the test, and tests that change a thread's namespaces end threads.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	t.Cleanup(func() { p.end(t) })
	return p
}

// end is the clean-up: whatever still runs is killed.
func (p *process) end(t testing.TB) {
	p.kill()
	if t.Failed() {
		t.Logf("the end of the log of %s:\n%s", p.name, p.logTail())
	}
}

func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// stop asks with SIGTERM and returns how the process ended.
func (p *process) stop(t testing.TB, within time.Duration) error {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	select {
	case <-p.done:
		return p.err
	case <-timeout.C:
		t.Fatalf("%s still runs %s after SIGTERM", p.name, within)
		return nil
	}
}

func (p *process) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("signalling %s: %v", p.name, err)
	}
}

// running is nil while the process lives, for checks that would otherwise poll
// a dead server until they time out.
func (p *process) running() error {
	select {
	case <-p.done:
		return fmt.Errorf("%w: %s: %s", errEnded, p.name, p.cmd.ProcessState)
	default:
		return nil
	}
}

func (p *process) logTail() []byte {
	log, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	const keep = 12 << 10
	if len(log) > keep {
		log = log[len(log)-keep:]
	}
	return bytes.TrimSpace(log)
}

func freePort(t testing.TB) int {
	t.Helper()
	port, err := ports.Next()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
