// Package instances is what the made-up fleets of the tests share.
package instances

import "net"

// Listener resets connections to addresses that are off, as a host does where
// nothing listens.
type Listener struct {
	net.Listener
	Off func(local net.Addr) bool
}

// Accept implements net.Listener.
func (l Listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || !l.Off(conn.LocalAddr()) {
			return conn, err
		}
		Reset(conn)
	}
}

// Reset closes a connection as a host does that went away.
func Reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
