// Command mcp-server is an instrumented MCP server: tools at /mcp, metrics at
// /metrics. The quick start runs a fleet of them, and the rules, queries and
// dashboards beside it are tested against it.
//
// By itself it only serves. --traffic.rate makes it use itself, by real MCP
// calls over real connections, so that every metric moves; each --fault.* flag
// makes one thing wrong, so that one alert has a reason to fire:
//
//	--fault.error-rate=0.2         that share of the tool calls fails
//	--fault.latency=3s             each tool call takes that much longer
//	--fault.auth-failure-rate=0.5  that share of the authentications fails
//	--fault.auth-attempts=150      that many authentications a second, besides the traffic's
//	--fault.no-widget-renders      widgets are asked for and never rendered
//	--fault.memory-ratio=0.9       holds that share of machine_memory_bytes
//	--fault.db-latency=1500ms      each database query takes that much longer
//	--fault.connections=1000       that many more clients hold a connection open
//	--fault.metrics                /metrics answers 500
//
// Everything that is worth importing is in the packages beside it; this one is
// flags and signals.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/prometheus/common/promslog"

	"github.com/mcp-sd/mcp-sd/examples/mcp-server/server"
	"github.com/mcp-sd/mcp-sd/examples/mcp-server/traffic"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	f := parse(os.Args[1:])
	err := run(ctx, f, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mcp-server:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. The first line on out is the server's URL.
func run(ctx context.Context, f *flags, out io.Writer) error {
	log := promslog.New(&f.log)
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", f.listen)
	if err != nil {
		return fmt.Errorf("listening for MCP clients: %w", err)
	}
	url := "http://" + listener.Addr().String()
	if _, err := fmt.Fprintln(out, url); err != nil {
		return fmt.Errorf("printing the address: %w", err)
	}
	log.Info("Serving", "mcp", url+server.MCPPath, "metrics", url+server.MetricsPath, "version", f.server.Version)

	o := f.server
	o.Secret = []byte(f.secret)
	if f.secret == "" {
		o.Secret = []byte(rand.Text())
	}
	s := server.New(o)
	defer s.Close()
	var users sync.WaitGroup
	defer users.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	users.Go(func() { traffic.Run(ctx, f.traffic(url, o.Secret, log)) })
	users.Go(func() { hoard(ctx, f.memoryRatio, log) })
	return serve(ctx, listener, s)
}

func (f *flags) traffic(url string, secret []byte, log *slog.Logger) traffic.Options {
	o := f.users
	o.URL, o.Credentials, o.Logger = url, server.Credentials{Secret: secret}, log
	return o
}

// serve ends open streams with ctx, instead of waiting for their clients.
func serve(ctx context.Context, listener net.Listener, s *server.Server) error {
	h := s.HTTP()
	ended := context.AfterFunc(ctx, func() {
		s.Connections().ShuttingDown()
		_ = h.Close()
	})
	defer ended()
	if err := h.Serve(s.Connections().Listener(listener)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving MCP clients: %w", err)
	}
	return nil
}
