//go:build !linux

package main

import "syscall"

// attached asks for nothing: only Linux can tie a process to its parent.
func attached() *syscall.SysProcAttr { return nil }
