//go:build unix

package health

import "syscall"

// openFiles is how many files this process may open.
func openFiles() uint64 {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 1024
	}
	return uint64(l.Cur) //nolint:unconvert,gosec // it is signed on some systems
}
