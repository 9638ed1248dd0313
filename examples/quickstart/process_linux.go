package main

import "syscall"

// attached keeps a process out of the terminal's Ctrl-C, which is the quick
// start's to handle, and ends it when the quick start is killed before it
// could.
func attached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
