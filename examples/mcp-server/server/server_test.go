package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves as the program does.
func start(t *testing.T, o Options) (url string) {
	t.Helper()
	_, url = startServer(t, o)
	return url
}

func startServer(t *testing.T, o Options) (server *Server, url string) {
	t.Helper()
	o.Secret = []byte("s3cret")
	server = New(o)
	s := httptest.NewUnstartedServer(nil)
	s.Config = server.HTTP()
	s.Listener = server.Connections().Listener(s.Listener)
	s.Start()
	t.Cleanup(func() {
		_ = s.Config.Close()
		server.Close()
		s.Close()
	})
	return server, s.URL
}

// A caller is a client with credentials and a connection of its own.
type caller struct {
	credentials string
	transport   *http.Transport
}

func call(t *testing.T, credentials string) caller {
	c := caller{credentials, &http.Transport{MaxConnsPerHost: 1}}
	t.Cleanup(c.transport.CloseIdleConnections)
	return c
}

// token is that of a user of the tier; tierAnonymous has none.
func token(t *testing.T, tier string, expires time.Duration) string {
	t.Helper()
	if tier == tierAnonymous {
		return ""
	}
	s, err := Credentials{[]byte("s3cret")}.Token("user-1", tier, time.Now().Add(expires))
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + s
}

func (c caller) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if c.credentials != "" {
		r.Header.Set("Authorization", c.credentials)
	}
	return c.transport.RoundTrip(r)
}

func connect(t *testing.T, url string, c caller, revision string) *mcp.ClientSession {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "test"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint: url + MCPPath, HTTPClient: &http.Client{Transport: c}, DisableStandaloneSSE: true,
	}, &mcp.ClientSessionOptions{ProtocolVersion: revision})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

func scrape(t *testing.T, url string) (status int, body string) {
	t.Helper()
	client := &http.Client{Transport: call(t, "")}
	resp, err := client.Get(url + MetricsPath)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestToolResults(t *testing.T) {
	url := start(t, Options{Version: "v1.0.0"})
	for _, revision := range []string{"2026-07-28", "2025-11-25"} {
		session := connect(t, url, call(t, ""), revision)
		for _, c := range []struct {
			tool string
			args map[string]any
			want string
		}{
			{"count_words", map[string]any{"text": "a target that is down stays"}, `{"characters":27,"words":6}`},
			{"convert", map[string]any{"value": 2, "from": "mi", "to": "m"}, `{"value":3218.688}`},
			{"wait", map[string]any{"seconds": -3}, "done"},
		} {
			r, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: c.tool, Arguments: c.args})
			if err != nil || r.IsError {
				t.Errorf("%s: %v %+v", c.tool, err, r)
				continue
			}
			if got := r.Content[0].(*mcp.TextContent).Text; got != c.want {
				t.Errorf("%s answered %s, want %s", c.tool, got, c.want)
			}
		}
	}
}

func TestFaultMetrics(t *testing.T) {
	url := start(t, Options{Version: "v1.0.0", Faults: Faults{Metrics: true}})
	if status, body := scrape(t, url); status != http.StatusInternalServerError || !strings.Contains(body, "--fault.metrics") {
		t.Errorf("/metrics answered %d %s, want 500", status, body)
	}
	tools, err := connect(t, url, call(t, ""), "").ListTools(t.Context(), nil)
	if err != nil || len(tools.Tools) != len(vocabulary().Tools) {
		t.Errorf("only /metrics should fail, ListTools: %v %v", tools, err)
	}
}
