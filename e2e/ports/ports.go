// Package ports finds ports for servers that a test or a benchmark starts.
//
// Asking the kernel for any port and giving it back goes wrong now and then: an
// outgoing connection, another test process, or a child that was forked at that
// moment and still holds the listener has it when the server comes to bind.
package ports

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
)

// Ports are handed out from blocks below the ephemeral ones (32768 on Linux),
// so that no outgoing connection takes one, and above mcp-sd's own. The first port of a block is held
// for as long as the process lives: no other process hands out of that block.
const (
	first, last = 11000, 32000
	block       = 100
)

var state struct {
	sync.Mutex
	next, end int
	held      []net.Listener
}

// Next returns a port that nobody listens on, by TCP or UDP on any address of
// this machine, and that no other call of this package returns, in this process
// or another that runs meanwhile.
func Next() (int, error) {
	state.Lock()
	defer state.Unlock()
	for range last - first {
		if state.next == state.end {
			if err := reserve(); err != nil {
				return 0, err
			}
		}
		port := state.next
		state.next++
		if free(port) {
			return port, nil
		}
	}
	return 0, errNone
}

// Address returns a Next port of 127.0.0.1 as host:port.
func Address() (string, error) {
	port, err := Next()
	return fmt.Sprintf("127.0.0.1:%d", port), err
}

// Nothing is waited for.
var (
	config net.ListenConfig
	ctx    = context.Background()
)

var errNone = fmt.Errorf("no free port between %d and %d", first, last)

// reserve begins a new block, at random: two processes hardly try the same.
func reserve() error {
	blocks := (last - first) / block
	begin := rand.IntN(blocks)
	for i := range blocks {
		port := first + (begin+i)%blocks*block
		if !free(port) {
			continue
		}
		l, err := config.Listen(ctx, "tcp4", fmt.Sprintf(":%d", port))
		if err != nil {
			continue
		}
		state.held = append(state.held, l)
		state.next, state.end = port+1, port+block
		return nil
	}
	return errNone
}

// free tells whether a port can be bound. No child is forked between opening
// and closing, or it would hold the port until it has become its program.
func free(port int) bool {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	address := fmt.Sprintf(":%d", port)
	l, err := config.Listen(ctx, "tcp4", address)
	if err != nil {
		return false
	}
	u, err := config.ListenPacket(ctx, "udp4", address)
	if err != nil {
		_ = l.Close()
		return false
	}
	return errors.Join(l.Close(), u.Close()) == nil
}
