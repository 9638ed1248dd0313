package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestOnceInvalidConfiguration: every error at once, with its place.
func TestOnceInvalidConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t)
	w.configure(t, `
global: {refresh_interval: soon}
sources:
  - name: racks
    static: {targets: [{targets: ["127.0.0.1:80"]}]}
  - name: racks
    consul: {sever: "127.0.0.1:8500"}
outputs: [{path: $TARGETS/mcp.json}]
`)
	for _, got := range []result{w.once(t), mcpSDCall(t, "check-config", w.config)} {
		got.expect(t, 1)
		printed := got.stdout + got.stderr
		for _, place := range []string{w.config + ":2", "refresh_interval", w.config + ":7", "sever"} {
			if !strings.Contains(printed, place) {
				t.Errorf("the errors lack %q:\n%s", place, printed)
			}
		}
	}
	onlyIn(t, w.targets)
}

func TestCheckConfig(t *testing.T) {
	t.Parallel()
	o := newOnce(t)
	mcpSDCall(t, "check-config", o.config).expect(t, 0)
	onlyIn(t, o.targets)
	mcpSDCall(t, "check-config", o.config+".absent").expect(t, 1, o.config+".absent")
}

// TestOnceFailedSource: one source that can't be reached costs the other
// nothing, and is told by the exit status.
func TestOnceFailedSource(t *testing.T) {
	t.Parallel()
	o := newOnce(t)
	o.configure(t, "%s", o.racks("production")+fmt.Sprintf(`
  - name: unreachable
    consul: {server: "127.0.0.1:%d"}
`, freePort(t))+onceOutputs)
	o.once(t, "--once.timeout=15s").expect(t, 5, "unreachable")
	if err := fileHas(o.output("mcp.json"), o.want); err != nil {
		t.Error(err)
	}
}

// TestOnceBesideDaemon: there is one writer at a time.
func TestOnceBesideDaemon(t *testing.T) {
	t.Parallel()
	o := newOnce(t)
	daemon := o.start(t)
	eventually(t, soon, func() error { return fileHas(o.output("mcp.json"), o.want) })
	o.once(t).expect(t, 4)
	o.once(t, "--dry-run").expect(t, 0)
	second := o.launch(t)
	eventually(t, soon, func() error {
		if second.running() == nil {
			return fmt.Errorf("a second daemon runs on the same output")
		}
		return nil
	})
	if second.err == nil {
		t.Error("the second daemon ended with exit status 0")
	}
	daemon.stops(t)
	o.once(t).expectSilence(t)
}

// TestForeignFile: what mcp-sd did not write it does not touch, and its other
// outputs don't suffer.
func TestForeignFile(t *testing.T) {
	t.Parallel()
	o := newOnce(t)
	const foreign = `[{"targets": ["10.0.0.1:9100"]}]`
	replaceFile(t, o.output("mcp.json"), foreign)
	o.configure(t, "%s", o.racks("production")+"\noutputs: [{path: $TARGETS/mcp.json}, {path: $TARGETS/other.json}]\n")

	o.once(t).expect(t, 1, o.output("mcp.json"), "adopt")
	if o.content(t) != foreign {
		t.Errorf("the foreign file is now\n%s", o.content(t))
	}
	if err := fileHas(o.output("other.json"), o.want); err != nil {
		t.Error(err)
	}
}

// TestOutputDirectoryMissing: this cannot be mended by waiting.
func TestOutputDirectoryMissing(t *testing.T) {
	t.Parallel()
	o := newOnce(t)
	if err := os.Remove(o.targets); err != nil {
		t.Fatal(err)
	}
	o.once(t).expect(t, 1, o.targets)
	daemon := o.launch(t)
	eventually(t, soon, func() error {
		if daemon.running() == nil {
			return fmt.Errorf("the daemon runs without its output directory")
		}
		return nil
	})
	if daemon.err == nil {
		t.Error("the daemon ended with exit status 0")
	}
}
