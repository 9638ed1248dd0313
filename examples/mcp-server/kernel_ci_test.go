//go:build ci && amd64

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Which version of cgroups limits memory is up to the machine that the tests
// run on. A kernel of its own, as an ordinary process, has the second: there,
// TestMemoryFaultInACgroup runs again.
func TestMemoryFaultInTheSecondVersion(t *testing.T) {
	kernel, err := exec.LookPath("linux.uml")
	if err != nil {
		t.Fatalf("%v: apt-get install --no-install-recommends user-mode-linux", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	said := filepath.Join(dir, "said")
	first := fmt.Sprintf(`#!/bin/sh
export PATH=%q %s=%q
mount -t proc proc /proc
mount -t cgroup2 none /sys/fs/cgroup
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
ip link set lo up
%q -test.v -test.timeout=2m -test.run='^TestMemoryFaultInACgroup$' >%q 2>&1
echo "exit status $?" >>%[5]q
echo o >/proc/sysrq-trigger
while :; do sleep 1; done
`, os.Getenv("PATH"), built, program(t), self, said)
	script := filepath.Join(dir, "init")
	if err := os.WriteFile(script, []byte(first), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, kernel, "mem=768M", "rootfstype=hostfs", "rw", "rootflags=/", "init="+script,
		"uml_dir="+dir, "con=null", "con0=fd:0,fd:1", "quiet")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	console, err := cmd.CombinedOutput()
	b, readErr := os.ReadFile(said)
	if result := string(b); readErr != nil || !strings.Contains(result, "--- PASS: TestMemoryFaultInACgroup") || !strings.HasSuffix(result, "exit status 0\n") {
		t.Errorf("in a kernel of its own: %v, %v: %s\nits console: %s", err, readErr, result, console)
	}
}
