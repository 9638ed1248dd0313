package server

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// series are all of /metrics, by name and labels as they stand there.
func series(t *testing.T, url string) map[string]float64 {
	t.Helper()
	status, body := scrape(t, url)
	if status != http.StatusOK {
		t.Fatalf("/metrics answered %d", status)
	}
	all := map[string]float64{}
	for line := range strings.Lines(body) {
		name, v, ok := cutLast(strings.TrimSpace(line), " ")
		if x, err := strconv.ParseFloat(v, 64); ok && err == nil && !strings.HasPrefix(line, "#") {
			all[name] = x
		}
	}
	return all
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// want says which series have not the value that they should have.
func want(t *testing.T, url string, values map[string]float64) {
	t.Helper()
	got := series(t, url)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if got[name] != values[name] {
			t.Errorf("%s = %v, want %v", name, got[name], values[name])
		}
	}
}

// await waits until a series has a value.
func await(t *testing.T, url, name string, value float64) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for series(t, url)[name] != value {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s = %v, want %v", name, series(t, url)[name], value)
		}
	}
}

// tool calls a tool; that it refuses is an answer as well.
func tool(t *testing.T, s *mcp.ClientSession, name string, args map[string]any) *mcp.CallToolResult {
	t.Helper()
	r, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: args})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

// page asks for one of the server's pages.
func page(t *testing.T, method, url string, c caller, body string) (status int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: c}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestTools(t *testing.T) {
	url := start(t, Options{Version: "v2.3.1"})
	for _, revision := range []string{"2026-07-28", "2025-11-25"} {
		pro := connect(t, url, call(t, token(t, TierPro, time.Hour)), revision)
		free := connect(t, url, call(t, token(t, TierFree, time.Hour)), revision)
		nobody := connect(t, url, call(t, ""), revision)
		tool(t, pro, "convert", map[string]any{"value": 1, "from": "km", "to": "m"})
		tool(t, free, "count_words", map[string]any{"text": "a b"})
		tool(t, nobody, "wait", map[string]any{"seconds": 0.06})
		tool(t, pro, "convert", map[string]any{"value": 1, "from": "furlong", "to": "m"})
		if _, err := pro.CallTool(t.Context(), &mcp.CallToolParams{Name: "made-up-by-the-client"}); err == nil {
			t.Error("a tool that does not exist could be called")
		}
	}
	want(t, url, map[string]float64{
		`mcp_build_info{version="v2.3.1"}`:                                                        1,
		`mcp_tool_invocations_total{status="success",tool_name="convert",user_tier="pro"}`:        2,
		`mcp_tool_invocations_total{status="success",tool_name="count_words",user_tier="free"}`:   2,
		`mcp_tool_invocations_total{status="success",tool_name="wait",user_tier="anonymous"}`:     2,
		`mcp_tool_invocations_total{status="error",tool_name="convert",user_tier="pro"}`:          2,
		`mcp_tool_invocations_total{status="error",tool_name="other",user_tier="pro"}`:            2,
		`mcp_tool_errors_total{error_type="invalid_params",tool_name="convert"}`:                  2,
		`mcp_tool_errors_total{error_type="invalid_params",tool_name="other"}`:                    2,
		`mcp_tool_duration_seconds_count{status="error",tool_name="convert"}`:                     2,
		`mcp_tool_duration_seconds_bucket{status="success",tool_name="wait",le="0.05"}`:           0,
		`mcp_tool_duration_seconds_bucket{status="success",tool_name="wait",le="+Inf"}`:           2,
		`mcp_tool_duration_seconds_bucket{status="success",tool_name="count_words",le="10"}`:      2,
		`mcp_tool_invocations_total{status="error",tool_name="search_documents",user_tier="pro"}`: 0,
	})
}

func TestWidgets(t *testing.T) {
	url := start(t, Options{})
	c := call(t, "")
	s := connect(t, url, c, "")
	r := tool(t, s, "show_widget", map[string]any{"type": "chart", "display_mode": "pip", "title": "<b>", "values": []float64{1, 2}})
	html := r.Content[0].(*mcp.EmbeddedResource).Resource.Text
	if !strings.Contains(html, "&lt;b&gt;") || !strings.Contains(html, `height="2"`) {
		t.Errorf("the chart is %s", html)
	}
	tool(t, s, "show_widget", map[string]any{"type": "table", "display_mode": "inline", "title": "t", "values": []float64{1}})
	tool(t, s, "update_widget", map[string]any{"id": 1, "state": "sorted"})
	for _, p := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/widgets/2/state", `{"state": "clicked"}`, 204},
		{"POST", "/widgets/3/state", `{"state": "clicked"}`, 404},
		{"POST", "/widgets/x/state", `{"state": "clicked"}`, 400},
		{"POST", "/widgets/2/state", `no JSON`, 400},
		{"GET", "/widgets/1", "", 200},
		{"GET", "/widgets/99", "", 404},
		{"GET", "/widgets/x", "", 400},
	} {
		if got := page(t, p.method, url+p.path, c, p.body); got != p.status {
			t.Errorf("%s %s %s answered %d, want %d", p.method, p.path, p.body, got, p.status)
		}
	}
	if r := tool(t, s, "show_widget", map[string]any{"type": "hologram", "display_mode": "inline", "title": "t", "values": []float64{}}); !r.IsError {
		t.Error("a hologram was shown")
	}
	want(t, url, map[string]float64{
		`mcp_widget_renders_total{display_mode="pip",widget_type="chart"}`:                                   1,
		`mcp_widget_renders_total{display_mode="inline",widget_type="table"}`:                                1,
		`mcp_widget_render_duration_seconds_count{display_mode="pip",widget_type="chart"}`:                   1,
		`mcp_widget_state_updates_total{update_source="model",widget_type="chart"}`:                          1,
		`mcp_widget_state_updates_total{update_source="user",widget_type="table"}`:                           1,
		`mcp_cache_hit_ratio{cache_type="widgets"}`:                                                          0.5,
		`mcp_http_requests_total{method="POST",route="/widgets/{id}/state",status_code="204"}`:               1,
		`mcp_http_requests_total{method="GET",route="/widgets/{id}",status_code="404"}`:                      1,
		`mcp_http_request_size_bytes_sum{method="POST",route="/widgets/{id}/state"}`:                         67,
		`mcp_http_request_duration_seconds_count{method="GET",route="/widgets/{id}",status_code="200"}`:      1,
		`mcp_http_response_size_bytes_count{method="GET",route="/widgets/{id}",status_code="200"}`:           1,
		`mcp_http_response_size_bytes_bucket{method="GET",route="/widgets/{id}",status_code="200",le="100"}`: 0,
	})
}

func TestConnections(t *testing.T) {
	const (
		anonymous = `mcp_active_connections{authenticated="false",protocol="streamable_http"}`
		known     = `mcp_active_connections{authenticated="true",protocol="streamable_http"}`
		closed    = `mcp_connection_duration_seconds_count{disconnect_reason="client_closed",protocol="streamable_http"}`
	)
	for _, revision := range []string{"2026-07-28", "2025-11-25"} {
		url := start(t, Options{})
		a, b := call(t, ""), call(t, token(t, TierFree, time.Hour))
		sa, sb := connect(t, url, a, revision), connect(t, url, b, revision)
		tool(t, sa, "wait", map[string]any{"seconds": 0})
		tool(t, sb, "wait", map[string]any{"seconds": 0})
		want(t, url, map[string]float64{anonymous: 1, known: 1, closed: 0})
		_ = sb.Close()
		b.transport.CloseIdleConnections()
		await(t, url, closed, 1)
		want(t, url, map[string]float64{anonymous: 1, known: 0})
	}
}

// A client that listens for changes keeps a request open all the while, and
// that is no latency: of all requests, only the call took as long as it did.
func TestListening(t *testing.T) {
	const duration = `mcp_http_request_duration_seconds_%s{method="POST",route="/mcp",status_code="200"%s}`
	url := start(t, Options{})
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := mcp.NewClient(&mcp.Implementation{Name: "test"}, &mcp.ClientOptions{
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) {},
	})
	s, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: url + MCPPath, HTTPClient: &http.Client{Transport: transport}},
		&mcp.ClientSessionOptions{ProtocolVersion: firstStateless})
	if err != nil {
		t.Fatal(err)
	}
	tool(t, s, "wait", map[string]any{"seconds": 1.1})
	_ = s.Close()
	await(t, url, fmt.Sprintf(duration, "count", ""), 3) // server/discover, subscriptions/listen, tools/call
	want(t, url, map[string]float64{fmt.Sprintf(duration, "bucket", `,le="1"`): 2})
}

func TestAuthentication(t *testing.T) {
	url := start(t, Options{})
	forged, err := Credentials{[]byte("a guess")}.Token("user-1", TierPro, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	key := Credentials{[]byte("s3cret")}.APIKey("user-2", TierEnterprise)
	for _, c := range []struct {
		authorization string
		status        int
	}{
		{"", 401},
		{token(t, TierPro, time.Hour), 200},
		{"bearer" + strings.TrimPrefix(token(t, TierPro, time.Hour), "Bearer"), 200},
		{"Bearer " + key, 200},
		{token(t, TierPro, -time.Hour), 401},
		{"Bearer " + forged, 401},
		{"Bearer x.y.z", 401},
		{"Bearer sk_nonsense", 401},
		{"Bearer " + key[:len(key)-2] + "xx", 401},
		{"Basic dXNlcjpwYXNz", 401},
	} {
		if got := page(t, "GET", url+"/account", call(t, c.authorization), ""); got != c.status {
			t.Errorf("%q was answered by %d, want %d", c.authorization, got, c.status)
		}
	}
	want(t, url, map[string]float64{
		`mcp_authentication_attempts_total{method="bearer",status="success"}`:           2,
		`mcp_authentication_attempts_total{method="bearer",status="failure"}`:           3,
		`mcp_authentication_attempts_total{method="api_key",status="success"}`:          1,
		`mcp_authentication_attempts_total{method="api_key",status="failure"}`:          2,
		`mcp_authentication_attempts_total{method="other",status="failure"}`:            1,
		`mcp_authentication_failures_total{method="bearer",reason="expired"}`:           1,
		`mcp_authentication_failures_total{method="bearer",reason="invalid_signature"}`: 1,
		`mcp_authentication_failures_total{method="bearer",reason="malformed"}`:         1,
		`mcp_authentication_failures_total{method="api_key",reason="malformed"}`:        1,
		`mcp_authentication_failures_total{method="api_key",reason="unknown_key"}`:      1,
		`mcp_authentication_failures_total{method="other",reason="unsupported_scheme"}`: 1,
		`mcp_http_requests_total{method="GET",route="/account",status_code="200"}`:      3,
		`mcp_http_requests_total{method="GET",route="/account",status_code="401"}`:      7,
		`mcp_active_connections{authenticated="true",protocol="streamable_http"}`:       0,
	})
}

func TestBusiness(t *testing.T) {
	url := start(t, Options{})
	s := connect(t, url, call(t, ""), "")
	tool(t, s, "sign_up", map[string]any{"name": "ann", "source": "web", "tier": "free"})
	tool(t, s, "sign_up", map[string]any{"name": "bob", "source": "campaign", "tier": "pro"})
	tool(t, s, "upgrade_subscription", map[string]any{"name": "ann", "tier": "pro"})
	tool(t, s, "upgrade_subscription", map[string]any{"name": "bob", "tier": "enterprise"})
	for _, wrong := range []*mcp.CallToolResult{
		tool(t, s, "upgrade_subscription", map[string]any{"name": "bob", "tier": "pro"}),
		tool(t, s, "upgrade_subscription", map[string]any{"name": "nobody", "tier": "pro"}),
		tool(t, s, "sign_up", map[string]any{"name": "eve", "source": "web", "tier": "platinum"}),
		tool(t, s, "sign_up", map[string]any{"name": "eve", "source": "the-moon", "tier": "pro"}),
	} {
		if !wrong.IsError {
			t.Error("it should have been refused")
		}
	}
	want(t, url, map[string]float64{
		`mcp_user_signups_total{source="web",tier="free"}`:                                           1,
		`mcp_user_signups_total{source="campaign",tier="pro"}`:                                       1,
		`mcp_subscription_upgrades_total{from_tier="free",to_tier="pro"}`:                            1,
		`mcp_subscription_upgrades_total{from_tier="pro",to_tier="enterprise"}`:                      1,
		`mcp_revenue_total_usd{tier="pro"}`:                                                          40,
		`mcp_revenue_total_usd{tier="enterprise"}`:                                                   200,
		`mcp_database_query_duration_seconds_count{collection="users",operation="insert"}`:           2,
		`mcp_database_query_duration_seconds_count{collection="users",operation="find"}`:             4,
		`mcp_database_query_duration_seconds_count{collection="subscriptions",operation="update"}`:   2,
		`mcp_database_query_duration_seconds_bucket{collection="users",operation="insert",le="2.5"}`: 2,
		`mcp_tool_errors_total{error_type="invalid_params",tool_name="sign_up"}`:                     2,
		`mcp_tool_errors_total{error_type="invalid_params",tool_name="upgrade_subscription"}`:        2,
	})
	await(t, url, `mcp_queue_depth{queue_name="welcome_mail"}`, 0) // sent, ten a second
}

func TestDocuments(t *testing.T) {
	url := start(t, Options{})
	c := call(t, "")
	s := connect(t, url, c, "")
	r := tool(t, s, "search_documents", map[string]any{"word": "GUARDS"})
	if text := r.Content[0].(*mcp.TextContent).Text; !strings.Contains(text, "On guards, part 1") {
		t.Errorf("found %s", text)
	}
	for path, status := range map[string]int{"/documents/7": 200, "/documents/9999": 404, "/documents/x": 400} {
		if got := page(t, "GET", url+path, c, ""); got != status {
			t.Errorf("%s answered %d, want %d", path, got, status)
		}
	}
	for range 2 {
		page(t, "GET", url+"/documents/7", c, "")
	}
	want(t, url, map[string]float64{
		`mcp_cache_hit_ratio{cache_type="documents"}`:                                        0.5,
		`mcp_database_query_duration_seconds_count{collection="documents",operation="find"}`: 3,
		`mcp_http_requests_total{method="GET",route="/documents/{id}",status_code="200"}`:    3,
	})
	const queue = `mcp_queue_depth{queue_name="audit_log"}`
	deadline := time.After(10 * time.Second)
	for series(t, url)[queue] == 0 { // it is emptied every 2 s
		select {
		case <-deadline:
			t.Fatal("calls do not come into the queue")
		default:
			tool(t, s, "search_documents", map[string]any{"word": "GUARDS"})
		}
	}
	await(t, url, queue, 0)
}

func TestFaults(t *testing.T) {
	show := map[string]any{"type": "list", "display_mode": "inline", "title": "t", "values": []float64{1}}
	t.Run("errors", func(t *testing.T) {
		url := start(t, Options{Faults: Faults{ErrorRate: 0.5}})
		s := connect(t, url, call(t, ""), "")
		for range 200 {
			tool(t, s, "count_words", map[string]any{"text": "a"})
		}
		failed := series(t, url)[`mcp_tool_errors_total{error_type="unavailable",tool_name="count_words"}`]
		if failed < 50 || failed > 150 { // six sigma are 42
			t.Errorf("%v of 200 calls failed, want about half", failed)
		}
	})
	t.Run("latency", func(t *testing.T) {
		url := start(t, Options{Faults: Faults{Latency: 120 * time.Millisecond}})
		tool(t, connect(t, url, call(t, ""), ""), "count_words", map[string]any{"text": "a"})
		want(t, url, map[string]float64{
			`mcp_tool_duration_seconds_bucket{status="success",tool_name="count_words",le="0.1"}`: 0,
			`mcp_tool_duration_seconds_count{status="success",tool_name="count_words"}`:           1,
		})
	})
	t.Run("database", func(t *testing.T) {
		url := start(t, Options{Faults: Faults{DBLatency: 120 * time.Millisecond}})
		tool(t, connect(t, url, call(t, ""), ""), "search_documents", map[string]any{"word": "a"})
		want(t, url, map[string]float64{
			`mcp_database_query_duration_seconds_bucket{collection="documents",operation="find",le="0.1"}`: 0,
			`mcp_database_query_duration_seconds_count{collection="documents",operation="find"}`:           1,
		})
	})
	t.Run("widgets", func(t *testing.T) {
		url := start(t, Options{Faults: Faults{NoWidgetRenders: true}})
		c := call(t, "")
		s := connect(t, url, c, "")
		for i := range 3 {
			if r := tool(t, s, "show_widget", show); r.IsError {
				t.Errorf("it should not say what is missing: %+v", r)
			}
			page(t, "GET", fmt.Sprint(url, "/widgets/", i+1), c, "")
		}
		want(t, url, map[string]float64{
			`mcp_widget_renders_total{display_mode="inline",widget_type="list"}`:                         0,
			`mcp_tool_invocations_total{status="success",tool_name="show_widget",user_tier="anonymous"}`: 3,
		})
	})
}

// A client that goes away while its tool runs is a canceled call.
func TestCanceledCall(t *testing.T) {
	server, url := startServer(t, Options{Faults: Faults{Latency: time.Hour}})
	begun := make(chan struct{})
	server.mcp.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			if method == "tools/call" {
				close(begun)
			}
			return next(ctx, method, req)
		}
	})
	s := connect(t, url, call(t, ""), "")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := s.CallTool(ctx, &mcp.CallToolParams{Name: "count_words", Arguments: map[string]any{"text": "a"}})
		done <- err
	}()
	<-begun
	cancel()
	if err := <-done; err == nil {
		t.Error("the call has an answer")
	}
	await(t, url, `mcp_tool_errors_total{error_type="canceled",tool_name="count_words"}`, 1)
}
