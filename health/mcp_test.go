package health

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"github.com/mcp-sd/mcp-sd/target"
)

// What a server of each era answers.
const (
	discovered  = `{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2025-11-25","2026-07-28"],"capabilities":{"tools":{}},"ttlMs":1800000,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"weather","version":"2.3.1"}}}}`
	initialized = `{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"old weather","version":"1.0"}}}`
	notFound    = `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}`
)

// mcpServer answers what it is asked, by method, and notes all of it.
type mcpServer struct {
	answers map[string]http.HandlerFunc // by JSON-RPC method, or DELETE

	mu    sync.Mutex
	asked []string
	heads []http.Header
	said  []string
}

func (s *mcpServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var m struct{ Method string }
	_ = json.Unmarshal(body, &m)
	if m.Method == "" {
		m.Method = r.Method
	}
	s.mu.Lock()
	s.asked = append(s.asked, m.Method)
	s.heads = append(s.heads, r.Header.Clone())
	s.said = append(s.said, string(body))
	s.mu.Unlock()
	answer := s.answers[m.Method]
	if answer == nil {
		answer = status(http.StatusNotFound, "404 page not found")
	}
	answer(w, r)
}

func (s *mcpServer) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// answers is a handler for each method, in pairs.
func answers(pairs ...any) *mcpServer {
	s := &mcpServer{answers: map[string]http.HandlerFunc{}}
	for i := 0; i < len(pairs); i += 2 {
		s.answers[pairs[i].(string)] = pairs[i+1].(http.HandlerFunc)
	}
	return s
}

func rpc(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

func events(text string) http.HandlerFunc { return say("text/event-stream", text) }

// held sends events and leaves the stream open.
func held(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, text)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

func session(id string, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Mcp-Session-Id", id)
		answer(w, r)
	}
}

func headed(name, value string, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(name, value)
		answer(w, r)
	}
}

func asks(change func(*MCPOptions)) SpecOption {
	o := DefaultMCPOptions()
	if change != nil {
		change(&o)
	}
	return WithMCP(&o)
}

func askMCP(t testing.TB, k target.Key, s *Spec) Result {
	t.Helper()
	return NewHTTPProber(BodyMemory).AskMCP(t.Context(), Check{Key: k, Identity: "i-1", Spec: s})
}

// What servers answer when they are asked who they are, and what is made of it.
func TestAnswers(t *testing.T) {
	weather := Server{"weather", "2.3.1", "2026-07-28"}
	old := Server{"old weather", "1.0", "2025-06-18"}
	unsupported := func(revisions string) string {
		return `{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"x","data":{"supported":` + revisions + `}}}`
	}
	discover := func(result string) *mcpServer {
		return answers("server/discover", rpc(200, `{"jsonrpc":"2.0","id":1,"result":`+result+`}`))
	}
	const proof = `"supportedVersions":["2026-07-28"],"capabilities":{}`
	for _, tc := range []struct {
		name   string
		server *mcpServer
		want   Server
		proved bool
		other  bool
		class  Class
		asked  string
	}{
		{"the newest revision", answers("server/discover", rpc(200, discovered)), weather, true, false, ClassUp, "server/discover"},
		{"as an event", answers("server/discover", events("event: message\ndata: "+discovered+"\n\n")), weather, true, false, ClassUp, "server/discover"},
		{"as an event in several lines, with carriage returns", answers("server/discover", events("data: "+strings.Replace(discovered, ",", ",\r\ndata:", 1)+"\r\n\r\n")), weather, true, false, ClassUp, "server/discover"},
		{"after an empty event, a comment and a notification", answers("server/discover", events("id: 1\ndata: \n\n: ping\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\ndata: "+discovered+"\n\n")), weather, true, false, ClassUp, "server/discover"},
		{"as an event in a stream that stays open", answers("server/discover", held("data: "+discovered+"\n\n")), weather, true, false, ClassUp, "server/discover"},
		{"an older one that knows no discover", answers("server/discover", rpc(404, notFound), "initialize", rpc(200, initialized)), old, true, false, ClassUp, "server/discover initialize"},
		{"an older one that wants a session first", answers("server/discover", status(400, "Bad Request: no session"), "initialize", rpc(200, initialized)), old, true, false, ClassUp, "server/discover initialize"},
		{"an older one that answers 200 with an error", answers("server/discover", rpc(200, notFound), "initialize", events("data: "+initialized+"\n\n")), old, true, false, ClassUp, "server/discover initialize"},
		{"an older one that fails over it", answers("server/discover", status(500, "oops"), "initialize", rpc(200, initialized)), old, true, false, ClassUp, "server/discover initialize"},
		{"a session that is ended", answers("server/discover", status(400, ""), "initialize", session("s-1", rpc(200, initialized)), "DELETE", status(204, "")), old, true, false, ClassUp, "server/discover initialize DELETE"},
		{"a session that may not be ended", answers("server/discover", status(400, ""), "initialize", session("s-1", rpc(200, initialized)), "DELETE", status(405, "")), old, true, false, ClassUp, "server/discover initialize DELETE"},
		{"sessions for what is none", answers("server/discover", session("s-1", status(400, "")), "initialize", session("s-2", status(400, "")), "DELETE", status(200, "")), Server{}, false, true, ClassHTTP4xx, "server/discover DELETE initialize DELETE"},
		{"a session id out of all bounds", answers("server/discover", session(strings.Repeat("s", 2000), rpc(200, discovered))), weather, true, false, ClassUp, "server/discover"},
		{"it refuses the revision and names older ones", answers("server/discover", rpc(400, unsupported(`["2025-03-26","2025-06-18"]`)), "initialize", rpc(200, initialized)), old, true, false, ClassUp, "server/discover initialize"},
		{"it names older ones and will not say more", answers("server/discover", rpc(400, unsupported(`["2025-06-18"]`))), Server{Protocol: "2025-06-18"}, true, false, ClassUp, "server/discover initialize"},
		{"it refuses the revision and names a newer one", answers("server/discover", rpc(400, unsupported(`["2027-01-01","odd"]`))), Server{Protocol: "2027-01-01"}, true, false, ClassUp, "server/discover server/discover"},
		{"it refuses the revision and names none", answers("server/discover", rpc(400, unsupported(`[]`))), Server{}, false, true, ClassHTTP4xx, "server/discover initialize"},
		{"a proxy lost its headers", answers("server/discover", rpc(400, `{"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"x"}}`)), Server{Protocol: "2026-07-28"}, true, false, ClassUp, "server/discover initialize"},
		{"an error without an id", answers("server/discover", rpc(400, `{"jsonrpc":"2.0","id":null,"error":{"code":-32020,"message":"x"}}`)), Server{Protocol: "2026-07-28"}, true, false, ClassUp, "server/discover initialize"},
		{"it keeps its name to itself", discover(`{` + proof + `}`), Server{Protocol: "2026-07-28"}, true, false, ClassUp, "server/discover"},
		{"its name is no text", discover(`{` + proof + `,"_meta":{"io.modelcontextprotocol/serverInfo":7}}`), Server{Protocol: "2026-07-28"}, true, false, ClassUp, "server/discover"},
		{"its name could be no label", discover(`{` + proof + `,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"a\u0007%{HOME}","version":"1"}}}`), Server{Version: "1", Protocol: "2026-07-28"}, true, false, ClassUp, "server/discover"},
		{"revisions that are none", discover(`{"supportedVersions":["latest",""],"capabilities":{}}`), Server{}, false, true, ClassHTTP4xx, "server/discover initialize"},
		{"versions without capabilities", discover(`{"supportedVersions":["2026-07-28"]}`), Server{}, false, true, ClassHTTP4xx, "server/discover initialize"},
		{"a result of the wrong type", discover(`[1,2]`), Server{}, false, true, ClassHTTP4xx, "server/discover initialize"},
		{"the answer to another question", answers("server/discover", rpc(200, strings.Replace(discovered, `"id":1`, `"id":2`, 1))), Server{}, false, true, ClassHTTP4xx, "server/discover initialize"},
		{"no JSON", answers("server/discover", rpc(200, "{"), "initialize", rpc(200, "{")), Server{}, false, true, ClassNotMCP, "server/discover initialize"},
		{"another JSON-RPC server", answers("server/discover", rpc(200, notFound), "initialize", rpc(200, notFound)), Server{}, false, true, ClassNotMCP, "server/discover initialize"},
		{"a login page", answers("server/discover", say("text/html", "<html>"), "initialize", say("text/html", "<html>")), Server{}, false, true, ClassNotMCP, "server/discover initialize"},
		{"nothing at that path", answers(), Server{}, false, true, ClassHTTP4xx, "server/discover initialize"},
		{"401", answers("server/discover", status(401, "")), Server{}, false, false, ClassUnauthorized, "server/discover"},
		{"403", answers("server/discover", rpc(403, notFound)), Server{}, false, false, ClassUnauthorized, "server/discover"},
		{"401 with MCP's own challenge", answers("server/discover", headed("Www-Authenticate", `Bearer error="x", resource_metadata="https://a/.well-known/oauth-protected-resource"`, status(401, ""))), Server{}, true, false, ClassUp, "server/discover"},
		{"401 with another challenge", answers("server/discover", headed("Www-Authenticate", `Basic realm="resource_metadata="`, status(401, ""))), Server{}, false, false, ClassUnauthorized, "server/discover"},
		{"421", answers("server/discover", status(421, "")), Server{}, false, false, ClassMisdirected, "server/discover"},
		{"429", answers("server/discover", status(429, "")), Server{}, false, false, ClassHTTP4xx, "server/discover"},
		{"500", answers("server/discover", status(500, ""), "initialize", status(503, "")), Server{}, false, false, ClassHTTP5xx, "server/discover initialize"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := askMCP(t, serve(t, tc.server.ServeHTTP), spec(t, nil, asks(nil)))
			if got.MCP.Server != tc.want || got.MCP.Proved != tc.proved || got.MCP.Other != tc.other || got.Class != tc.class {
				t.Errorf("%+v, %s: %s", *got.MCP, got.Class, got.Detail)
			}
			if tc.class != ClassUp && got.Detail == "" {
				t.Error("it does not say why")
			}
			if asked := strings.Join(tc.server.requests(), " "); asked != tc.asked {
				t.Errorf("asked %s, want %s", asked, tc.asked)
			}
		})
	}
}

// What a hostile endpoint can do: the bounds are those of any probe, in memory
// and in time.
func TestHostileAnswers(t *testing.T) {
	as := func(kind, coding string, answer http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { answer(recoded{w, kind, coding}, r) }
	}
	zipped := func(body func(io.Writer)) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			z := gzip.NewWriter(w)
			body(z)
			z.Close()
		}
	}
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		want   Class
	}{
		{"an endless body", as("application/json", "", endless("1")), ClassTooLarge},
		{"an endless stream", as("text/event-stream", "", endless(": ping\n\n")), ClassTooLarge},
		{"an endless line of a stream", as("text/event-stream", "", endless("data: ")), ClassTooLarge},
		{"an endless page", as("text/html", "", endless("<p>")), ClassNotMCP},
		{"a gzip bomb", as("application/json", "gzip", zipped(bomb(" "))), ClassTooLarge},
		{"an endless gzip stream of nothing", as("application/json", "gzip", endlessGzip), ClassTooLarge},
		{"no gzip", as("application/json", "gzip", endless("no")), ClassNotMCP},
		{"silence", hang, ClassTimeout},
		{"a stream without an event", held(": hello\n\n"), ClassTimeout},
		{"a body that drips", as("application/json", "", drip), ClassTimeout},
		{"a stream that drips", as("text/event-stream", "", drip), ClassTimeout},
		{"a page that drips", as("text/html", "", drip), ClassNotMCP},
		{"deep nesting", rpc(200, strings.Repeat("[", 100_000)), ClassNotMCP},
		{"huge headers", headed("X-A", strings.Repeat("a", 100_000), rpc(200, discovered)), ClassTooLarge},
		{"a redirect to another host", headed("Location", "http://127.0.0.9:1/mcp", status(307, "")), ClassRedirect},
		{"a redirect that makes a GET of it", headed("Location", "/mcp/", status(302, "")), ClassRedirect},
		{"a redirect to itself", headed("Location", "/mcp", status(308, "")), ClassRedirect},
		{"half an answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, discovered[:100])
		}, ClassTruncated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			server := answers("server/discover", tc.answer, "initialize", tc.answer)
			k := serve(t, server.ServeHTTP)
			start := time.Now()
			patient := short
			if tc.want == ClassTooLarge {
				patient = nil // a busy machine takes its time to make a bomb
			}
			got := askMCP(t, k, spec(t, patient, asks(nil)))
			if got.Class != tc.want || got.MCP.Proved || got.Detail == "" {
				t.Errorf("%s: %s, %+v", got.Class, got.Detail, *got.MCP)
			}
			if took := time.Since(start); patient != nil && took > 3*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// recoded answers with another type and encoding than the handler says.
type recoded struct {
	http.ResponseWriter
	kind, coding string
}

func (r recoded) Write(b []byte) (int, error) {
	r.Header().Set("Content-Type", r.kind)
	r.Header().Del("Content-Encoding")
	if r.coding != "" {
		r.Header().Set("Content-Encoding", r.coding)
	}
	return r.ResponseWriter.Write(b)
}

func (r recoded) Flush() { r.ResponseWriter.(http.Flusher).Flush() }

// What mcp-sd sends, with the source's own http_client.
func TestQuestions(t *testing.T) {
	server := answers("server/discover", rpc(404, notFound), "initialize", session("s-1", rpc(200, initialized)), "DELETE", status(204, ""))
	s := spec(t, func(o *Options) { o.HTTPClient = client(t, "authorization: {credentials: c}") }, asks(func(o *MCPOptions) { o.Path = "/a/mcp" }))
	k := serve(t, server.ServeHTTP)
	k.Params = "module=a"
	askMCP(t, k, s)
	want := []string{
		`{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"mcp-sd","version":"unknown"},"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{},"clientInfo":{"name":"mcp-sd","version":"unknown"},"protocolVersion":"2025-11-25"}}`,
		"",
	}
	if diff := cmp.Diff(want, server.said); diff != "" {
		t.Error(diff)
	}
	for i, want := range []http.Header{
		{"Mcp-Protocol-Version": {"2026-07-28"}, "Mcp-Method": {"server/discover"}, "Content-Type": {"application/json"}, "Accept-Encoding": {"gzip"}},
		{"Content-Type": {"application/json"}, "Accept-Encoding": {"gzip"}},
		{"Mcp-Protocol-Version": {"2025-06-18"}, "Mcp-Session-Id": {"s-1"}},
	} {
		want.Set("Authorization", "Bearer c")
		want.Set("User-Agent", "mcp-sd/")
		want.Set("Accept", "application/json, text/event-stream")
		got := server.heads[i]
		got.Del("Content-Length")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("request %d: %s", i, diff)
		}
	}
}

// A redirect at the same endpoint is followed, as mounts have it, and with
// follow_redirects: false it is not.
func TestQuestionIsRedirected(t *testing.T) {
	real := answers("server/discover", rpc(200, discovered))
	k := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/mcp" {
			http.Redirect(w, r, "/mcp/", http.StatusTemporaryRedirect)
			return
		}
		real.ServeHTTP(w, r)
	})
	if got := askMCP(t, k, spec(t, nil, asks(nil))); got.MCP.Server.Name != "weather" {
		t.Errorf("%+v %s", *got.MCP, got.Detail)
	}
	never := func(o *Options) { o.HTTPClient.FollowRedirects = false }
	if got := askMCP(t, k, spec(t, never, asks(nil))); got.MCP.Proved || !got.MCP.Other || got.Class != ClassRedirect {
		t.Errorf("%+v %s %s", *got.MCP, got.Class, got.Detail)
	}
}

// An address that may not be probed is not asked either, whether it is written
// down or resolved to (contract §7).
func TestQuestionToDeniedAddress(t *testing.T) {
	server := answers("server/discover", rpc(200, discovered))
	k := serve(t, server.ServeHTTP)
	elsewhere := func(o *Options) { o.AllowCIDRs = []string{"192.0.2.0/24"} }
	if got := askMCP(t, k, spec(t, elsewhere, asks(nil))); got.Class != ClassDenied || got.MCP.Other {
		t.Errorf("%s %+v", got.Class, *got.MCP)
	}
	ap := netip.MustParseAddrPort(k.Address)
	k.Address = net.JoinHostPort("localhost", fmt.Sprint(ap.Port()))
	if got := askMCP(t, k, spec(t, elsewhere, asks(nil))); got.Class != ClassDenied {
		t.Errorf("%s %+v", got.Class, *got.MCP)
	}
	if asked := server.requests(); len(asked) > 0 {
		t.Errorf("asked %v", asked)
	}
}

// A question that is called off ends at once, says nothing, and still ends the
// session that it opened.
func TestQuestionIsCalledOff(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := answers("server/discover", status(400, ""), "DELETE", status(204, ""),
		"initialize", session("s-1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			held("")(w, r)
		})))
	initialize := server.answers["initialize"]
	server.answers["initialize"] = func(w http.ResponseWriter, r *http.Request) {
		context.AfterFunc(r.Context(), cancel)
		go func() { <-time.After(50 * time.Millisecond); cancel() }()
		initialize(w, r)
	}
	k := serve(t, server.ServeHTTP)
	got := NewHTTPProber(BodyMemory).AskMCP(ctx, Check{Key: k, Spec: spec(t, nil, asks(nil))})
	if got.Class != ClassCanceled || got.Detail != "" || got.MCP.Proved || got.MCP.Other {
		t.Errorf("%s %q %+v", got.Class, got.Detail, *got.MCP)
	}
	if asked := server.requests(); !slices.Equal(asked, []string{"server/discover", "initialize", "DELETE"}) {
		t.Errorf("asked %v", asked)
	}
}

// How long an answer stands (issue: its ttlMs within 10 min to 24 h).
func TestKeep(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const hour = time.Hour
	for _, tc := range []struct {
		name string
		r    Result
		want time.Duration
	}{
		{"as the server says", Result{MCP: &Answer{Proved: true, ttl: 30 * time.Minute}}, 30 * time.Minute},
		{"too short", Result{MCP: &Answer{Proved: true, ttl: 0}}, 10 * time.Minute},
		{"too long", Result{MCP: &Answer{Proved: true, ttl: 1000 * hour}}, 24 * hour},
		{"it does not say", Result{MCP: &Answer{Proved: true, ttl: -1}}, hour},
		{"no MCP server", Result{Class: ClassNotMCP, MCP: &Answer{Other: true, ttl: 5}}, hour},
		{"it wants credentials", Result{Class: ClassUnauthorized, MCP: &Answer{}}, hour},
		{"left open", Result{Class: ClassHTTP5xx, MCP: &Answer{}}, time.Second},
	} {
		a := asking{flying: true}
		a.asked(&tc.r, hour, now)
		if tc.r.MCP.Keep != tc.want || !a.due.Equal(now.Add(tc.want)) || a.flying {
			t.Errorf("%s: kept for %s, want %s", tc.name, tc.r.MCP.Keep, tc.want)
		}
	}
	a, open := asking{}, Result{Class: ClassTimeout, MCP: &Answer{}}
	for _, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
		if a.asked(&open, 10*time.Second, now); open.MCP.Keep != want*time.Second {
			t.Errorf("left open again: kept for %s, want %d s", open.MCP.Keep, want)
		}
	}
	for text, want := range map[string]time.Duration{
		`1500`: 1500 * time.Millisecond, `0`: 0, `-1`: -1, `null`: -1, `"1"`: -1, `1e300`: keepMost, `0.5`: 500 * time.Microsecond,
	} {
		m := parseMessage([]byte(`{"jsonrpc":"2.0","id":1,"result":{"ttlMs":` + text + `}}`))
		if got := m.ttl(); got != want {
			t.Errorf("ttlMs %s is %s, want %s", text, got, want)
		}
	}
}

func TestMCPOptions(t *testing.T) {
	if errs := DefaultMCPOptions().Validate(); len(errs) > 0 {
		t.Error(errs)
	}
	errs := MCPOptions{Path: "mcp"}.Validate()
	if len(errs) != 2 || errs[0].Field != "path" || errs[1].Field != "interval" {
		t.Error(errs)
	}
	if got := DefaultMCPOptions(); got.Path != "/mcp" || got.Interval != model.Duration(time.Hour) || got.RequireMCP {
		t.Errorf("%+v", got)
	}
}

// mcp_* among the metrics is a sign of an MCP server, wherever it stands and in
// whatever format; those of mcp-sd itself are none.
func TestMCPMetrics(t *testing.T) {
	for body, want := range map[string]bool{
		page: true,
		"up 1\nmcp_server_operation_duration_seconds_count 1\n": true,
		"up 1\n# TYPE mcp_tools counter\n":                      true,
		"up 1\n{\"mcp.server.session.duration\"} 1\n":           true,
		"up 1\nmcp_sd_source_up 1\n":                            false,
		"up 1\nmcpx_a 1\nmy_mcp_a 1\nmcp 1\n":                   false,
		"up{a=\"mcp_b\"} 1\n":                                   false,
	} {
		k := serve(t, say(text004, body))
		if got := probe(t, k, spec(t, nil, asks(nil))); got.MCPMetrics != want || got.Class != ClassUp {
			t.Errorf("%q: %v %s %s", body, got.MCPMetrics, got.Class, got.Detail)
		}
		if got := probe(t, k, spec(t, nil)); got.MCPMetrics {
			t.Errorf("%q: looked for though nobody asked", body)
		}
	}
}

// Whatever comes, an answer is within its bounds and fit to be published.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{discovered, initialized, notFound, "data: " + discovered + "\n\n", "", "[", "data:\r\n\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, read := range []func(io.Reader) (message, error){readWhole, readEvents} {
			m, err := read(&limited{src: bytes.NewReader(body), left: answerLimit})
			if err != nil && m.is() {
				t.Fatal("a message, and an error")
			}
			r := response{message: m, status: 200}
			for _, a := range []Answer{r.discovered(), r.initialized()} {
				if a.Proved && a.Server.Protocol == "" || a.Proved && a.Other {
					t.Fatalf("%+v", a)
				}
				for _, s := range []string{a.Server.Name, a.Server.Version, a.Server.Protocol} {
					if s != "" && !presentable(s) {
						t.Fatalf("%q", s)
					}
				}
				if a.ttl > keepMost {
					t.Fatal(a.ttl)
				}
			}
		}
	})
}
