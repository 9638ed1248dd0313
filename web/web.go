// Package web is what mcp-sd serves over HTTP: the status page, the API, the
// files as http_sd, its metrics, its health, and the lifecycle endpoints
// (contract §9).
//
// It reads what the engine publishes and passes on the few commands it is
// given; it decides nothing. The pages work without JavaScript, load nothing
// from elsewhere, and trust nothing that was discovered: all of it goes through
// html/template. Listening, TLS and authentication are the exporter-toolkit's,
// in the caller's hands.
package web

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mcp-sd/mcp-sd/discovery"
)

// Views is what the pages show of the engine.
type Views interface {
	// View is nil before the published set was loaded.
	View() *discovery.View
	// Inventory is nil where the engine can't tell before ctx ends.
	Inventory(ctx context.Context) *discovery.Inventory
	Explain(ctx context.Context, address string) (discovery.Explanation, error)
}

// Options are what the handler shows and passes on.
type Options struct {
	Registry *prometheus.Registry
	Views    Views
	// Files are the output files by path; nil before they were loaded.
	Files func() []File
	// Config is the configuration in force as YAML, without secrets.
	Config func() []byte
	// Ready says whether the first decision was made; why not, otherwise.
	Ready func() error
	// Reload reads the configuration again.
	Reload func(ctx context.Context) error
	// Accept lets through what the guard holds, of one source or of all.
	Accept func(ctx context.Context, source, by string) ([]discovery.KeptTarget, error)
	// Lifecycle allows POST and PUT to /-/reload and /-/accept.
	Lifecycle bool
	Version   string
	Now       func() time.Time // nil: time.Now
}

const (
	// commandTimeout bounds how long a lifecycle request may wait for the engine.
	commandTimeout = 30 * time.Second
	// viewTimeout bounds how long a page waits for the engine before it shows
	// what it has.
	viewTimeout = 2 * time.Second
)

// Handler returns everything that mcp-sd serves.
func Handler(o Options) (http.Handler, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.InstrumentMetricHandler(o.Registry,
		promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{EnableOpenMetrics: true})))
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "mcp-sd is healthy.")
	})
	mux.HandleFunc("GET /-/ready", o.ready)
	for _, method := range []string{http.MethodPost, http.MethodPut} {
		mux.HandleFunc(method+" /-/reload", o.lifecycle(o.reload))
		mux.HandleFunc(method+" /-/accept", o.lifecycle(o.accept))
	}
	mux.HandleFunc("GET /api/v1/targets", o.apiTargets)
	mux.HandleFunc("GET /api/v1/sources", o.apiSources)
	sd := &served{files: o.Files}
	mux.HandleFunc("GET /sd", sd.all)
	mux.HandleFunc("GET /sd/{path...}", sd.one)
	if err := o.pages(mux); err != nil {
		return nil, err
	}
	return secured(mux), nil
}

// policy lets a page have our own style sheet and icon and nothing else, from
// nowhere else: no script at all, whatever a label says.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secured sets the headers that a page of an internal tool should have.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

func (o Options) ready(w http.ResponseWriter, _ *http.Request) {
	if err := o.Ready(); err != nil {
		http.Error(w, "mcp-sd is not ready: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "mcp-sd is ready.")
}

// lifecycle guards what changes the daemon. A page of another site that a
// browser with access has open can't ask for it either.
func (o Options) lifecycle(do func(ctx context.Context, w http.ResponseWriter, r *http.Request)) http.HandlerFunc {
	elsewhere := http.NewCrossOriginProtection()
	return func(w http.ResponseWriter, r *http.Request) {
		if !o.Lifecycle {
			http.Error(w, "lifecycle API is not enabled: start mcp-sd with --web.enable-lifecycle", http.StatusForbidden)
			return
		}
		if err := elsewhere.Check(r); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
		defer cancel()
		do(ctx, w, r)
	}
}

func (o Options) reload(ctx context.Context, w http.ResponseWriter, _ *http.Request) {
	if err := o.Reload(ctx); err != nil {
		http.Error(w, "failed to reload the configuration: "+err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, "Configuration reloaded.")
}

// accept answers with exactly the targets that were let through.
func (o Options) accept(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	held, err := o.Accept(ctx, r.FormValue("source"), "HTTP from "+r.RemoteAddr)
	answer(w, held, err)
}
