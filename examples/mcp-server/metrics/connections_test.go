package metrics

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// observed is a server whose connections are counted; /metrics is no use of one.
func observed(t *testing.T, m *Metrics, change func(*http.Server)) (c *Connections, s *httptest.Server) {
	t.Helper()
	c = m.Connections("streamable_http")
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/anonymous":
			InUse(r, false)
		case "/authenticated":
			InUse(r, true)
		case "/hangup":
			InUse(r, false)
			w.Header().Set("Connection", "close")
		}
	}))
	s.Config.ConnContext = c.Context
	s.Listener = c.Listener(s.Listener)
	if change != nil {
		change(s.Config)
	}
	s.Start()
	t.Cleanup(s.Close)
	return c, s
}

// A line is one network connection.
type line struct {
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, s *httptest.Server) line {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return line{c, bufio.NewReader(c)}
}

func (l line) ask(t *testing.T, path string) {
	t.Helper()
	if _, err := fmt.Fprintf(l, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(l.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

// await waits until a value is what it should be.
func await(t *testing.T, m *Metrics, want float64, name string, labels ...string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for value(t, m, name, labels...) != want {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s%v = %v, want %v", name, labels, value(t, m, name, labels...), want)
		}
	}
}

const (
	active   = "mcp_active_connections"
	duration = "mcp_connection_duration_seconds"
)

func TestConnectionsAreThoseOfClients(t *testing.T) {
	m := New(Options{})
	_, s := observed(t, m, nil)
	scraper, anonymous, user := dial(t, s), dial(t, s), dial(t, s)
	scraper.ask(t, "/metrics")
	for range 3 { // one connection, however many requests
		anonymous.ask(t, "/anonymous")
		user.ask(t, "/anonymous")
	}
	await(t, m, 2, active, "authenticated", "false")
	user.ask(t, "/authenticated")
	user.ask(t, "/anonymous") // it remains a user's
	await(t, m, 1, active, "authenticated", "false", "protocol", "streamable_http")
	await(t, m, 1, active, "authenticated", "true", "protocol", "streamable_http")
	for _, l := range []line{scraper, anonymous, user} {
		_ = l.Close()
	}
	await(t, m, 0, active)
	await(t, m, 2, duration, "disconnect_reason", disconnectClient)
	await(t, m, 2, duration)
}

func TestDisconnectReasons(t *testing.T) {
	for _, c := range []struct {
		reason string
		end    func(t *testing.T, l line, c *Connections, s *httptest.Server)
		server func(*http.Server)
	}{
		{disconnectClient, func(_ *testing.T, l line, _ *Connections, _ *httptest.Server) { _ = l.Close() }, nil},
		{disconnectServer, func(t *testing.T, l line, _ *Connections, _ *httptest.Server) { l.ask(t, "/hangup") }, nil},
		{disconnectIdle, func(*testing.T, line, *Connections, *httptest.Server) {}, func(s *http.Server) { s.IdleTimeout = time.Millisecond }},
		{disconnectError, func(_ *testing.T, l line, _ *Connections, _ *httptest.Server) {
			_ = l.Conn.(*net.TCPConn).SetLinger(0) // RST
			_ = l.Close()
		}, nil},
		{disconnectShutdown, func(_ *testing.T, _ line, c *Connections, s *httptest.Server) {
			c.ShuttingDown()
			_ = s.Config.Close()
		}, nil},
	} {
		t.Run(c.reason, func(t *testing.T) {
			m := New(Options{})
			own, s := observed(t, m, c.server)
			l := dial(t, s)
			l.ask(t, "/anonymous")
			c.end(t, l, own, s)
			await(t, m, 1, duration, "disconnect_reason", c.reason)
			await(t, m, 0, active)
		})
	}
}

// Without the listener, nothing is counted and nothing breaks; behind TLS, it is.
func TestConnectionsElsewhere(t *testing.T) {
	InUse(httptest.NewRequest(http.MethodGet, "/", nil), true)

	m := New(Options{})
	c := m.Connections("streamable_http")
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { InUse(r, true) }))
	s.Config.ConnContext = c.Context
	s.Listener = c.Listener(s.Listener)
	s.StartTLS()
	defer s.Close()
	ask(t, s, http.MethodGet, "/", nil)
	await(t, m, 1, active, "authenticated", "true")
}

func TestListenerPassesErrorsOn(t *testing.T) {
	var config net.ListenConfig
	l, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if _, err := New(Options{}).Connections("sse").Listener(l).Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
