//go:build !linux

package exec

import (
	"os/exec"
	"syscall"
)

// attributes give the program a process group of its own.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// await waits until the program has ended, and calls rest at once.
func await(cmd *exec.Cmd, rest func()) error {
	err := cmd.Wait()
	rest()
	return err
}

// orphans come to mcp-sd only where it is the first process of a container, and
// those run Linux.
func orphans(int) {}
