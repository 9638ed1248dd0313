package metrics

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestNormalised(t *testing.T) {
	for path, want := range map[string]string{
		"/":                                       "/",
		"/documents/42":                           "/documents/{id}",
		"/documents/42/pages/7":                   "/documents/{id}/pages/{id}",
		"/documents/v2":                           "/documents/v2",
		"/u/507f1f77bcf86cd799439011":             "/u/{id}",
		"/u/507F1F77BCF86CD799439011/x":           "/u/{id}/x",
		"/u/507f1f77bcf86cd79943901g":             "/u/507f1f77bcf86cd79943901g",
		"/u/507f1f77bcf86cd79943901":              "/u/507f1f77bcf86cd79943901",
		"/s/3f2504e0-4f89-11d3-9a0c-0305e82c3301": "/s/{id}",
		"/s/3F2504E0-4F89-11D3-9A0C-0305E82C3301": "/s/{id}",
		"/s/3f2504e04f89-11d3-9a0c-0305e82c33011": "/s/3f2504e04f89-11d3-9a0c-0305e82c33011",
		"/a/1/b/2/c/3/d/4":                        "/a/{id}/b/{id}/c/{id}/d/{id}",
		"/a/1/b/2/c/3/d/4/e":                      Other,
		"/" + strings.Repeat("x", 600):            Other,
		"*":                                       Other,
		"":                                        Other,
	} {
		if got := normalised(path); got != want {
			t.Errorf("%s became %s, want %s", path, got, want)
		}
	}
}

// serve asks a handler behind the middleware over a real connection.
func serve(t *testing.T, m *Metrics, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(m.HTTP(h))
	t.Cleanup(s.Close)
	return s
}

func ask(t *testing.T, s *httptest.Server, method, path string, body io.Reader) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRoutes(t *testing.T) {
	mux := http.NewServeMux()
	nothing := func(http.ResponseWriter, *http.Request) {}
	mux.HandleFunc("GET /documents/{id}", nothing)
	mux.HandleFunc("/files/", nothing)
	withRest := http.NewServeMux()
	withRest.HandleFunc("/", nothing)
	for _, c := range []struct {
		router       http.Handler
		method, path string
		route, code  string
	}{
		{mux, "GET", "/documents/anything-at-all", "/documents/{id}", "200"},
		{mux, "GET", "/files/a/b/c", "/files/", "200"},
		{mux, "GET", "/no-such-page", Other, "404"},
		{mux, "POST", "/documents/42", Other, "405"},
		{mux, "BREW", "/files/a", "/files/", "200"},
		{http.HandlerFunc(nothing), "GET", "/orders/42", "/orders/{id}", "200"},
		{withRest, "GET", "/orders/42", "/orders/{id}", "200"},
		{withRest, "GET", "/", "/", "200"},
	} {
		m := New(Options{})
		ask(t, serve(t, m, c.router), c.method, c.path, nil)
		method := c.method
		if method == "BREW" {
			method = Other
		}
		if value(t, m, "mcp_http_requests_total", "method", method, "route", c.route, "status_code", c.code) != 1 {
			t.Errorf("%s %s is not counted as %s %s", c.method, c.path, c.route, c.code)
		}
	}
}

// A scan for pages can use up the places of unknown paths, never those of the
// router's own routes.
func TestScannerCannotCrowdOutRoutes(t *testing.T) {
	m := New(Options{})
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /late/{id}", func(http.ResponseWriter, *http.Request) {})
	s := serve(t, m, mux)
	for i := range 2 * maxRoutes {
		ask(t, s, "GET", fmt.Sprintf("/scan-%d", i), nil)
	}
	ask(t, s, "GET", "/late/1", nil)
	if got := value(t, m, "mcp_http_requests_total", "route", Other); got != maxRoutes {
		t.Errorf("%v of %d unknown paths are %s, want %d", got, 2*maxRoutes, Other, maxRoutes)
	}
	if got := value(t, m, "mcp_http_requests_total", "route", "/late/{id}"); got != 1 {
		t.Errorf("the router's own route has %v requests, want 1", got)
	}
}

func TestSizesAndStatus(t *testing.T) {
	m := New(Options{})
	s := serve(t, m, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusEarlyHints) // is not the status yet
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write(make([]byte, 3000))
	}))
	ask(t, s, "POST", "/a", strings.NewReader(strings.Repeat("x", 1234)))
	ask(t, s, "POST", "/a", struct{ io.Reader }{strings.NewReader(strings.Repeat("x", 766))}) // chunked
	if got := value(t, m, "mcp_http_requests_total", "status_code", "418"); got != 2 {
		t.Errorf("%v answers with 418, want 2", got)
	}
	if got := sum(t, m, "mcp_http_request_size_bytes"); got != 2000 {
		t.Errorf("requests had %v bytes, want 2000", got)
	}
	if got := sum(t, m, "mcp_http_response_size_bytes"); got != 6000 {
		t.Errorf("answers had %v bytes, want 6000", got)
	}
}

func TestPanicIsA500(t *testing.T) {
	m := New(Options{})
	ask(t, serve(t, m, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })), "GET", "/a", nil)
	if got := value(t, m, "mcp_http_requests_total", "status_code", "500"); got != 1 {
		t.Errorf("%v answers with 500, want 1", got)
	}
}

// An event stream arrives while it is open, and its duration ends with its
// beginning; any other request's with its end.
func TestEventStream(t *testing.T) {
	m := New(Options{})
	more := make(chan struct{})
	s := serve(t, m, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n")
		w.(http.Flusher).Flush()
		<-more
		_, _ = io.WriteString(w, "data: 2\n")
		_ = http.NewResponseController(w).Flush()
	}))
	resp, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	if !lines.Scan() || lines.Text() != "data: 1" {
		t.Fatalf("while it is open: %q", lines.Text())
	}
	close(more)
	if !lines.Scan() || lines.Text() != "data: 2" {
		t.Fatalf("later: %q", lines.Text())
	}
}

func TestDurations(t *testing.T) {
	for _, c := range []struct {
		method, mcpMethod, contentType string
		want                           float64
	}{
		{"GET", "", "text/event-stream", 0.5},
		{"GET", "", "text/plain", 60.5},
		{"POST", "", "text/event-stream", 60.5},
		{"POST", "tools/call", "text/event-stream", 60.5},
		{"POST", "subscriptions/listen", "text/event-stream", 0.5},
		{"POST", "subscriptions/listen", "application/json", 60.5},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := New(Options{})
			h := m.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(500 * time.Millisecond)
				w.Header().Set("Content-Type", c.contentType)
				w.WriteHeader(http.StatusOK)
				time.Sleep(time.Minute)
			}))
			r := httptest.NewRequest(c.method, "/", nil)
			if c.mcpMethod != "" {
				r.Header.Set("Mcp-Method", c.mcpMethod)
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
			if got := sum(t, m, "mcp_http_request_duration_seconds"); got != c.want {
				t.Errorf("%s %s with %s took %v s, want %v", c.method, c.mcpMethod, c.contentType, got, c.want)
			}
		})
	}
}
