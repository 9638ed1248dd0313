package metrics

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Values of the label disconnect_reason.
const (
	disconnectClient   = "client_closed" // the client hung up
	disconnectIdle     = "idle_timeout"  // nothing came for too long
	disconnectShutdown = "shutdown"      // the server ends
	disconnectServer   = "server_closed" // the server hung up for another reason
	disconnectError    = "error"         // reset, or the network failed
)

// Connections counts the network connections over which MCP clients talk to an
// http.Server. That works alike for every revision of the protocol, with
// sessions and without:
//
//	c := m.Connections("streamable_http")
//	s := &http.Server{Handler: …, ConnContext: c.Context}
//	s.RegisterOnShutdown(c.ShuttingDown)
//	s.Serve(c.Listener(l))
//
// A connection counts from the first request on it that InUse was called for:
// whoever only asks for /metrics is no client. Behind a proxy these are the
// proxy's connections.
type Connections struct {
	m        *Metrics
	protocol string
	ending   atomic.Bool
}

// Connections counts those of a protocol.
func (m *Metrics) Connections(protocol string) *Connections {
	return &Connections{m: m, protocol: protocol}
}

// Listener returns l, with its connections observed.
func (c *Connections) Listener(l net.Listener) net.Listener { return listener{l, c} }

// Context is for http.Server.ConnContext.
func (c *Connections) Context(ctx context.Context, nc net.Conn) context.Context {
	if below, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = below.NetConn() // TLS
	}
	if own, ok := nc.(*conn); ok {
		return context.WithValue(ctx, connKey{}, own)
	}
	return ctx
}

// ShuttingDown is to be called before the server closes its connections, so
// that they are counted as ended by that.
func (c *Connections) ShuttingDown() { c.ending.Store(true) }

// InUse counts the connection that r came over as one of an MCP client, and as
// authenticated from the first request on that is.
func InUse(r *http.Request, authenticated bool) {
	if c, ok := r.Context().Value(connKey{}).(*conn); ok {
		c.use(authenticated)
	}
}

type connKey struct{}

type listener struct {
	net.Listener
	owner *Connections
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, owner: l.owner, opened: time.Now(), reason: disconnectServer}, nil
}

// conn is one network connection; what its last Read said tells why it ended.
type conn struct {
	net.Conn
	owner  *Connections
	opened time.Time

	mu            sync.Mutex
	used          bool
	authenticated bool
	aborting      bool // net/http only wants its pending Read back
	closed        bool
	reason        string
}

func (c *conn) use(authenticated bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.used && (c.authenticated || !authenticated) {
		return
	}
	if c.used {
		c.gauge(-1)
	}
	c.used, c.authenticated = true, authenticated
	c.gauge(1)
}

func (c *conn) gauge(by float64) {
	c.owner.m.connections.with(c.owner.protocol, strconv.FormatBool(c.authenticated)).Add(by)
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil || errors.Is(err, net.ErrClosed):
	case errors.Is(err, os.ErrDeadlineExceeded):
		if !c.aborting {
			c.reason = disconnectIdle
		}
	case err == io.EOF:
		if c.reason != disconnectError { // a reset is told once, and then it is an end
			c.reason = disconnectClient
		}
	default:
		c.reason = disconnectError
	}
	return n, err
}

// SetReadDeadline sees the deadlines that net/http sets: one in the past is no
// timeout, it only ends a Read.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	c.aborting = !t.IsZero() && t.Before(c.opened)
	c.mu.Unlock()
	return c.Conn.SetReadDeadline(t)
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return err
	}
	c.closed = true
	if c.used {
		c.ended()
	}
	return err
}

func (c *conn) ended() {
	reason := c.reason
	if c.owner.ending.Load() {
		reason = disconnectShutdown
	}
	c.gauge(-1)
	c.owner.m.connectionDuration.with(c.owner.protocol, reason).Observe(time.Since(c.opened).Seconds())
}
