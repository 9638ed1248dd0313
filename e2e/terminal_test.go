package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestTerminal makes a pass in front of a terminal: progress while it lists and
// probes, and at the end what changed, what is pending, and why.
func TestTerminal(t *testing.T) {
	t.Parallel()
	w, fleet := newWorkspace(t), newFleet(t)
	up, pending := fleet.add("127.0.75.1", "v1.4.2"), fleet.add("127.0.75.2", "")
	fleet.set("127.0.75.2", loginPage)
	w.configure(t, `
sources: [{name: racks, static: {targets: [{targets: [%q, %q], labels: {environment: production, region: r1}}]}}]
outputs: [{path: $TARGETS/mcp.json}]
`, up, pending)
	// script(1) gives a program a terminal.
	cmd := exec.CommandContext(t.Context(), "script", "--quiet", "--return", "--command",
		fmt.Sprintf("%s --config.file=%s --state.path=%s --once", mcpSD, w.config, w.state), os.DevNull)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	seen := strings.ReplaceAll(string(out), "\r\n", "\n")
	lines := strings.Join(strings.Fields(seen), " ")
	for _, want := range []string{
		"listing 0/1", "listing 1/1", "probing 0/2", "writing",
		"1 targets published: 1 added, 0 removed, 0 relabelled, 0 held",
		"SOURCE TYPE UP PUBLISHED PENDING", "racks static yes 1 1",
		"added http://" + up + "/metrics production r1 v1.4.2 admitted by a probe",
		"http://" + pending + "/metrics pending unknown waits for its first successful probe; last probe: not_metrics",
		"wrote " + w.output("mcp.json"),
	} {
		if !strings.Contains(lines, want) {
			t.Errorf("the terminal does not show %q:\n%q", want, seen)
		}
	}
	if summary := seen[strings.LastIndex(seen, "\x1b[K")+len("\x1b[K"):]; strings.Contains(summary, "\x1b") || !strings.HasPrefix(summary, "1 targets") {
		t.Errorf("the progress stands in the way of the summary: %q", summary)
	}
}
