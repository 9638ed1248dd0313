//go:build ci

package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The units, the user and the directories under a systemd that was really
// booted, on a throw-away overlay of this machine: see testdata/units.sh for
// the story, docs/testdata/booted.sh for the machine (contract §2).
func TestUnits(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test boots systemd in namespaces of its own, which needs root")
	}
	script, err := filepath.Abs("testdata/units.sh")
	if err != nil {
		t.Fatal(err)
	}
	booted, err := filepath.Abs("../docs/testdata/booted.sh")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), booted, script)
	cmd.Dir = ".."
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// Both services are locked in alike, from ProtectSystem= on.
func TestSandboxesAgree(t *testing.T) {
	sandbox := func(unit string) string {
		b, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, found := strings.Cut(string(b), "\nProtectSystem=strict\n")
		if !found {
			t.Fatalf("%s has no ProtectSystem=strict", unit)
		}
		rest, _, _ = strings.Cut(rest, "\n[Install]")
		return strings.TrimSpace(rest)
	}
	if sandbox("mcp-sd.service") != sandbox("mcp-sd-once.service") {
		t.Error("mcp-sd.service and mcp-sd-once.service differ after ProtectSystem=strict")
	}
}
