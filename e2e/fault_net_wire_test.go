package e2e

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcp-sd/mcp-sd/e2e/instances"
)

// A quality is how well a wire passes bytes on.
type quality int32

const (
	perfect quality = iota
	slow            // wireSpeed in all answers together
	silent          // accepts and passes nothing on
	cutting         // ends each answer after cutAfter bytes
)

const (
	wireSpeed = 32 << 10 // bytes per second
	cutAfter  = 20 << 10
)

// A wire is a TCP connection's way from one host to another, and as good or
// bad as a test wants it.
type wire struct {
	address string // where it begins
	to      *host
	server  string // where it ends
	quality atomic.Int32
	carried atomic.Int64 // bytes of answers

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// newWire listens on one host and connects to the server on another; nil is
// the machine itself.
func newWire(t testing.TB, from, to *host, server string) *wire {
	t.Helper()
	listener, err := from.listen("tcp4", fmt.Sprintf("127.0.0.1:%d", freePort(t)))
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{address: listener.Addr().String(), to: to, server: server, conns: map[net.Conn]bool{}}
	go w.accept(t, listener)
	t.Cleanup(func() {
		_ = listener.Close()
		w.drop()
	})
	return w
}

// becomes changes the quality, for open connections as well.
func (w *wire) becomes(q quality) { w.quality.Store(int32(q)) }

// drop ends all connections.
func (w *wire) drop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for conn := range w.conns {
		_ = conn.Close()
	}
}

func (w *wire) accept(t testing.TB, listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go w.serve(t, client)
	}
}

func (w *wire) serve(t testing.TB, client net.Conn) {
	server, err := w.to.dial(t.Context(), w.server)
	if err != nil {
		instances.Reset(client)
		return
	}
	w.mu.Lock()
	w.conns[client], w.conns[server] = true, true
	w.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { w.pass(server, client, false) })
	both.Go(func() { w.pass(client, server, true) })
	both.Wait()
	w.mu.Lock()
	delete(w.conns, client)
	delete(w.conns, server)
	w.mu.Unlock()
}

// pass carries bytes in one direction until that ends; then both do.
func (w *wire) pass(to, from net.Conn, answers bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 2<<10)
	since := 0 // bytes since the quality became cutting
	for {
		n, err := from.Read(buf)
		q := quality(w.quality.Load())
		if q != cutting {
			since = 0
		}
		switch {
		case err != nil:
			return
		case q == silent:
			_, _ = io.Copy(io.Discard, from)
			return
		case q == slow && answers:
			<-time.After(time.Second * time.Duration(n) / wireSpeed)
		case q == cutting && answers:
			if since += n; since > cutAfter {
				return
			}
		}
		if answers {
			w.carried.Add(int64(n))
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
