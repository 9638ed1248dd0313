package consul

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/mcp-sd/mcp-sd/target"
)

// Contract §4, servers: the next one answers where one fails, and is asked
// from then on.
func TestFailover(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(http.ResponseWriter, *http.Request) bool
	}{
		{"status 500", status(500)},
		{"too many connections", status(429)},
		{"silent", func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("X-Consul-KnownLeader", "true")
			_, _ = w.Write([]byte(`[{"Node":`))
			return true
		}},
		{"no leader", func(w http.ResponseWriter, _ *http.Request) bool { _, _ = w.Write([]byte(`[]`)); return true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				one, two := newFake(instance("web", "a")), newFake(instance("web", "a"))
				one.fault = c.fault
				s := build(t, only("web"), one, two)
				expect(t, s.Discover(t.Context()), "local/web: a")
				expect(t, s.Discover(t.Context()), "local/web: a")
				if n := len(one.questions("/")); n != 1 {
					t.Errorf("the broken server was asked %d times, want once", n)
				}
				two.lock(func() { two.fault = c.fault })
				one.lock(func() { one.fault = nil })
				expect(t, s.Discover(t.Context()), "local/web: a")
				one.lock(func() { one.fault = c.fault })
				l := s.Discover(t.Context())
				if text := errorsOf(l); !strings.Contains(text, "asking server-0:8500 for") || !strings.Contains(text, "asking server-1:8500 for") {
					t.Errorf("both servers fail: %s: %s", say(l), text)
				}
			})
		})
	}
}

// A refusal that every server would repeat is no reason to ask another.
func TestNoFailoverForRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := newFake(instance("web", "a")), newFake(instance("web", "a"))
		one.fault = status(403)
		s := build(t, only("web"), one, two)
		expect(t, s.Discover(t.Context()), "local/web: failed")
		if n := len(two.questions("/")); n != 0 {
			t.Errorf("the other server was asked %d times", n)
		}
	})
}

// A watch moves on to the next server without a gap, and does not take the
// index of one for that of the other.
func TestWatchFailsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := newFake(instance("web", "a")), newFake(instance("web", "a"), instance("web", "b"))
		next := watching(t, build(t, only("web"), one, two))
		expect(t, next(), "local/web: a")
		one.wake(func() { one.fault = status(500) })
		expectSoon(t, next, time.Second, "local/web: a b")
		two.set(instance("web", "c"))
		expectSoon(t, next, time.Second, "local/web: a b c")
		if got := two.questions("/")[0].index; got != "" {
			t.Errorf("the second server was asked from index %q of the first", got)
		}
	})
}

// An agent of another datacenter that takes over is asked for the datacenter
// that was listed before.
func TestFailoverStaysInTheDatacenter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		elsewhere := instance("web", "x", func(e *api.ServiceEntry) { e.Node.Datacenter = "dc2" })
		one, two := newFake(instance("web", "a")), newFake(instance("web", "a"), elsewhere)
		s := build(t, only("web"), one, two)
		expect(t, s.Discover(t.Context()), "local/web: a")
		one.lock(func() { one.fault = status(500) })
		expect(t, s.Discover(t.Context()), "local/web: a")
	})
}

// token_file is read for every question; while it can't be, its parts fail.
func TestTokenFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "token")
		write := func(token string) {
			if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("one\n")
		f := newFake(instance("web", "a"))
		s := build(t, func(o *Options) { o.Services, o.TokenFile = []string{"web"}, path }, f)
		for _, token := range []string{"one", "two"} {
			write(token)
			expect(t, s.Discover(t.Context()), "local/web: a")
			if asked := f.questions("/"); asked[len(asked)-1].token != token {
				t.Errorf("asked with token %q, want %q", asked[len(asked)-1].token, token)
			}
		}
		write(" ")
		if l := s.Discover(t.Context()); !strings.Contains(errorsOf(l), "is empty") {
			t.Errorf("empty file: %s: %s", say(l), errorsOf(l))
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if l := s.Discover(t.Context()); !strings.Contains(errorsOf(l), "token_file: reading the token") {
			t.Errorf("no file: %s: %s", say(l), errorsOf(l))
		}
		write("three")
		expect(t, s.Discover(t.Context()), "local/web: a")
	})
}

// TestRequests looks at what arrives at a real server: address, path, TLS
// settings and credentials are those of the options.
func TestRequests(t *testing.T) {
	var got *http.Request
	f := newFake(instance("web/x y", "a"))
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Clone(r.Context())
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/consul")
		f.ServeHTTP(w, r)
	})
	plain, tls := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer plain.Close()
	defer tls.Close()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	unix := httptest.NewUnstartedServer(handler)
	unix.Listener.Close()
	unix.Listener = listener
	unix.Start()
	defer unix.Close()

	for _, c := range []struct {
		name string
		edit func(*Options)
	}{
		{"host and port", func(o *Options) { o.Server = plain.Listener.Addr().String() }},
		{"URL", func(o *Options) { o.Server = plain.URL }},
		{"Unix socket", func(o *Options) { o.Server = "unix://" + socket }},
		{"TLS", func(o *Options) {
			o.Server, o.Scheme = tls.Listener.Addr().String(), "https"
			o.HTTPClientConfig.TLSConfig.InsecureSkipVerify = true
		}},
		{"path_prefix", func(o *Options) { o.Server, o.PathPrefix = plain.Listener.Addr().String(), "/consul" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := build(t, func(o *Options) {
				o.Services, o.Tags = []string{"web/x y"}, []string{"mcp", "blue"}
				o.Token, o.Username, o.Password = "secret", "user", "pass"
				o.Datacenter, o.Namespace, o.Partition = "dc1", "ns", "part"
				o.NodeMeta = map[string]string{"rack": "r1"}
				c.edit(o)
			})
			expect(t, s.Discover(t.Context()), "dc1/web/x y: a")
			user, pass, _ := got.BasicAuth()
			q := got.URL.Query()
			for _, pair := range [][2]string{
				{got.Header.Get("X-Consul-Token"), "secret"},
				{user + ":" + pass, "user:pass"},
				{q.Get("dc"), "dc1"},
				{q.Get("ns"), "ns"},
				{q.Get("partition"), "part"},
				{strings.Join(q["tag"], " "), "mcp blue"},
				{q.Get("node-meta"), "rack:r1"},
				{got.URL.EscapedPath(), s.opts.PathPrefix + "/v1/health/service/web/x%20y"},
			} {
				if pair[0] != pair[1] {
					t.Errorf("arrived: %q, want %q", pair[0], pair[1])
				}
			}
			if !q.Has("stale") {
				t.Error("allow_stale was not asked for")
			}
		})
	}
}

// A body that ends before its Content-Length is no answer (contract §4).
func TestTruncatedBody(t *testing.T) {
	f := newFake(instance("web", "a"))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		f.ServeHTTP(rec, r)
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write(rec.Body.Bytes())
	}))
	defer srv.Close()
	l := build(t, func(o *Options) { o.Server, o.Services = srv.URL, []string{"web"} }).Discover(t.Context())
	expect(t, l, "local/web: failed")
	if !strings.Contains(errorsOf(l), "reading the answer: unexpected EOF") {
		t.Error(errorsOf(l))
	}
}

// A missing file is an error that no waiting mends.
func TestNewNeedsItsFiles(t *testing.T) {
	o := Default()
	o.TokenFile = "token"
	_, err := o.New(target.Env{Dir: t.TempDir()})
	if err == nil || !strings.HasPrefix(err.Error(), "token_file: reading the token: open /") {
		t.Errorf("got %v, want an error with the resolved path", err)
	}
}
