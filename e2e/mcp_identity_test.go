package e2e

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestMCPIdentity asks real servers of each era who they are: of the official Go
// SDK, and MCP's reference server.
func TestMCPIdentity(t *testing.T) {
	t.Parallel()
	newest := startSDKServer(t, "--name=newest", "--version=3.0.0", "--stateless", "--json")
	both := startSDKServer(t, "--name=both", "--version=2.0.0")
	older := startSDKServer(t, "--name=older", "--version=1.0.0", "--revisions=2025-06-18,2025-03-26")
	reference := startEverything(t)
	w := newWorkspace(t)
	w.configure(t, `
sources:
  - name: sdk
    static: {targets: [{targets: [%q, %q, %q], labels: {mcp: "true"}}]}
    mcp: {}
  - name: reference
    static: {targets: [{targets: [%q]}]}
    mcp: {require_mcp: true}
health: {interval: 1s, timeout: 1s, admit_timeout: 1s}
version: {from: [source, metrics, mcp]}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, newest.address, both.address, older.address, reference.address)
	file := w.output("mcp.json")
	known := func() error {
		for _, s := range []struct{ address, name, protocol, version string }{
			{newest.address, "newest", "2026-07-28", "3.0.0"},
			{both.address, "both", "2025-11-25", "2.0.0"},
			{older.address, "older", "2025-06-18", "1.0.0"},
			{reference.address, "mcp-servers/everything", "2025-11-25", "2.0.0"},
		} {
			if err := identified(file, s.address, "protocol", s.name, s.protocol, s.version); err != nil {
				return err
			}
		}
		return nil
	}
	d := w.start(t)
	eventually(t, soon, known)
	for _, s := range []*mcpServer{newest, both, older} {
		eventually(t, soon, s.noSessions)
	}
	eventually(t, soon, reference.ended)
	eventually(t, soon, func() error { return d.metric(`mcp_sd_mcp_queries_total{result="mcp",source="sdk"}`, "3") })
	w.shown(t, d, older.address)

	// What was learned outlives a restart, and those that told it.
	d.stops(t)
	for _, s := range []*mcpServer{newest, older, reference} {
		s.kill()
	}
	d = w.start(t)
	holds(t, 3*time.Second, known)
	d.stops(t)
	if r := w.once(t); r.code != 0 {
		t.Errorf("--once ended with %d: %s", r.code, r.stderr)
	}
	if err := known(); err != nil {
		t.Errorf("after --once: %v", err)
	}
}

// shown: explain, targets and the target's page tell it.
func (w *workspace) shown(t *testing.T, d *daemon, address string) {
	t.Helper()
	flags := []string{"--config.file=" + w.config, "--state.path=" + w.state}
	explained := mcpSDCall(t, append(flags, "explain", address)...)
	listed := mcpSDCall(t, append(flags, "targets", "--format=json")...)
	page, err := httpGet(d.url + "/target?address=" + address)
	if err != nil {
		t.Fatal(err)
	}
	for where, c := range map[string]struct{ text, want string }{
		"explain": {explained.stdout, "mcp     protocol  server older  version 1.0.0  protocol 2025-06-18"},
		"targets": {listed.stdout, `"server_name": "older"`},
		"page":    {string(page), "older version 1.0.0, protocol 2025-06-18"},
	} {
		if !strings.Contains(c.text, c.want) {
			t.Errorf("%s does not say %q:\n%s", where, c.want, c.text)
		}
	}
}

// An actor has metrics as usual, and plays a part at /mcp.
type actor struct {
	*httptest.Server
	part atomic.Pointer[http.HandlerFunc]
}

func newActor(t *testing.T, part http.HandlerFunc) *actor {
	a := &actor{}
	a.part.Store(&part)
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = io.WriteString(w, "up_since 1\n")
			return
		}
		_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that a client has gone
		(*a.part.Load())(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *actor) plays(part http.HandlerFunc) { a.part.Store(&part) }

func (a *actor) address() string { return a.Listener.Addr().String() }

func playsMCP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"],"capabilities":{},`+
		`"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"actor","version":"1.0.0"}}}}`)
}

func playsNothing(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }

func playsDead(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func playsLogin(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/login", http.StatusFound)
}

// forever writes until the client has had enough.
func forever(kind, text string, pause time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, text); err != nil {
				return
			}
			if pause > 0 {
				w.(http.Flusher).Flush()
				<-time.After(pause)
			}
		}
	}
}

func playsBomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	for range 1 << 10 {
		if _, err := io.WriteString(z, strings.Repeat(" ", 1<<18)); err != nil {
			return
		}
	}
	_ = z.Close()
}

// TestMCPNeverTakesAway: require_mcp keeps out what has not proved what it is,
// but what it let in stays, whatever it answers later (contract §1).
func TestMCPNeverTakesAway(t *testing.T) {
	t.Parallel()
	server, page := newActor(t, playsMCP), newActor(t, playsNothing)
	w := newWorkspace(t)
	w.configure(t, `
sources:
  - name: racks
    static: {files: ['$STATIC/*.yml']}
    mcp: {interval: 1s, require_mcp: true}
health: {interval: 500ms, timeout: 400ms, admit_timeout: 1s}
version: {from: [source, metrics, mcp]}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`)
	replaceFile(t, w.static+"/racks.yml", fmt.Sprintf("[{targets: [%q, %q]}]", server.address(), page.address()))
	alone := func() error {
		targets, err := readTargets(w.output("mcp.json"))
		if err == nil && (len(targets) != 1 || targets[server.address()] == nil || targets[server.address()]["version"] != "1.0.0") {
			err = fmt.Errorf("published is %v, want %s with version 1.0.0", targets, server.address())
		}
		return err
	}
	d := w.start(t)
	eventually(t, soon, alone)
	for _, part := range []http.HandlerFunc{playsNothing, playsDead, playsLogin} {
		server.plays(part)
		holds(t, briefly, alone)
	}
	d.stops(t)
	d = w.start(t)
	holds(t, briefly, alone)
	if r := mcpSDCall(t, "--config.file="+w.config, "--state.path="+w.state, "explain", page.address()); !strings.Contains(r.stdout, "waits for a proof that it is an MCP server") {
		t.Errorf("explain says\n%s", r.stdout)
	}
	page.plays(playsMCP)
	eventually(t, soon, func() error {
		return identified(w.output("mcp.json"), page.address(), "protocol", "actor", "2026-07-28", "1.0.0")
	})
	d.stops(t)
}

// TestMCPHostile: whatever an endpoint does to the question who it is, its
// metrics are judged as ever, and so are those of the servers beside it.
func TestMCPHostile(t *testing.T) {
	t.Parallel()
	var addresses []string
	for _, part := range []http.HandlerFunc{
		playsDead, playsLogin, playsBomb,
		forever("application/json", "[", 0),
		forever("text/event-stream", ": ping\n\n", 0),
		forever("text/event-stream", "data: ", 10*time.Millisecond),
		forever("application/json", " ", 10*time.Millisecond),
	} {
		for range 2 {
			addresses = append(addresses, newActor(t, part).address())
		}
	}
	good := newActor(t, playsMCP)
	w := newWorkspace(t)
	w.configure(t, `
sources:
  - name: racks
    static: {targets: [{targets: [%s, %q]}]}
    mcp: {interval: 1s}
health: {interval: 2s, timeout: 2s, concurrency: 16}
outputs: [{path: $TARGETS/mcp.json, min_write_interval: 100ms}]
`, `"`+strings.Join(addresses, `", "`)+`"`, good.address())
	d := w.start(t)
	healthy := func() error {
		for _, a := range addresses {
			if err := fileLabel(w.output("mcp.json"), a, "__meta_mcp_sd_health", "up"); err != nil {
				return err
			}
			if err := identified(w.output("mcp.json"), a, "", "", "", ""); err != nil {
				return err
			}
		}
		return d.metric(`mcp_sd_target_health{health="up",source="racks"}`, fmt.Sprint(len(addresses)+1))
	}
	eventually(t, soon, healthy)
	eventually(t, soon, func() error {
		return identified(w.output("mcp.json"), good.address(), "protocol", "actor", "2026-07-28", "")
	})
	holds(t, briefly, healthy)
	d.stops(t)
}
