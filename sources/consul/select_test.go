package consul

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/consul/api"
)

// Contract §4: names and tags are filtered before a watch is opened.
func TestSelection(t *testing.T) {
	tags := func(tags ...string) func(*api.ServiceEntry) {
		return func(e *api.ServiceEntry) { e.Service.Tags = tags }
	}
	on := func(rack string) func(*api.ServiceEntry) {
		return func(e *api.ServiceEntry) { e.Node.Meta = map[string]string{"rack": rack} }
	}
	for _, c := range []struct {
		name    string
		edit    func(*Options)
		asked   string // services whose instances were asked for
		catalog bool
		want    string
	}{
		{"everything", nil, "db mcp-a mcp-b web", true, "local/db: d1; local/mcp-a: a1 a2; local/mcp-b: b1; local/web: w1; local:catalog:"},
		{"services", only("web", "db", "web"), "db web", false, "local/db: d1; local/web: w1"},
		{"a service that is not there", only("nope"), "nope", false, "local/nope:"},
		{"service_regex is anchored", func(o *Options) { o.ServiceRegex = "mcp|mcp-.|b" }, "mcp-a mcp-b", true, "local/mcp-a: a1 a2; local/mcp-b: b1; local:catalog:"},
		{"tags", func(o *Options) { o.Tags = []string{"mcp"} }, "mcp-a mcp-b", true, "local/mcp-a: a1 a2; local/mcp-b: b1; local:catalog:"},
		{"all tags", func(o *Options) { o.Tags = []string{"blue", "MCP"} }, "mcp-a", true, "local/mcp-a: a2; local:catalog:"},
		{"tags and services", func(o *Options) { o.Services, o.Tags = []string{"mcp-a", "web"}, []string{"blue"} }, "mcp-a web", false, "local/mcp-a: a2; local/web:"},
		{"node_meta", func(o *Options) { o.NodeMeta = map[string]string{"rack": "r2"} }, "db mcp-a", true, "local/db: d1; local/mcp-a: a2; local:catalog:"},
		{"filter", func(o *Options) { o.Filter = "id is w1" }, "web", true, "local/web: w1; local:catalog:"},
		{"filter and services", func(o *Options) { o.Filter, o.Services = "id is w1", []string{"db", "web"} }, "web", true, "local/web: w1; local:catalog:"},
		{"health_filter", func(o *Options) { o.HealthFilter, o.Services = "id is a2", []string{"mcp-a"} }, "mcp-a", false, "local/mcp-a: a2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(
					instance("web", "w1", tags("x"), on("r1")), instance("db", "d1", tags(), on("r2")),
					instance("mcp-a", "a1", tags("mcp"), on("r1")), instance("mcp-a", "a2", tags("mcp", "blue"), on("r2")),
					instance("mcp-b", "b1", tags("mcp"), on("r1")),
				)
				f.filters = map[string]func(*api.ServiceEntry) bool{
					"id is w1": func(e *api.ServiceEntry) bool { return e.Service.ID == "w1" },
					"id is a2": func(e *api.ServiceEntry) bool { return e.Service.ID == "a2" },
				}
				s := build(t, c.edit, f)
				expect(t, s.Discover(t.Context()), c.want)
				var names []string
				for _, a := range f.questions("/v1/health/service/") {
					names = append(names, a.path[strings.LastIndex(a.path, "/")+1:])
				}
				if got := strings.Join(slices.Sorted(slices.Values(names)), " "); got != c.asked {
					t.Errorf("asked for %q, want %q", got, c.asked)
				}
				if got := len(f.questions("/v1/catalog")) > 0; got != c.catalog {
					t.Errorf("asked the catalogue: %t, want %t", got, c.catalog)
				}
				expect(t, watching(t, s)(), c.want)
			})
		})
	}
}

// A service that the filter of the catalogue excludes goes, though its own
// query, which does not know that filter, still lists it.
func TestFilterLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"), instance("db", "b"))
		f.filters = map[string]func(*api.ServiceEntry) bool{
			"blue": func(e *api.ServiceEntry) bool { return slices.Contains(e.Service.Tags, "blue") },
		}
		s := build(t, func(o *Options) { o.Filter = "blue" }, f)
		next := watching(t, s)
		expect(t, next(), "local/db: b; local/web: a; local:catalog:")
		f.wake(func() { f.catalog = func(map[string][]string) map[string][]string { return nil } })
		expect(t, next(), "local/db: unchanged; local/web: unchanged; local:catalog: failed") // null
		f.wake(func() { f.catalog = func(map[string][]string) map[string][]string { return map[string][]string{} } })
		expect(t, next(), "local/db: unchanged; local/web: unchanged; local:catalog:")

		f.lock(func() { f.catalog = nil })
		f.set(instance("web", "a", func(e *api.ServiceEntry) { e.Service.Tags = []string{"green"} }))
		l := next()
		for say(l) != "local/db: unchanged; local/web:; local:catalog: unchanged" {
			if l.Failed() || !strings.HasPrefix(say(l), "local/db: unchanged; local/web: a;") {
				t.Fatal(say(l))
			}
			l = next()
		}
		expect(t, next(), "local/db: unchanged; local:catalog: unchanged")
		f.set(instance("web", "a"))
		expect(t, next(), "local/db: unchanged; local/web: a; local:catalog: unchanged")
	})
}

// The same, asked once and again.
func TestFilterLetsGoInDiscover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"), instance("db", "b"))
		f.filters = map[string]func(*api.ServiceEntry) bool{
			"blue": func(e *api.ServiceEntry) bool { return slices.Contains(e.Service.Tags, "blue") },
		}
		s := build(t, func(o *Options) { o.Filter = "blue" }, f)
		expect(t, s.Discover(t.Context()), "local/db: b; local/web: a; local:catalog:")
		f.set(instance("web", "a", func(e *api.ServiceEntry) { e.Service.Tags = []string{"green"} }))
		expect(t, s.Discover(t.Context()), "local/db: b; local/web:; local:catalog:")
		expect(t, s.Discover(t.Context()), "local/db: b; local:catalog:")
	})
}

// Discover called again asks for what it listed, whatever the catalogue says.
func TestDiscoverRemembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a"), instance("db", "b"))
		s := build(t, nil, f)
		expect(t, s.Discover(t.Context()), "local/db: b; local/web: a; local:catalog:")
		f.lock(func() { f.fault = on("/v1/catalog", status(500)) })
		expect(t, s.Discover(t.Context()), "local/db: b; local/web: a; local:catalog: failed")
		f.lock(func() { f.fault = nil })
		f.remove("db", "b")
		expect(t, s.Discover(t.Context()), "local/db:; local/web: a; local:catalog:")
		expect(t, s.Discover(t.Context()), "local/web: a; local:catalog:")
	})
}

// Several datacenters are parts of one source; one that is down touches no other.
func TestDatacenters(t *testing.T) {
	in := func(dc string) func(*api.ServiceEntry) {
		return func(e *api.ServiceEntry) { e.Node.Datacenter = dc }
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a", in("dc1")), instance("web", "b", in("dc2")), instance("db", "c", in("dc2")))
		s := build(t, func(o *Options) { o.Datacenters = []string{"dc2", "dc1"} }, f)
		expect(t, s.Discover(t.Context()), "dc1/web: a; dc1:catalog:; dc2/db: c; dc2/web: b; dc2:catalog:")
		next := watching(t, s)
		expect(t, next(), "dc1/web: a; dc1:catalog:; dc2/db: c; dc2/web: b; dc2:catalog:")
		f.set(instance("web", "d", in("dc1")))
		expect(t, next(), "dc1/web: a d; dc1:catalog: unchanged; dc2/db: unchanged; dc2/web: unchanged; dc2:catalog: unchanged")
	})
}
