package mcpregistry

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mcp-sd/mcp-sd/sources/mcpregistry/registrytest"
	"github.com/mcp-sd/mcp-sd/sources/sourcetest"
	"github.com/mcp-sd/mcp-sd/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// registry is a fake on a port of its own.
type registry struct {
	*registrytest.Registry
	tb  testing.TB
	url string
}

func newRegistry(tb testing.TB, servers ...registrytest.Server) *registry {
	tb.Helper()
	r := &registry{Registry: &registrytest.Registry{}, tb: tb}
	srv := httptest.NewUnstartedServer(r)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.Start()
	tb.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	r.url = srv.URL
	r.Publish(servers...)
	return r
}

// source validates and builds, as main does.
func (r *registry) source(edit func(*Options)) *source { return r.logging(edit, io.Discard) }

func (r *registry) logging(edit func(*Options), logs io.Writer) *source {
	r.tb.Helper()
	o := Default()
	o.Server = r.url
	if edit != nil {
		edit(o)
	}
	for _, err := range o.Validate() {
		r.tb.Fatal(err)
	}
	s, err := o.New(target.Env{
		Source: sourcetest.SourceName, Dir: r.tb.TempDir(), Timeout: time.Minute,
		Logger: slog.New(slog.NewTextHandler(logs, nil)),
	})
	if err != nil {
		r.tb.Fatal(err)
	}
	return s.(*source)
}

// at is a server with one remote.
func at(name, version, url string) registrytest.Server {
	return registrytest.Server{Name: name, Version: version, Remotes: []registrytest.Remote{{Type: "streamable-http", URL: url}}}
}

// three are servers of different kinds, one of which is no target.
func three() []registrytest.Server {
	return []registrytest.Server{
		at("com.example/time", "1.0.0", "https://time.example.com/mcp"),
		{Name: "com.example/files", Version: "0.3.0"}, // runs on its users' machines
		at("com.example/weather", "2.1.0", "http://10.0.0.1:3000/mcp"),
		at("com.example/web", "1.0.0", "https://web.example.com/mcp"),
	}
}

// TestConformance holds registries against what every mechanism promises
// (contract §4), with a page for each server: changes are asked for in pages, too.
func TestConformance(t *testing.T) {
	for name, edit := range map[string]func(*Options){
		"latest": nil,
		"all":    func(o *Options) { o.Versions = allVersions },
	} {
		t.Run(name, func(t *testing.T) { sourcetest.Run(t, backend(false, edit)) })
	}
	t.Run("plain", func(t *testing.T) { sourcetest.Run(t, backend(true, nil)) })
}

func backend(plain bool, edit func(*Options)) sourcetest.Setup {
	return func(tb testing.TB) sourcetest.Backend {
		tb.Helper()
		r := newRegistry(tb, three()...)
		r.PageSize, r.Plain = 1, plain
		return sourcetest.Backend{
			New:    func() target.Source { return r.source(edit) },
			Change: func() { r.Publish(at("com.example/another", "1.0.0", "https://another.example.com/mcp")) },
			Empty: func() {
				for _, s := range three() {
					r.SetStatus(s.Name, s.Version, "deleted")
					if plain {
						r.Remove(s.Name, s.Version)
					}
				}
			},
			Hang:   func() { r.Fail(registrytest.Fault{Hang: true}) },
			Faults: r.faults(),
		}
	}
}

// faults are the ways in which a registry fails or answers by half.
func (r *registry) faults() []sourcetest.Fault {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"servers": [], "metadata": {"count": 0}}`))
	}))
	r.tb.Cleanup(elsewhere.Close)
	var list []sourcetest.Fault
	for name, f := range map[string]registrytest.Fault{
		"unavailable":          {Status: 503},
		"forbidden":            {Status: 403},
		"throttled":            {Status: 429, FromPage: 2},
		"no such API":          {Status: 404},
		"a page is lost":       {Status: 500, FromPage: 2},
		"cut off":              {Cut: true},
		"cut off later":        {Cut: true, FromPage: 2},
		"pages in a circle":    {Loop: true},
		"a server is missing":  {Short: true, FromPage: 2},
		"login page":           {Body: "<html><form>Log in</form></html>"},
		"login page later":     {Body: "<html/>", FromPage: 2},
		"null":                 {Body: "null"},
		"no list":              {Body: `{"metadata": {"count": 0}}`},
		"null for a list":      {Body: `{"servers": null, "metadata": {"count": 0}}`},
		"a server has no name": {Body: `{"servers": [{"server": {"version": "1"}}], "metadata": {}}`},
		"more follows":         {Body: `{"servers": [], "metadata": {}} {}`},
		"nothing":              {Body: " "},
		"redirected elsewhere": {Redirect: elsewhere.URL + "/v0.1/servers"},
	} {
		list = append(list, sourcetest.Fault{Name: name, Break: func() { r.Fail(f) }, Mend: r.Mend})
	}
	return list
}
