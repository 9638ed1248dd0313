package consul

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"
)

// Contract §4: answers that may be stale, short or cut off are failures, in a
// watch and in a single question, and never a short list.
func TestUntrustworthyAnswersFail(t *testing.T) {
	for _, c := range []struct {
		name  string
		lie   func(f *fake)
		parts string // that fail
		why   string
	}{
		{"no leader", func(f *fake) { f.noLeader = true }, "db web :catalog", "knows no leader"},
		{"stale", func(f *fake) { f.lastContact = 31 * time.Second }, "db web :catalog", "31s ago, and max_stale is 30s"},
		{"status 500", func(f *fake) { f.fault = status(500) }, "db web :catalog", "status 500: refused by the test"},
		{"status 403", func(f *fake) { f.fault = status(403) }, "db web :catalog", "check token or token_file"},
		{"status 429", func(f *fake) { f.fault = status(429) }, "db web :catalog", "http_max_conns_per_client"},
		{"cut off", func(f *fake) { f.edit = cut(2, 3) }, "db web :catalog", "the answer can't be read"},
		{"cut off after one of two", func(f *fake) { f.edit = cutAfterFirst }, "web", "ends in the middle"},
		{"null", func(f *fake) { f.edit = func(string, []byte) []byte { return []byte("null") } }, "db web :catalog", "null"},
		{"a login page", func(f *fake) { f.edit = func(string, []byte) []byte { return []byte("<html>") } }, "db web :catalog", "can't be read"},
		{"an entry without a node", func(f *fake) {
			f.edit = func(path string, b []byte) []byte { return bytes.Replace(b, []byte(`"Node":{`), []byte(`"Knot":{`), 1) }
		}, "db web", "lacks its Node"},
		{"filtered by ACLs", func(f *fake) {
			f.acl = func(_ string, e *api.ServiceEntry) bool { return e.Service.ID != "a" }
		}, "web", `service:read on "web" and node:read`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(instance("web", "a"), instance("web", "b"), instance("db", "c"))
				f.streaming = false
				withToken := func(o *Options) { o.Token = "t" }
				s := build(t, withToken, f)
				next := watching(t, s)
				expect(t, next(), "local/db: c; local/web: a b; local:catalog:")
				f.wake(func() { c.lie(f) })
				l := next()
				failed := ""
				for _, p := range l.Parts {
					if p.Err != nil {
						failed += strings.TrimLeft(strings.TrimPrefix(p.Name, localName), "/") + " "
					} else if !p.Unchanged {
						t.Errorf("%s is neither failed nor unchanged: %d instances", p.Name, len(p.Raw))
					}
				}
				if strings.TrimSpace(failed) != c.parts || !strings.Contains(errorsOf(l), c.why) {
					t.Errorf("failed: %q, want %q with %q:\n%s", failed, c.parts, c.why, errorsOf(l))
				}
				if once := s.Discover(t.Context()); !once.Failed() || !strings.Contains(errorsOf(once), c.why) {
					t.Errorf("asked once: %s\n%s", say(once), errorsOf(once))
				}
			})
		})
	}
}

func cut(n, of int) func(string, []byte) []byte {
	return func(_ string, b []byte) []byte { return b[:len(b)*n/of] }
}

// cutAfterFirst leaves one whole instance of several.
func cutAfterFirst(_ string, b []byte) []byte {
	for _, next := range []string{`},{"Node":{`, `},{"AggregatedStatus":`} {
		if i := bytes.Index(b, []byte(next)); i > 0 {
			return b[:i+1]
		}
	}
	return b
}

// A streamed answer tells nothing of leader, age and ACLs (agents since Consul
// 1.10): it may add and change at once, but what it lacks is asked for plainly.
func TestStreamedAnswersDoNotShorten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"), instance("web", "b"))
		next := watching(t, build(t, func(o *Options) { o.Services, o.Token = []string{"web"}, "t" }, f))
		expect(t, next(), "local/web: a b")
		f.set(instance("web", "c"))
		expect(t, next(), "local/web: a b c")
		f.remove("web", "c")
		expect(t, next(), "local/web: a b")
		f.wake(func() { f.acl = func(_ string, e *api.ServiceEntry) bool { return e.Service.ID != "a" } })
		l := next()
		expect(t, l, "local/web: failed")
		if !strings.Contains(errorsOf(l), "ACLs") {
			t.Error(errorsOf(l))
		}
		f.wake(func() { f.acl = nil })
		expectSoon(t, next, 4*time.Second, "local/web: a b")
	})
}

// While an agent streams, the leader is asked after with every wait that ends.
func TestStreamedViewIsVouchedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"))
		next := watching(t, build(t, only("web"), f))
		next()
		f.lock(func() { f.noLeader = true })
		began := time.Now()
		for l := next(); !l.Failed(); l = next() {
			if time.Since(began) > waitLimit {
				t.Fatal("a lost leader was not noticed")
			}
		}
	})
}

// After a failure the next question waits for nothing: what was said before it
// must be said again.
func TestRecoveryNeedsNoChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"))
		f.streaming = false
		next := watching(t, build(t, nil, f))
		next()
		f.lock(func() { f.noLeader = true })
		for say(next()) != "local/web: failed; local:catalog: failed" {
		}
		f.lock(func() { f.noLeader = false })
		for began := time.Now(); ; {
			if l := next(); !l.Failed() {
				break
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Fatalf("still failed after %s", took)
			}
		}
	})
}

// Contract §4: on the catalogue, ACLs are a failure only where a service is
// missing that was listed before; otherwise they are worth one warning.
func TestFilteredCatalog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"), instance("db", "b"), instance("secret", "c"))
		hidden := map[string]bool{"secret": true}
		f.acl = func(_ string, e *api.ServiceEntry) bool { return !hidden[e.Service.Service] }
		s := build(t, func(o *Options) { o.Token = "t" }, f)
		log := logOf(s)
		next := watching(t, s)
		expect(t, next(), "local/db: b; local/web: a; local:catalog:")
		f.wake(func() {})
		expect(t, next(), "local/db: unchanged; local/web: unchanged; local:catalog: unchanged")
		if n := strings.Count(log.String(), "leave services out"); n != 1 {
			t.Errorf("%d warnings, want one:\n%s", n, log)
		}
		// A service that ends is no missing one, even under such a token.
		f.remove("db", "b")
		expect(t, next(), "local/db:; local/web: unchanged; local:catalog: unchanged")

		f.wake(func() { hidden["web"] = true })
		l := next()
		expect(t, l, "local/web: failed; local:catalog: failed")
		if want := "web was listed before"; !strings.Contains(errorsOf(l), want) {
			t.Errorf("%s\nwant: %s", errorsOf(l), want)
		}
	})
}

// A source that was built anew, after a restart or a reload and in each --once,
// misses what it was told of: Discover and Watch fail alike, ask for what the
// token may still read, and list it (contract §4).
func TestFilteredCatalogAfterRestart(t *testing.T) {
	withToken := func(o *Options) { o.Token = "t" }
	start := func() (*fake, map[string]bool) {
		f := newFake(instance("web", "a"), instance("db", "b"))
		hidden := map[string]bool{"web": true}
		f.acl = func(_ string, e *api.ServiceEntry) bool { return !hidden[e.Service.Service] }
		return f, hidden
	}
	known := []string{"local/web", "local/db", "local:catalog", "elsewhere/x", "local/"}
	synctest.Test(t, func(t *testing.T) {
		f, hidden := start()
		s := build(t, withToken, f)
		s.Know(known)
		for range 2 {
			expect(t, s.Discover(t.Context()), "local/db: b; local/web: failed; local:catalog: failed")
		}
		f.set(instance("new", "c")) // one failed part touches no other
		expect(t, s.Discover(t.Context()), "local/db: b; local/new: c; local/web: failed; local:catalog: failed")
		delete(hidden, "web")
		expect(t, s.Discover(t.Context()), "local/db: b; local/new: c; local/web: a; local:catalog:")
	})
	synctest.Test(t, func(t *testing.T) {
		f, hidden := start()
		s := build(t, withToken, f)
		s.Know(known)
		next := watching(t, s)
		expectSoon(t, next, time.Second, "local/db: b; local/web: failed; local:catalog: failed")
		f.set(instance("new", "c"))
		expectSoon(t, next, testInterval, "local/db: unchanged; local/new: c; local/web: failed; local:catalog: failed")
		f.wake(func() { delete(hidden, "web") })
		last := ""
		for began := time.Now(); time.Since(began) < 5*testInterval; {
			last = say(next())
		}
		if want := "local/db: unchanged; local/new: unchanged; local/web: unchanged; local:catalog: unchanged"; last != want {
			t.Errorf("with the rights back: %q, want %q", last, want)
		}
	})
	t.Run("unreadable", func(t *testing.T) { // then each is asked for by name
		synctest.Test(t, func(t *testing.T) {
			f := newFake(instance("web", "a"), instance("db", "b"))
			f.fault = on("/v1/catalog/services", status(500))
			s := build(t, withToken, f)
			s.Know(known)
			expect(t, s.Discover(t.Context()), "local/db: b; local/web: a; local:catalog: failed")
			again := build(t, withToken, f)
			again.Know(known)
			expectSoon(t, watching(t, again), time.Second, "local/db: b; local/web: a; local:catalog: failed")
		})
	})
}

// What was known and has really ended, or is not selected any more, is no
// missing service: it is simply not among the parts.
func TestKnownServicesMayEnd(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Options)
		want string
	}{
		{"ended", nil, "local/db: b; local/web: a; local:catalog:"},
		{"another pattern", func(o *Options) { o.ServiceRegex = "d.*" }, "local/db: b; local:catalog:"},
		{"another tag", func(o *Options) { o.Tags = []string{"green"} }, "local:catalog:"},
	} {
		for _, filtered := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(instance("web", "a"), instance("db", "b"), instance("secret", "c"))
				if filtered {
					f.acl = func(_ string, e *api.ServiceEntry) bool { return e.Service.Service != "secret" }
				} else {
					f.remove("secret", "c")
				}
				withToken := func(o *Options) {
					o.Token = "t"
					if c.edit != nil {
						c.edit(o)
					}
				}
				known := []string{"local/web", "local/db", "local/ended"}
				s := build(t, withToken, f)
				s.Know(known)
				expect(t, s.Discover(t.Context()), c.want)
				s = build(t, withToken, f)
				s.Know(known)
				expect(t, watching(t, s)(), c.want)
			})
		}
	}
}

// Contract §4: without a token Consul does not tell that it left things out, so
// that an empty first answer warns, once.
func TestEmptyAnswerWithoutToken(t *testing.T) {
	for _, c := range []struct {
		name, policy string
		edit         func(*Options)
		warnings     int
	}{
		{"anonymous, catalogue", "deny", nil, 1},
		{"anonymous, services", "deny", only("web", "db"), 1},
		{"with a token", "deny", func(o *Options) { o.Token = "t" }, 0},
		{"where all may read", "allow", nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.policy = c.policy
				s := build(t, c.edit, f)
				log := logOf(s)
				for range 3 {
					if l := s.Discover(t.Context()); l.Failed() {
						t.Error(errorsOf(l))
					}
				}
				if n := strings.Count(log.String(), "no token is set"); n != c.warnings {
					t.Errorf("%d warnings, want %d:\n%s", n, c.warnings, log)
				}
			})
		})
	}
}

// The least that a token needs for a named service is service:read on it and
// node:read: nothing else is asked for (contract §4).
func TestNamedServicesNeedNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"))
		f.fault = func(w http.ResponseWriter, r *http.Request) bool {
			return !strings.HasPrefix(r.URL.Path, "/v1/health/service/web") && status(403)(w, r)
		}
		s := build(t, func(o *Options) { o.Services, o.Tags = []string{"web"}, []string{"mcp"} }, f)
		l := s.Discover(t.Context())
		expect(t, l, "local/web: a")
		if got := l.Parts[0].Raw[0].Labels.Get("__meta_consul_dc"); got != "dc1" {
			t.Errorf("datacenter %q, want dc1, as the answer says", got)
		}
		expect(t, watching(t, s)(), "local/web: a")
	})
}

// logOf makes s log into a buffer.
func logOf(s *Source) *bytes.Buffer {
	var b bytes.Buffer
	s.log = slog.New(slog.NewTextHandler(&b, nil))
	return &b
}
