package e2e

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A trap listens on addresses that nobody may ever connect to, and remembers
// who did.
type trap struct {
	mu     sync.Mutex
	caught []string
}

// trapPort is where metadata services listen.
const trapPort = 80

// newTrap gives the host the addresses, each with its prefix length, and
// listens on all of them. That it would notice is tried out.
func newTrap(t testing.TB, h *host, addresses ...string) *trap {
	t.Helper()
	tr := &trap{}
	listener, err := h.listen("tcp", fmt.Sprintf("[::]:%d", trapPort))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go tr.serve(listener)
	for _, address := range addresses {
		family := "-4"
		if strings.Contains(address, ":") {
			family = "-6"
		}
		h.ip(t, family+" address add "+address+" dev lo nodad")
		tr.works(t, h, address[:strings.LastIndex(address, "/")])
	}
	return tr
}

func (tr *trap) serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		tr.mu.Lock()
		tr.caught = append(tr.caught, conn.LocalAddr().String())
		tr.mu.Unlock()
		_ = conn.Close()
	}
}

// works makes sure that the trap sees a connection to the address, which the
// kernel may know only a moment later.
func (tr *trap) works(t testing.TB, h *host, ip string) {
	t.Helper()
	eventually(t, soon, func() error {
		conn, err := h.dial(t.Context(), net.JoinHostPort(ip, strconv.Itoa(trapPort)))
		if err != nil {
			return fmt.Errorf("a connection to %s does not reach the trap: %w", ip, err)
		}
		return conn.Close()
	})
	eventually(t, soon, func() error {
		if len(tr.empty()) == 0 {
			return fmt.Errorf("the trap did not notice a connection to %s", ip)
		}
		return nil
	})
}

// empty returns what was caught, and forgets it.
func (tr *trap) empty() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	caught := tr.caught
	tr.caught = nil
	return caught
}

// isEmpty fails if anybody was caught.
func (tr *trap) isEmpty(t testing.TB) {
	t.Helper()
	if caught := tr.empty(); len(caught) > 0 {
		t.Errorf("connections to %s", strings.Join(caught, ", "))
	}
}
