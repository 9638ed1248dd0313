package mcpregistry

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/sources/mcpregistry/registrytest"
	"github.com/mcp-sd/mcp-sd/sources/sourcetest"
	"github.com/mcp-sd/mcp-sd/target"
)

// part lists once and checks the form of what comes.
func part(tb testing.TB, s *source) target.Part {
	tb.Helper()
	l := s.Discover(tb.Context())
	if err := sourcetest.CheckListing(l, false); err != nil {
		tb.Error(err)
	}
	return l.Parts[0]
}

// good lists and must not fail.
func good(tb testing.TB, s *source) target.Part {
	tb.Helper()
	p := part(tb, s)
	if p.Err != nil {
		tb.Fatal(p.Err)
	}
	return p
}

// listed are name, version and URL of what a source listed last.
func listed(s *source) string {
	var all []string
	for _, r := range s.told.raws {
		all = append(all, strings.TrimPrefix(r.Identity, "com.example/")+" "+r.Labels.Get("version")+" "+r.Labels.Get(metaPrefix+"remote_url"))
	}
	return strings.Join(all, "\n")
}

// recorded plays answers of the registry's own server (1.8.9), page by page.
func recorded(tb testing.TB) *registry {
	tb.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		name := "page1.json"
		switch {
		case q.Get("updated_since") != "":
			name = "changes.json"
		case q.Get("cursor") == "io.modelcontextprotocol.anonymous/mcpsd-old:0.9.0":
			name = "page2.json"
		case q.Get("cursor") != "" || q.Get("version") != "latest":
			http.NotFound(w, r)
			return
		}
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			tb.Error(err)
		}
		_, _ = w.Write(text)
	}))
	tb.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	return &registry{tb: tb, url: srv.URL}
}

// Contract §4: every label of what the registry's own server says, over two
// pages, and that its changes change nothing there. UPDATE=1 writes them anew.
func TestRecorded(t *testing.T) {
	s := recorded(t).source(nil)
	p := good(t, s)
	var got strings.Builder
	for _, r := range p.Raw {
		got.WriteString(r.Identity + "\n")
		r.Labels.Range(func(l labels.Label) { got.WriteString("  " + l.Name + "=" + l.Value + "\n") })
	}
	for _, r := range p.Rejected {
		got.WriteString("rejected: " + r.Address + ": " + r.Reason + ": " + r.Detail + "\n")
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile("testdata/labels.txt", []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/labels.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("testdata/labels.txt (-want +got):\n%s", diff)
	}
	if p := good(t, s); !p.Unchanged || s.followed != 1 {
		t.Errorf("after its changes: %d listings of changes, %+v", s.followed, p)
	}
}

func schema(tb testing.TB) *jsonschema.Resolved {
	tb.Helper()
	text, err := os.ReadFile("testdata/serverlist.schema.json")
	if err != nil {
		tb.Fatal(err)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(text, &s); err != nil {
		tb.Fatal(err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return resolved
}

// What was recorded and what the fake says are answers by the published schema.
func TestSchema(t *testing.T) {
	answers := map[string][]byte{}
	for _, name := range []string{"page1.json", "page2.json", "changes.json"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		answers[name] = text
	}
	r := newRegistry(t, three()...)
	r.Publish(registrytest.Server{
		Name: "com.example/all", Title: "All", Version: "1", Publisher: map[string]any{"environment": "production"},
		Remotes: []registrytest.Remote{{Type: "sse", URL: "https://{a}.example.com/", Variables: map[string]any{"a": map[string]any{"description": "A"}}}},
	})
	r.SetStatus("com.example/time", "1.0.0", "deleted")
	for _, query := range []string{"", "limit=2&version=latest", "updated_since=2020-01-01T00:00:00Z&search=EXAMPLE"} {
		answers["fake?"+query] = get(t, r.url+"/v0.1/servers?"+query)
	}
	s := schema(t)
	for name, text := range answers {
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{"{}", `{"servers": null}`, `{"servers": [{}]}`, `{"servers": [], "metadata": {"next_cursor": "a"}}`} {
		var v any
		_ = json.Unmarshal([]byte(bad), &v)
		if s.Validate(v) == nil {
			t.Errorf("the schema takes %s", bad)
		}
	}
}

func get(tb testing.TB, url string) []byte {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		tb.Fatalf("status %d: %v", resp.StatusCode, err)
	}
	return text
}
