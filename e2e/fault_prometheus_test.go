package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestPrometheusHTTPFaults: whatever an http_sd endpoint does instead of answering
// with a whole list, all that it listed stays, although there are no probes here
// that could speak for it, also after a restart in the middle and in --once. An
// endpoint beside it that hangs for ever holds it up no more than that it is told.
func TestPrometheusHTTPFaults(t *testing.T) {
	t.Parallel()
	p := newPrometheusFaults(t)
	for _, fault := range []struct {
		name string
		does http.HandlerFunc
	}{
		{"an error", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) }},
		{"half a list", p.half},
		{"a body that is cut off", p.cut},
		{"a login page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }},
		{"no answer", unanswered},
		{"no connection", resets},
	} {
		p.suffers(t, fault.name, fault.does)
	}
	p.once(t)
}

type prometheusFaults struct {
	*workspace
	daemon *daemon
	server *httptest.Server

	mu     sync.Mutex
	listed int
	broken http.HandlerFunc
}

func newPrometheusFaults(t *testing.T) *prometheusFaults {
	t.Helper()
	p := &prometheusFaults{workspace: newWorkspace(t), listed: 20}
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.server.Close)
	p.configure(t, `
global: {source_timeout: 2s}
sources:
  - name: elsewhere
    prometheus:
      http_sd_configs:
        - {url: '%s/sd', refresh_interval: 500ms}
health: {enabled: false}
guard: {window: 1s}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, p.server.URL)
	p.starts(t)
	return p
}

func (p *prometheusFaults) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	broken := p.broken
	p.mu.Unlock()
	if broken != nil {
		broken(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(p.list())
}

func unanswered(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func resets(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func (p *prometheusFaults) half(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	list := p.list()
	_, _ = w.Write(list[:len(list)/2])
}

func (p *prometheusFaults) cut(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "100000")
	p.half(w, r)
}

func (p *prometheusFaults) list() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for i := range p.listed {
		all = append(all, fmt.Sprintf("10.4.0.%d:3000", i+1))
	}
	list, err := json.Marshal([]map[string]any{{"targets": all, "labels": map[string]string{"environment": "production", "team": "data"}}})
	if err != nil {
		panic(err) // of strings
	}
	return list
}

func (p *prometheusFaults) breaks(does http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = does
}

func (p *prometheusFaults) starts(t *testing.T) {
	t.Helper()
	p.daemon = p.start(t)
	eventually(t, soon, p.whole)
}

func (p *prometheusFaults) whole() error {
	p.mu.Lock()
	want := p.listed
	p.mu.Unlock()
	targets, err := readTargets(p.output("mcp.json"))
	if err == nil && len(targets) != want {
		err = fmt.Errorf("%d targets are published, want %d", len(targets), want)
	}
	return err
}

// suffers one fault, before and after a restart; meanwhile one machine is taken
// away.
func (p *prometheusFaults) suffers(t *testing.T, name string, does http.HandlerFunc) {
	t.Helper()
	p.breaks(does)
	p.fails(t, name)
	holds(t, 2*time.Second, p.whole)
	p.daemon.kill()
	p.starts(t)
	p.fails(t, name)
	holds(t, time.Second, p.whole)
	p.mu.Lock()
	p.listed--
	p.mu.Unlock()
	p.breaks(nil)
	eventually(t, retried, p.whole)
	eventually(t, soon, func() error { return p.daemon.sourceUp("elsewhere", "prometheus", "1") })
}

func (p *prometheusFaults) fails(t *testing.T, name string) {
	t.Helper()
	eventually(t, soon, func() error {
		if err := p.daemon.sourceUp("elsewhere", "prometheus", "0"); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// once: a pass waits for the first answer. In front of an endpoint that fails or
// hangs it keeps all, says so, and ends with the status for that.
func (p *prometheusFaults) once(t *testing.T) {
	t.Helper()
	p.daemon.stops(t)
	for want, does := range map[string]http.HandlerFunc{
		"502 bad gateway":   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) },
		"deadline exceeded": unanswered,
	} {
		p.breaks(does)
		got := p.workspace.once(t)
		if got.code != 5 || !strings.Contains(strings.ToLower(got.stderr), want) {
			t.Errorf("--once ended with %d: %s", got.code, got.stderr)
		}
		if err := p.whole(); err != nil {
			t.Error(err)
		}
	}
	p.breaks(nil)
	if got := p.workspace.once(t); got.code != 0 || got.stderr != "" {
		t.Errorf("--once ended with %d: %s", got.code, got.stderr)
	}
}

// TestPrometheusOfAnotherMCPSD: one mcp-sd reads the /sd of another; while that is
// away, also over a restart of its reader, all stays.
func TestPrometheusOfAnotherMCPSD(t *testing.T) {
	t.Parallel()
	first, second := newWorkspace(t), newWorkspace(t)
	first.configure(t, `
sources: [{name: racks, static: {targets: [{targets: ['10.4.1.1:3000', '10.4.1.2:3000'], labels: {environment: production, team: data}}]}}]
health: {enabled: false}
outputs: [{path: $TARGETS/mcp.json}]
`)
	upstream := first.start(t)
	second.configure(t, `
global: {source_timeout: 2s}
sources: [{name: other, prometheus: {http_sd_configs: [{url: '%s/sd', refresh_interval: 500ms}]}}]
health: {enabled: false}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, upstream.url)
	d := second.start(t)
	all := func() error { return atLeast(second.output("mcp.json"), "10.4.1.1:3000", "10.4.1.2:3000") }
	eventually(t, soon, all)
	targets, err := readTargets(second.output("mcp.json"))
	if text := fmt.Sprint(targets); err != nil || !strings.Contains(text, "team") || !strings.Contains(text, "other") || strings.Contains(text, "racks") {
		t.Errorf("%v: %v", err, targets)
	}
	upstream.stops(t)
	eventually(t, soon, func() error { return d.sourceUp("other", "prometheus", "0") })
	d.kill()
	d = second.start(t)
	eventually(t, soon, func() error { return d.sourceUp("other", "prometheus", "0") })
	holds(t, 2*time.Second, all)
}
