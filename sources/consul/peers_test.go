package consul

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"
)

// active is a peering that works and imports these services.
func active(services ...string) *api.Peering {
	heard := time.Now()
	return &api.Peering{State: api.PeeringStateActive, StreamStatus: api.PeeringStreamStatus{ImportedServices: services, LastHeartbeat: &heard}}
}

// from imports an instance from a peer in another datacenter.
func from(peer string) func(*api.ServiceEntry) {
	return func(e *api.ServiceEntry) {
		e.Node.PeerName, e.Service.PeerName, e.Node.Datacenter = peer, peer, "dc-"+peer
	}
}

func withPeers(peers ...string) func(*Options) { return func(o *Options) { o.Peers = peers } }

// What a peer exports is listed beside the cluster's own, by the peer's names,
// and followed like it.
func TestPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"), instance("web", "b", from("east")), instance("db", "c", from("east")), instance("web", "d", from("west")))
		f.peerings = map[string]*api.Peering{"east": active("db", "web"), "west": active("web")}
		s := build(t, withPeers("west", "east"), f)
		const all = "local/web: a; local:catalog:; peer:east/db: c; peer:east/web: b; peer:east:catalog:; peer:west/web: d; peer:west:catalog:"
		l := s.Discover(t.Context())
		expect(t, l, all)
		got := l.Parts[3].Raw[0].Labels
		if got.Get("__meta_consul_peer") != "east" || got.Get("__meta_consul_dc") != "dc-east" || got.Get("region") != "dc-east" {
			t.Errorf("imported from east: %v", got)
		}
		if own := l.Parts[0].Raw[0].Labels; own.Has("__meta_consul_peer") {
			t.Errorf("its own: %v", own)
		}
		next := watching(t, s)
		expect(t, next(), all)
		f.set(instance("web", "e", from("east")))
		expectSoon(t, next, 10*time.Millisecond, "local/web: unchanged; local:catalog: unchanged; peer:east/db: unchanged; peer:east/web: b e; peer:east:catalog: unchanged; peer:west/web: unchanged; peer:west:catalog: unchanged")
		f.remove("db", "c")
		f.lock(func() { f.peerings["east"] = active("web", "new") })
		f.set(instance("new", "n", from("east")))
		for range 10 {
			if l = next(); !slices.ContainsFunc(strings.Split(say(l), "; "), func(p string) bool { return strings.HasPrefix(p, "peer:east/db") }) {
				break
			}
		}
		if text := say(l); l.Failed() || strings.Contains(text, "peer:east/db") || !strings.Contains(text, "peer:east/new") {
			t.Error(text)
		}
		if n := len(f.questions("/v1/peering/east")); n > 5 {
			t.Errorf("the state of the peer was asked for %d times", n)
		}
	})
}

func TestPeersSelection(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Options)
		want string
	}{
		{"services", only("web", "nope"), "local/nope:; local/web: a; peer:east/nope:; peer:east/web: b; peer:east:catalog:"},
		{"service_regex", func(o *Options) { o.ServiceRegex = "d." }, "local:catalog:; peer:east/db: c; peer:east:catalog:"},
		{"tags", func(o *Options) { o.Services, o.Tags = []string{"web"}, []string{"green"} }, "local/web:; peer:east/web: b; peer:east:catalog:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				green := func(e *api.ServiceEntry) { e.Service.Tags = []string{"green"} }
				f := newFake(instance("web", "a"), instance("web", "b", from("east"), green), instance("db", "c", from("east")))
				f.peerings = map[string]*api.Peering{"east": active("default/db", "web")}
				s := build(t, func(o *Options) { o.Peers = []string{"east"}; c.edit(o) }, f)
				expect(t, s.Discover(t.Context()), c.want)
				expect(t, watching(t, s)(), c.want)
			})
		})
	}
}

// Contract §4: Consul answers "none" for a peer that it does not know, and
// forgets what a peer exported when the peering ends. None of that shortens a
// listing: the peering has to be in order for an instance to be gone.
func TestPeerUntrustworthy(t *testing.T) {
	state := func(state api.PeeringState) func(*fake) {
		return func(f *fake) { f.peerings["east"].State = state }
	}
	for _, c := range []struct {
		name  string
		broke func(f *fake)
		why   string
	}{
		{"unknown", func(f *fake) { delete(f.peerings, "east") }, `the state of the peer "east": status 404: Peering not found`},
		{"failing", state(api.PeeringStateFailing), `the peering with "east" is FAILING and not ACTIVE`},
		{"terminated", state(api.PeeringStateTerminated), "is TERMINATED"},
		{"no state", state(""), "is in no state"},
		{"not heard of", func(f *fake) { f.peerings["east"].StreamStatus.LastHeartbeat = nil }, "has not heard from the peer"},
		{"may not be read", func(f *fake) { f.fault = on("/v1/peering", status(403)) }, "it needs peering:read"},
		{"without a leader", func(f *fake) { f.noLeader = true }, "knows no leader"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(instance("web", "a", from("east")), instance("web", "b", from("east")))
				f.peerings = map[string]*api.Peering{"east": active("web")}
				f.streaming = false
				s := build(t, func(o *Options) { o.Peers, o.Services = []string{"east"}, []string{"web"} }, f)
				next := watching(t, s)
				expect(t, next(), "local/web:; peer:east/web: a b; peer:east:catalog:")
				f.lock(func() { c.broke(f) })
				f.remove("web", "b")
				l := next()
				for !strings.Contains(say(l), "peer:east/web: failed") {
					if strings.Contains(say(l), "peer:east/web: a") {
						t.Fatal(say(l))
					}
					l = next()
				}
				if !strings.Contains(errorsOf(l), c.why) {
					t.Errorf("%s, want %q", errorsOf(l), c.why)
				}
				fresh := build(t, func(o *Options) { o.Peers, o.Services = []string{"east"}, []string{"web"} }, f).Discover(t.Context())
				if !fresh.Failed() || !strings.Contains(errorsOf(fresh), c.why) {
					t.Errorf("asked once: %s\n%s", say(fresh), errorsOf(fresh))
				}
				f.lock(func() {
					f.fault, f.noLeader, f.peerings["east"] = nil, false, active("web")
				})
				listed := false // the catalogue and the service recover in either order
				for strings.Contains(say(l), "failed") || !listed {
					l = next()
					listed = listed || strings.Contains(say(l), "peer:east/web: a")
				}
			})
		})
	}
}

// Rights on imported services are asked for as Consul grants them.
func TestPeerFiltered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a", from("east")))
		f.peerings = map[string]*api.Peering{"east": active("web")}
		f.acl = func(string, *api.ServiceEntry) bool { return false }
		l := build(t, func(o *Options) { o.Peers, o.Token = []string{"east"}, "t" }, f).Discover(t.Context())
		if !strings.Contains(errorsOf(l), `service_prefix "" and node_prefix ""`) {
			t.Error(errorsOf(l))
		}
	})
}

// Contract §4, servers: the datacenter to stay in is the cluster's own, whatever
// those of its peers are called.
func TestPeersFailoverStaysInTheDatacenter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := newFake(instance("web", "b", from("east"))), newFake()
		one.peerings = map[string]*api.Peering{"east": active("web")}
		s := build(t, withPeers("east"), one, two)
		expect(t, s.Discover(t.Context()), "local:catalog:; peer:east/web: b; peer:east:catalog:")
		expect(t, s.Discover(t.Context()), "local:catalog:; peer:east/web: b; peer:east:catalog:")
		for _, asked := range one.questions("/v1/") {
			if asked.dc != "" {
				t.Errorf("asked %s of %q", asked.path, asked.dc)
			}
		}
	})
}
