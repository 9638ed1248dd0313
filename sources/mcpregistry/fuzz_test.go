package mcpregistry

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/mcp-sd/mcp-sd/sources/sourcetest"
	"github.com/mcp-sd/mcp-sd/target"
)

// Whatever a registry answers, at first and then of changes, a part is ok or
// failed: no panic, no target with an error, no illegal label (contract §4).
func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"page1.json", "page2.json", "changes.json"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), string(text), 200)
	}
	const official = `"_meta": {"io.modelcontextprotocol.registry/official": {"status": "active", "updatedAt": "2026-01-01T00:00:00Z", "isLatest": true}}`
	f.Add(`{"servers": [{"server": {"name": "a", "version": "1", "remotes": [{"url": "https://a b/"}, {"url": "http://[::1%25z]:99999/"}]}, `+official+`}]}`,
		`{"servers": [{"server": {"name": "a", "_meta": {"io.modelcontextprotocol.registry/publisher-provided": [1]}}, `+official+`}]}`, 200)
	f.Add(`{"servers": [], "metadata": {"nextCursor": "a"}}`, `null`, 200)
	f.Add(`{"error": "x"}`, ``, 500)
	f.Fuzz(func(t *testing.T, first, second string, status int) {
		if status < 200 || status > 599 {
			return
		}
		o := Default()
		o.Server = "http://registry"
		src, err := o.New(target.Env{Source: sourcetest.SourceName})
		if err != nil {
			t.Fatal(err)
		}
		s := src.(*source)
		for _, answer := range []string{first, second} {
			s.client.http.Transport = answers{answer, status}
			l := s.Discover(t.Context())
			if err := sourcetest.CheckListing(l, false); err != nil {
				t.Error(err)
			}
			for _, r := range l.Parts[0].Raw {
				if r.Identity == "" {
					t.Errorf("a target without an identity: %s", r.Labels)
				}
			}
		}
	})
}

// answers gives one answer to everything, without a network.
type answers struct {
	body   string
	status int
}

func (a answers) RoundTrip(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	rec.WriteHeader(a.status)
	rec.WriteString(a.body)
	resp := rec.Result()
	resp.Request = req
	return resp, nil
}
