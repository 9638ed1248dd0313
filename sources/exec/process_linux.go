package exec

import (
	"errors"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// attributes give the program a process group of its own, and let the kernel
// kill it should mcp-sd be killed.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// await waits until the program has ended, and calls rest while it is a zombie:
// until it is taken in, nobody else can get its number.
func await(cmd *exec.Cmd, rest func()) error {
	for errors.Is(unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
		continue
	}
	rest()
	return cmd.Wait()
}

// orphans takes in what is left of a killed group where mcp-sd is the process
// that orphans come to, as in a container: they would stay zombies.
func orphans(group int) {
	for range 100 {
		pid, err := unix.Wait4(group, nil, unix.WNOHANG, nil)
		switch {
		case err != nil && !errors.Is(err, unix.EINTR):
			return // there is none, as nearly always
		case pid == 0:
			<-time.After(time.Millisecond) // it is about to end
		}
	}
}
