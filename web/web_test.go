package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mcp-sd/mcp-sd/discovery"
)

// Contract §2, §9: health, readiness, metrics, and a lifecycle that is off
// unless it was asked for.
func TestHandler(t *testing.T) {
	var notReady, reloadFails error
	reloads := 0
	serve := func(lifecycle bool) http.Handler {
		reg := prometheus.NewRegistry()
		reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "mcp_sd_test", Help: "A test."}))
		h, err := Handler(Options{
			Registry: reg, Lifecycle: lifecycle, Version: "1.2.3",
			Views: &views{}, Files: func() []File { return nil }, Config: func() []byte { return nil },
			Ready:  func() error { return notReady },
			Reload: func(context.Context) error { reloads++; return reloadFails },
			Accept: func(_ context.Context, source, _ string) ([]discovery.KeptTarget, error) {
				return []discovery.KeptTarget{{Source: source}}, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	for _, c := range []struct {
		method, path string
		lifecycle    bool
		before       func()
		status       int
		body         string
	}{
		{method: "GET", path: "/metrics", status: 200, body: "mcp_sd_test 0"},
		{method: "GET", path: "/-/healthy", status: 200, body: "healthy"},
		{method: "GET", path: "/-/ready", status: 200, body: "ready"},
		{method: "GET", path: "/-/ready", before: func() { notReady = errors.New("still loading") }, status: 503, body: "still loading"},
		{method: "GET", path: "/", status: 200, body: `href="metrics"`},
		{method: "GET", path: "/nothing", status: 404},
		{method: "POST", path: "/-/reload", status: 403, body: "--web.enable-lifecycle"},
		{method: "PUT", path: "/-/reload", status: 403},
		{method: "GET", path: "/-/reload", lifecycle: true, status: 405},
		{method: "POST", path: "/-/reload", lifecycle: true, status: 200, body: "reloaded"},
		{method: "PUT", path: "/-/reload", lifecycle: true, status: 200},
		{method: "POST", path: "/-/reload", lifecycle: true, before: func() { reloadFails = errors.New("line 7") }, status: 500, body: "line 7"},
		{method: "POST", path: "/-/accept", status: 403, body: "--web.enable-lifecycle"},
		{method: "GET", path: "/-/accept", lifecycle: true, status: 405},
		{method: "POST", path: "/-/accept?source=racks", lifecycle: true, status: 200, body: `"source":"racks"`},
	} {
		notReady, reloadFails = nil, nil
		if c.before != nil {
			c.before()
		}
		w := ask(serve(c.lifecycle), c.method, c.path, nil)
		status, body := w.Code, w.Body.String()
		if status != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%s %s (lifecycle %t): %d %q, want %d with %q", c.method, c.path, c.lifecycle, status, body, c.status, c.body)
		}
	}
	if w := ask(serve(true), "POST", "/-/reload", http.Header{"Sec-Fetch-Site": {"cross-site"}}); w.Code != 403 {
		t.Errorf("a page of another site may reload: %d", w.Code)
	}
	if reloads != 3 {
		t.Errorf("reloaded %d times, want 3: a refused request must not reload", reloads)
	}
}
