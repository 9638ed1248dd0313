//go:build ci && amd64

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
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
export PATH=%q %s=%q GODEBUG=cpu.all=off
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
	console, err := withoutXState(cmd.CombinedOutput)
	b, readErr := os.ReadFile(said)
	if result := string(b); readErr != nil || !strings.Contains(result, "--- PASS: TestMemoryFaultInACgroup") || !strings.HasSuffix(result, "exit status 0\n") {
		t.Errorf("in a kernel of its own: %v, %v: %s\nits console: %s", err, readErr, result, console)
	}
}

// withoutXState starts a program by run to which ptrace denies the extended
// registers. The kernel as a process (6.1) has 2,696 bytes for them and panics
// on a processor with more, as AMX has; denied, it takes the old ones, which Go
// is content with under GODEBUG=cpu.all=off.
func withoutXState(run func() ([]byte, error)) (out []byte, err error) {
	const number, request, regset = 0, 16, 32 // offsets in struct seccomp_data
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	unless := func(k uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: skip, K: k}
	}
	filter := []unix.SockFilter{
		load(number), unless(unix.SYS_PTRACE, 5),
		load(request), unless(unix.PTRACE_GETREGSET, 3),
		load(regset), unless(0x202, 1), // NT_X86_XSTATE
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EINVAL)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with its filter
		if err = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return
		}
		program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
		if err = unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err == nil {
			out, err = run()
		}
	}()
	<-done
	return out, err
}
