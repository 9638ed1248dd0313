package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mcp-sd/mcp-sd/e2e/instances"
)

// fleet plays the instances: those that are up answer with metrics, on all
// others connections are reset.
type fleet struct {
	listener net.Listener
	server   *http.Server
	body     string

	mu sync.RWMutex
	up map[string]bool // by IP address
}

func newFleet(ctx context.Context) (*fleet, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", ":0")
	if err != nil {
		return nil, fmt.Errorf("listening for the fleet: %w", err)
	}
	f := &fleet{listener: listener, up: map[string]bool{}, body: exposition()}
	f.server = &http.Server{Handler: f, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = f.server.Serve(instances.Listener{Listener: listener, Off: f.isOff}) }()
	return f, nil
}

func (f *fleet) close() { _ = f.server.Close() }

// exposition is about as long as the metrics of a small server.
func exposition() string {
	var b strings.Builder
	b.WriteString("# TYPE mcp_server_operation_duration_seconds histogram\n")
	for i := range 60 {
		fmt.Fprintf(&b, "mcp_server_operation_duration_seconds_bucket{mcp_method_name=\"tools/call\",le=\"%d\"} %d\n", i, i)
	}
	return b.String()
}

func (f *fleet) set(ip string, up bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if up {
		f.up[ip] = true
	} else {
		delete(f.up, ip)
	}
}

func (f *fleet) isOff(local net.Addr) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return !f.up[local.(*net.TCPAddr).IP.String()]
}

// address is where the n-th instance that ever was is found.
func (f *fleet) address(n int) (ip, address string) {
	ip = fmt.Sprintf("127.%d.%d.%d", 20+n>>16, n>>8&255, n&255)
	return ip, fmt.Sprintf("%s:%d", ip, f.listener.Addr().(*net.TCPAddr).Port)
}

// ServeHTTP implements http.Handler.
func (f *fleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !f.isOff(r.Context().Value(http.LocalAddrContextKey).(net.Addr)) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte(f.body))
		return
	}
	if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
		instances.Reset(conn)
	}
}
