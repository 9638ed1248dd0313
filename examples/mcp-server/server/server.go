// Package server is a small, real MCP server over streamable HTTP: tools and
// widgets at /mcp, a few pages beside it, and what all of it does as metrics
// at /metrics.
//
// It exists to be discovered, probed, scraped and broken: every Fault makes it
// fail as real servers fail. Its tools are harmless, its users made up, and
// whoever reaches it may call it without an account; the credentials only
// decide whose tier is believed.
package server

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcp-sd/mcp-sd/examples/mcp-server/metrics"
)

// Where the server answers, beside the pages of its mux.
const (
	MCPPath     = "/mcp"
	MetricsPath = "/metrics"
)

const (
	protocol       = "streamable_http"
	firstStateless = "2026-07-28"     // revision of MCP without sessions
	sessionTimeout = 10 * time.Minute // of clients that went away without a word
	idleTimeout    = 2 * time.Minute  // of connections
	grace          = 5 * time.Second  // for requests that run when the server ends
)

// Options say what kind of server it is.
type Options struct {
	Version string // what it tells clients and mcp_build_info
	Secret  []byte // signs the credentials of users, see Credentials
	Faults  Faults
	Logger  *slog.Logger // of the SDK, which logs each request; nil: not at all
}

// Faults are what can be wrong with the server. The zero value is nothing.
type Faults struct {
	ErrorRate       float64       // share of tool calls that fail, 0 to 1
	Latency         time.Duration // that each tool call takes longer
	DBLatency       time.Duration // that each database query takes longer
	NoWidgetRenders bool          // widgets are asked for and not rendered
	Metrics         bool          // answer 500 on /metrics, as an unhealthy server does
}

// Server serves MCP clients at /mcp and Prometheus at /metrics.
type Server struct {
	http.Handler
	mcp         *mcp.Server
	connections *metrics.Connections
	mail, audit *queue

	closed  atomic.Bool
	running atomic.Int64 // requests at /mcp
}

// New returns a server that records itself in metrics of its own.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	m := metrics.New(metrics.Options{Version: o.Version, Labels: vocabulary()})
	s := &Server{
		mcp:         mcp.NewServer(&mcp.Implementation{Name: "mcp-example", Version: o.Version}, &mcp.ServerOptions{Logger: o.Logger}),
		connections: m.Connections(protocol),
		mail:        newQueue(m, queueMail, time.Second, 10),
		audit:       newQueue(m, queueAudit, 2*time.Second, queueLength),
	}
	st := newStore(m, o.Faults.DBLatency)
	w := newWidgets(m, st, o.Faults.NoWidgetRenders)
	s.addTools(st, w, newAccounts(m, st, s.mail))
	s.mcp.AddReceivingMiddleware(instrument(m, o.Faults, s.audit))
	s.Handler = m.HTTP(s.routes(m, o, st, w))
	return s
}

func (s *Server) routes(m *metrics.Metrics, o Options, st *store, w *widgets) *http.ServeMux {
	exposition := m.Handler()
	if o.Faults.Metrics {
		exposition = http.HandlerFunc(failing)
	}
	withUser := authenticate(m, o.Secret)
	mux := http.NewServeMux()
	mux.Handle("GET "+MetricsPath, exposition)
	mux.HandleFunc("GET /healthz", healthy)
	mux.Handle(MCPPath, withUser(s.counted(s.streamable(o.Logger))))
	mux.Handle("GET /account", withUser(http.HandlerFunc(account)))
	mux.Handle("GET /documents/{id}", withUser(http.HandlerFunc(st.serveDocument)))
	mux.Handle("GET /widgets/{id}", withUser(http.HandlerFunc(w.serve)))
	mux.Handle("POST /widgets/{id}/state", withUser(http.HandlerFunc(w.serveUpdate)))
	return mux
}

// streamable serves every revision of the protocol. The SDK has one handler for
// those with sessions and another for those without, and the client's header
// says which it wants.
func (s *Server) streamable(log *slog.Logger) http.Handler {
	handler := func(stateless bool) http.Handler {
		return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s.mcp },
			&mcp.StreamableHTTPOptions{Logger: log, SessionTimeout: sessionTimeout, Stateless: stateless, PropagateRequestCancellation: true})
	}
	with, without := handler(false), handler(true)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mcp-Protocol-Version") >= firstStateless { // dates, so they compare
			without.ServeHTTP(w, r)
			return
		}
		with.ServeHTTP(w, r)
	})
}

func failing(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "switched off by --fault.metrics", http.StatusInternalServerError)
}

func healthy(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte("ok\n")) // who asked is gone, if this fails
}

// counted counts the connection that a request came over as a client's, and
// the request while it runs.
func (s *Server) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.running.Add(1)
		defer s.running.Add(-1)
		if s.closed.Load() {
			http.Error(w, "the server ends", http.StatusServiceUnavailable)
			return
		}
		metrics.InUse(r, userOf(r.Context()).known())
		next.ServeHTTP(w, r)
	})
}

// HTTP returns an http.Server for it that listens to nothing yet; Close must
// have ended before it is thrown away.
func (s *Server) HTTP() *http.Server {
	return &http.Server{
		Handler:           s,
		ConnContext:       s.connections.Context,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       idleTimeout,
	}
}

// Connections are those of MCP clients, which the server observes.
func (s *Server) Connections() *metrics.Connections { return s.connections }

// Close ends the sessions of all clients and waits for what still runs. The
// HTTP server should be closed by then, or it may have to wait for clients.
func (s *Server) Close() {
	s.connections.ShuttingDown()
	s.closed.Store(true)
	s.endSessions()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	// A request that runs may be making one more session.
	for s.running.Load() > 0 && wait(ctx, 5*time.Millisecond) == nil {
		s.endSessions()
	}
	s.endSessions()
	s.mail.close()
	s.audit.close()
}

func (s *Server) endSessions() {
	for session := range s.mcp.Sessions() {
		_ = session.Close() // the client learns it from its next request
	}
}

// wait takes its time, but not longer than ctx.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
