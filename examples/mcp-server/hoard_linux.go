package main

import (
	"fmt"
	"os"
	"syscall"
)

// take gets memory that the kernel really gives. It is not of Go's heap: what
// is held there lets as much garbage grow beside it, and a process near its
// limit would be killed for that.
func take(bytes int) error {
	b, err := syscall.Mmap(-1, 0, bytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("asking the kernel for %d bytes: %w", bytes, err)
	}
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = 1
	}
	return nil
}
