package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestExecFaults: whatever a program does instead of printing a whole list, all
// that it listed stays, although there are no probes here that could speak for
// it; the metric has a word for why, also after a restart in the middle and in
// --once. Once it lists again, what is gone leaves.
func TestExecFaults(t *testing.T) {
	t.Parallel()
	e := newExecFaults(t)
	for _, fault := range []struct{ name, reason, program string }{
		{"an error", "exit_status", "echo 'the inventory is locked' >&2; exit 3"},
		{"half a list", "bad_output", `printf '[{"targets": ["10.2.0.1:3000"'`},
		{"nothing", "bad_output", "true"},
		{"no end", "timeout", "exec sleep 600"},
		{"no end of output", "too_large", "yes"},
	} {
		e.suffers(t, fault.name, fault.reason, fault.program)
	}
	e.once(t)
	e.ends(t)
}

type execFaults struct {
	*workspace
	daemon *daemon
	listed int
}

func newExecFaults(t *testing.T) *execFaults {
	t.Helper()
	e := &execFaults{workspace: newWorkspace(t), listed: 20}
	e.program(t, e.list())
	e.configures(t, 3*time.Second)
	e.starts(t)
	return e
}

// configures bounds the program's time.
func (e *execFaults) configures(t *testing.T, timeout time.Duration) {
	t.Helper()
	e.configure(t, `
global: {refresh_interval: 300ms, source_timeout: %s}
sources: [{name: inventory, exec: {command: [/bin/sh, program.sh], output_limit: 64KiB}}]
health: {enabled: false}
guard: {window: 1s}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, timeout)
}

func (e *execFaults) program(t *testing.T, text string) {
	t.Helper()
	replaceFile(t, filepath.Join(e.dir, "program.sh"), text)
}

// list is a program that lists what there is.
func (e *execFaults) list() string {
	var all []string
	for i := range e.listed {
		all = append(all, fmt.Sprintf(`"10.2.0.%d:3000"`, i+1))
	}
	return fmt.Sprintf(`echo '[{"targets": [%s], "labels": {"environment": "production"}}]'`, strings.Join(all, ", "))
}

func (e *execFaults) starts(t *testing.T) {
	t.Helper()
	e.daemon = e.start(t)
	eventually(t, soon, e.whole)
}

func (e *execFaults) whole() error {
	targets, err := readTargets(e.output("mcp.json"))
	if err == nil && len(targets) != e.listed {
		err = fmt.Errorf("%d targets are published, want %d", len(targets), e.listed)
	}
	return err
}

// suffers one fault, meanwhile one machine is taken away.
func (e *execFaults) suffers(t *testing.T, name, reason, program string) {
	t.Helper()
	for range 2 {
		e.program(t, program)
		e.fails(t, name, reason)
		holds(t, time.Second, e.whole)
		e.daemon.kill()
		e.starts(t)
	}
	e.fails(t, name, reason)
	e.listed--
	e.program(t, e.list())
	eventually(t, retried, e.whole)
	eventually(t, retried, func() error { return e.daemon.sourceUp("inventory", "exec", "1") })
}

func (e *execFaults) fails(t *testing.T, name, reason string) {
	t.Helper()
	series := fmt.Sprintf(`mcp_sd_source_failures_total{reason=%q,source="inventory",type="exec"}`, reason)
	eventually(t, soon, func() error {
		if _, err := e.daemon.sample(series); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return e.daemon.sourceUp("inventory", "exec", "0")
	})
}

// once: a pass in front of a program that fails keeps all, says so, and ends
// with the status for that.
func (e *execFaults) once(t *testing.T) {
	t.Helper()
	e.daemon.stops(t)
	e.configures(t, 20*time.Second) // it gets one try
	e.program(t, "echo 'the inventory is locked' >&2; exit 3")
	got := e.workspace.once(t)
	if got.code != 5 || !strings.Contains(got.stderr, "exit status 3; it said: the inventory is locked") {
		t.Errorf("--once ended with %d: %s", got.code, got.stderr)
	}
	if err := e.whole(); err != nil {
		t.Error(err)
	}
	e.program(t, e.list())
	if got := e.workspace.once(t); got.code != 0 || got.stderr != "" {
		t.Errorf("--once ended with %d: %s", got.code, got.stderr)
	}
}

// ends: what the program has started ends with mcp-sd, however that ends.
func (e *execFaults) ends(t *testing.T) {
	t.Helper()
	for how, end := range map[string]func(){
		"SIGTERM": func() { e.daemon.stops(t) },
		"SIGKILL": func() { e.daemon.kill() },
	} {
		pidFile := filepath.Join(e.dir, "running")
		_ = os.Remove(pidFile)
		e.configure(t, `
global: {refresh_interval: 300ms, source_timeout: 1h}
sources:
  - {name: inventory, exec: {command: [/bin/sh, -c, "echo $$ >running; exec sleep 600"]}}
  - {name: racks, static: {targets: [{targets: ["10.2.1.1:3000"]}]}}
outputs: [{path: $TARGETS/mcp.json}]
`)
		e.daemon = e.launch(t)
		var pid string
		eventually(t, soon, func() error {
			text, err := os.ReadFile(pidFile)
			pid = strings.TrimSpace(string(text))
			if err == nil && pid == "" {
				err = fmt.Errorf("%s is empty", pidFile)
			}
			return err
		})
		end()
		eventually(t, soon, func() error {
			if _, err := os.Stat("/proc/" + pid + "/status"); err == nil {
				return fmt.Errorf("after %s process %s is still there", how, pid)
			}
			return nil
		})
	}
}
