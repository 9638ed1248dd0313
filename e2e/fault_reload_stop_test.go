package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stopRounds is how often TestStop ends a daemon.
const stopRounds = 30

// TestStop ends the daemon at random moments, with everything hanging that can
// hang. It ends cleanly, in time, and with a whole file.
func TestStop(t *testing.T) {
	t.Parallel()
	s := newStopCase(t)
	vigil := keepVigil(t, s.output("mcp.json"), s.must...)
	for range stopRounds {
		s.round(t)
	}
	t.Logf("%v; %d were not even awake yet; the longest end took %s", s.moments, s.asleep, s.longest)
	vigil.ends(t)
	onlyIn(t, filepath.Join(s.targets, ".mcp-sd"), "lock", "manifest.json")
	onlyIn(t, s.state, "listings", "lock", "outputs.json", "state.json") // the socket goes with the daemon
}

type stopCase struct {
	*workspace
	fleet   *fleet
	must    []string
	wave    int
	moments map[string]int
	asleep  int
	longest time.Duration
}

func newStopCase(t *testing.T) *stopCase {
	s := &stopCase{workspace: newWorkspace(t), fleet: newFleet(t), moments: map[string]int{}}
	for i := range 50 {
		s.must = append(s.must, s.fleet.add(fmt.Sprintf("127.0.16.%d", i), ""))
	}
	s.configures(t, "")
	s.lists(t)
	s.once(t).expectSilence(t)
	s.configures(t, fmt.Sprintf("  - {name: consul, consul: {server: %q}}\n", hang(t)))
	for i := range 10 {
		s.fleet.set(fmt.Sprintf("127.0.16.%d", i), hanging)
	}
	return s
}

func (s *stopCase) configures(t *testing.T, more string) {
	s.configure(t, "%s", `
sources:
  - {name: racks, static: {files: ['$STATIC/*.json']}}
`+more+`
health: {interval: 1s, timeout: 1s}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 10ms}]
`)
}

// lists changes a label of every target.
func (s *stopCase) lists(t *testing.T) {
	t.Helper()
	s.wave++
	replaceFile(t, filepath.Join(s.static, "a.json"), fmt.Sprintf(`[{"targets": ["%s"], "labels": {"wave": "%d"}}]`,
		strings.Join(s.must, `", "`), s.wave))
}

// hang returns the address of a server that accepts and never answers.
func hang(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	return listener.Addr().String()
}

func (s *stopCase) round(t *testing.T) {
	t.Helper()
	moments := []string{"starting", "writing", "probing", "reloading", "answering"}
	moment := moments[s.total()%len(moments)]
	s.moments[moment]++
	writes := watchDir(t, filepath.Join(s.targets, ".mcp-sd"))
	defer writes.close()
	daemon := s.launch(t)
	if moment != "starting" {
		s.lists(t)
		writes.wait(t, "stage-")
	}
	switch moment {
	case "starting":
		pass(80 * time.Millisecond)
	case "writing":
		pass(5 * time.Millisecond)
	case "probing":
		pass(500 * time.Millisecond)
	case "reloading":
		daemon.signal(t, syscall.SIGHUP)
		pass(30 * time.Millisecond)
	case "answering":
		s.asks(t, daemon)
		pass(30 * time.Millisecond)
	}
	s.ends(t, daemon)
}

func (s *stopCase) total() int {
	n := 0
	for _, count := range s.moments {
		n += count
	}
	return n
}

// pass lets some time pass, less than most.
func pass(most time.Duration) { <-time.After(rand.N(most)) }

// asks begins requests and never finishes them.
func (s *stopCase) asks(t *testing.T, d *daemon) {
	t.Helper()
	for _, server := range [][2]string{
		{"tcp", strings.TrimPrefix(d.url, "http://")},
		{"unix", filepath.Join(s.state, "control.sock")},
	} {
		var conn net.Conn
		eventually(t, soon, func() (err error) {
			conn, err = net.Dial(server[0], server[1])
			return err
		})
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: mcp-sd\r\n")
	}
}

func (s *stopCase) ends(t *testing.T, d *daemon) {
	t.Helper()
	with := syscall.SIGTERM
	if rand.IntN(2) == 0 {
		with = syscall.SIGINT
	}
	asked := time.Now()
	d.signal(t, with)
	timeout := time.NewTimer(5 * time.Second)
	defer timeout.Stop()
	select {
	case <-d.done:
	case <-timeout.C:
		t.Fatalf("mcp-sd still runs 5s after %s", with)
	}
	s.longest = max(s.longest, time.Since(asked))
	status := d.cmd.ProcessState.Sys().(syscall.WaitStatus)
	log, err := os.ReadFile(d.log)
	switch {
	case err != nil:
		t.Fatal(err)
	case status.Signaled() && status.Signal() == with && len(log) == 0:
		s.asleep++ // the program itself had not begun
	case d.err != nil:
		t.Errorf("mcp-sd ended with %v after %s:\n%s", d.err, with, d.logTail())
	}
}

// TestStopOnce: a single pass that is told to end in the middle does so.
func TestStopOnce(t *testing.T) {
	t.Parallel()
	s := newStopCase(t)
	vigil := keepVigil(t, s.output("mcp.json"), s.must...)
	for range 5 {
		s.lists(t)
		pass := startProcess(t, "mcp-sd", mcpSD, "--once", "--config.file="+s.config, "--state.path="+s.state)
		<-time.After(rand.N(500 * time.Millisecond))
		pass.signal(t, syscall.SIGTERM)
		timeout := time.NewTimer(5 * time.Second)
		select {
		case <-pass.done:
		case <-timeout.C:
			t.Fatal("mcp-sd --once still runs 5s after SIGTERM")
		}
		timeout.Stop()
	}
	vigil.ends(t)
}
