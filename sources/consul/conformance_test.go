package consul

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/consul/api"
	"go.uber.org/goleak"

	"github.com/mcp-sd/mcp-sd/sources/sourcetest"
	"github.com/mcp-sd/mcp-sd/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	t.Run("catalogue", func(t *testing.T) { sourcetest.Run(t, backend(nil)) })
	t.Run("catalogue with a filter", func(t *testing.T) {
		sourcetest.Run(t, backend(func(o *Options) { o.Filter = "all" }))
	})
	t.Run("named services", func(t *testing.T) { sourcetest.Run(t, backend(only("web", "db"))) })
	t.Run("exposed path", func(t *testing.T) {
		sourcetest.Run(t, backend(func(o *Options) { o.Services, o.ExposedPath = []string{"web", "db"}, "/metrics" }))
	})
	t.Run("peer", func(t *testing.T) { sourcetest.Run(t, backend(func(o *Options) { o.Peers = []string{"east"} })) })
	t.Run("agent", func(t *testing.T) { sourcetest.Run(t, backend(func(o *Options) { o.Agent = true })) })
	t.Run("named services of an agent", func(t *testing.T) {
		sourcetest.Run(t, backend(func(o *Options) { o.Agent, o.Services = true, []string{"web", "db"} }))
	})
}

// behind gives the conformance suite a fleet that each mode finds something in:
// instances that are proxies, too, here and imported from a peer.
func behind(edit func(*Options)) *fake {
	o := Default()
	if edit != nil {
		edit(o)
	}
	of := func(e *api.ServiceEntry) {
		if o.ExposedPath != "" {
			exposing(e.Service.Service, o.ExposedPath, 21500)(e)
		}
		if len(o.Peers) > 0 {
			e.Node.PeerName = o.Peers[0]
		}
	}
	f := newFake(instance("web", "a", of), instance("web", "b", of), instance("db", "c", of))
	f.filters = map[string]func(*api.ServiceEntry) bool{"all": func(*api.ServiceEntry) bool { return true }}
	f.streaming = false // under which a leader's loss is noticed only when the wait is over
	f.peerings = map[string]*api.Peering{"east": active("web", "db")}
	f.add = of
	return f
}

// backend is the fake behind a real HTTP server.
func backend(edit func(*Options)) sourcetest.Setup {
	return func(tb testing.TB) sourcetest.Backend {
		tb.Helper()
		f := behind(edit)
		srv := httptest.NewServer(f)
		tb.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
		const interval = 50 * time.Millisecond
		return sourcetest.Backend{
			New: func() target.Source {
				o := Default()
				o.Server, o.Token = srv.URL, "t"
				if edit != nil {
					edit(o)
				}
				s, err := o.New(target.Env{Source: sourcetest.SourceName, RefreshInterval: interval, Timeout: 10 * time.Second, Logger: discard})
				if err != nil {
					tb.Fatal(err)
				}
				if watcher, ok := s.(*Source); ok {
					watcher.backOff = func() backoff.BackOff { return backoff.NewConstantBackOff(20 * time.Millisecond) }
				}
				return s
			},
			Interval: interval,
			Change:   func() { f.set(instance("web", "d", f.add)) },
			Empty: func() {
				f.remove("web", "a", "b")
				f.remove("db", "c")
			},
			Hang: func() {
				f.wake(func() {
					f.fault = func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
				})
			},
			Faults: append(leaderFaults(f, edit), []sourcetest.Fault{
				f.breaks("status 500", func() { f.fault = status(500) }),
				f.breaks("one service fails", func() { f.fault = onSuffix("/web", status(500)) }),
				f.breaks("cut off", func() { f.edit = cut(1, 2) }),
				f.breaks("cut off after one instance", func() {
					f.edit = func(path string, b []byte) []byte {
						if strings.HasSuffix(path, "/web") {
							return cutAfterFirst(path, b)
						}
						return b
					}
				}),
				f.breaks("filtered by ACLs", func() {
					f.acl = func(_ string, e *api.ServiceEntry) bool { return e.Service.ID != "a" }
				}),
				f.breaks("a whole service filtered by ACLs", func() {
					f.acl = func(_ string, e *api.ServiceEntry) bool { return e.Service.Service != "web" }
				}),
				f.breaks("closed connections", func() {
					f.fault = func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
				}),
			}...),
		}
	}
}

// leaderFaults are those of who needs a leader: an agent alone does not.
func leaderFaults(f *fake, edit func(*Options)) []sourcetest.Fault {
	o := Default()
	if edit != nil {
		edit(o)
	}
	if o.Agent {
		return nil
	}
	return []sourcetest.Fault{
		f.breaks("no leader", func() { f.noLeader = true }),
		f.breaks("stale", func() { f.lastContact = time.Minute }),
	}
}

// onSuffix breaks what is asked about paths that end so.
func onSuffix(suffix string, fault func(http.ResponseWriter, *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, suffix) && fault(w, r)
	}
}

// breaks is a fault that ends standing queries, and is mended without a word:
// recovery must not need a change.
func (f *fake) breaks(name string, how func()) sourcetest.Fault {
	return sourcetest.Fault{
		Name:  name,
		Break: func() { f.wake(how) },
		Mend: func() {
			f.lock(func() { f.fault, f.edit, f.acl, f.noLeader, f.lastContact = nil, nil, nil, false, 0 })
		},
	}
}
