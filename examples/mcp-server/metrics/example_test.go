package metrics_test

import (
	"context"
	"net"
	"net/http"

	"github.com/mcp-sd/mcp-sd/examples/mcp-server/metrics"
)

// A server of one's own: declare what its labels may say, wrap what it does,
// put the middleware around its router and observe its connections.
func Example() {
	m := metrics.New(metrics.Options{
		Version: "v2.3.1",
		Labels:  metrics.Labels{Tools: []string{"search"}, Tiers: []string{"free", "pro"}},
	})
	search := func(w http.ResponseWriter, r *http.Request) {
		metrics.InUse(r, true)
		err := m.Tool(r.Context(), "search", "pro", func(context.Context) error {
			return m.Query("find", "documents", func() error { return nil })
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/mcp", search)
	mux.Handle("GET /metrics", m.Handler())

	connections := m.Connections("streamable_http")
	s := &http.Server{Handler: m.HTTP(mux), ConnContext: connections.Context}
	s.RegisterOnShutdown(connections.ShuttingDown)
	serve := func(l net.Listener) error { return s.Serve(connections.Listener(l)) }
	_ = serve
}
