package web

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/mcp-sd/mcp-sd/discovery"
)

// Engine is what the control socket asks of the engine.
type Engine interface {
	Targets(ctx context.Context) ([]discovery.TargetView, error)
	Explain(ctx context.Context, address string) (discovery.Explanation, error)
	Accept(ctx context.Context, source, by string) ([]discovery.KeptTarget, error)
	Remove(ctx context.Context, address, by string) ([]discovery.KeptTarget, error)
}

// Answer is the body of every answer, in the form of Prometheus' own API.
type Answer struct {
	Status string `json:"status"` // success or error
	Data   any    `json:"data,omitempty"`
	Error  string `json:"error,omitempty"`
}

// Control serves the control socket. Whoever can open the socket may do all of
// it: the file's mode is the authentication.
func Control(e Engine) http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, do func(ctx context.Context, r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
			defer cancel()
			data, err := do(ctx, r)
			answer(w, data, err)
		})
	}
	handle("GET /targets", func(ctx context.Context, _ *http.Request) (any, error) { return e.Targets(ctx) })
	handle("GET /explain", func(ctx context.Context, r *http.Request) (any, error) {
		return e.Explain(ctx, r.FormValue("address"))
	})
	handle("POST /accept", func(ctx context.Context, r *http.Request) (any, error) {
		return e.Accept(ctx, r.FormValue("source"), r.FormValue("by"))
	})
	handle("POST /remove", func(ctx context.Context, r *http.Request) (any, error) {
		return e.Remove(ctx, r.FormValue("address"), r.FormValue("by"))
	})
	return mux
}

func answer(w http.ResponseWriter, data any, err error) {
	a, status := Answer{Status: "success", Data: data}, http.StatusOK
	if err != nil {
		a, status = Answer{Status: "error", Error: err.Error()}, http.StatusUnprocessableEntity
	}
	reply(w, status, a)
}

func reply(w http.ResponseWriter, status int, a Answer) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(a) // who went away does not want it
}
