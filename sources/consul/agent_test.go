package consul

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
)

// newAgent is a source that lists what is registered with the agent f.
func newAgent(t *testing.T, f *fake, edit func(*Options)) *agent {
	t.Helper()
	return builtFrom(t, func(o *Options) {
		o.Agent = true
		if edit != nil {
			edit(o)
		}
	}, f).(*agent)
}

// An agent by itself is enough: it is asked for nothing that needs a leader,
// and an unhealthy service, which it tells by its status, is listed like any.
func TestAgent(t *testing.T) {
	check := func(status string) func(*api.ServiceEntry) {
		return func(e *api.ServiceEntry) { e.Checks[0].Status = status }
	}
	f := newFake(
		instance("web", "a"), instance("web", "b", check("critical")),
		instance("db", "c", check("warning")), instance("cache", "d", check("critical")),
	)
	f.noLeader = true
	a := newAgent(t, f, nil)
	l := a.Discover(t.Context())
	expect(t, l, "agent/cache: d; agent/db: c; agent/web: a b; agent:catalog:")
	for _, asked := range f.questions("/v1/") {
		if !strings.HasPrefix(asked.path, "/v1/agent/") {
			t.Errorf("asked for %s", asked.path)
		}
	}
	raw := l.Parts[2].Raw[1]
	want := map[string]string{
		"__address__":                              "10.0.0.1:8080",
		"__meta_consul_address":                    "10.0.0.1",
		"__meta_consul_dc":                         "dc1",
		"__meta_consul_health":                     "critical",
		"__meta_consul_metadata_rack":              "r1",
		"__meta_consul_node":                       "host-1",
		"__meta_consul_service":                    "web",
		"__meta_consul_service_id":                 "b",
		"__meta_consul_service_metadata_team_name": "tools",
		"__meta_consul_service_metadata_version":   "v1",
		"__meta_consul_service_port":               "8080",
		"__meta_consul_service_tagged_address_lan": "10.0.0.2",
		"__meta_consul_service_tagged_port_lan":    "81",
		"__meta_consul_tags":                       ",mcp,blue,",
		"region":                                   "dc1",
		"version":                                  "v1",
	}
	if diff := cmp.Diff(want, raw.Labels.Map()); diff != "" || raw.Identity != "host-1/b" {
		t.Errorf("%s (-want +got):\n%s", raw.Identity, diff)
	}

	f.remove("web", "a", "b")
	expect(t, a.Discover(t.Context()), "agent/cache: d; agent/db: c; agent/web:; agent:catalog:")
	expect(t, a.Discover(t.Context()), "agent/cache: d; agent/db: c; agent:catalog:")
}

func TestAgentSelection(t *testing.T) {
	tags := func(tags ...string) func(*api.ServiceEntry) {
		return func(e *api.ServiceEntry) { e.Service.Tags = tags }
	}
	for _, c := range []struct {
		name string
		edit func(*Options)
		want string
	}{
		{"services", only("web", "nope"), "agent/nope:; agent/web: a b; agent:catalog:"},
		{"service_regex", func(o *Options) { o.ServiceRegex = "w.." }, "agent/web: a b; agent:catalog:"},
		{"tags", func(o *Options) { o.Tags = []string{"MCP"} }, "agent/web: a; agent:catalog:"},
		{"tags and services", func(o *Options) { o.Tags, o.Services = []string{"mcp"}, []string{"db", "web"} }, "agent/db:; agent/web: a; agent:catalog:"},
		{"filter", func(o *Options) { o.Filter = "id is b" }, "agent/web: b; agent:catalog:"},
		{"filter and services", func(o *Options) { o.Filter, o.Services = "id is b", []string{"db", "web"} }, "agent/db:; agent/web: b; agent:catalog:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(instance("web", "a", tags("mcp")), instance("web", "b", tags("x")), instance("db", "c", tags()))
			f.filters = map[string]func(*api.ServiceEntry) bool{
				"id is b": func(e *api.ServiceEntry) bool { return e.Service.ID == "b" },
			}
			expect(t, newAgent(t, f, c.edit).Discover(t.Context()), c.want)
		})
	}
}

// Contract §4: what a token may not read any more fails its part, whatever the
// list of services says; what it never could is not discovered.
func TestAgentRightsLost(t *testing.T) {
	f := newFake(instance("web", "a"), instance("db", "b"), instance("secret", "c"))
	may := map[string]bool{"web": true, "db": true}
	f.acl = func(_ string, e *api.ServiceEntry) bool { return may[e.Service.Service] }
	a := newAgent(t, f, func(o *Options) { o.Token = "t" })
	expect(t, a.Discover(t.Context()), "agent/db: b; agent/web: a; agent:catalog:")
	f.lock(func() { may["web"] = false })
	l := a.Discover(t.Context())
	expect(t, l, "agent/db: b; agent/web: failed; agent:catalog:")
	if got := errorsOf(l); !strings.Contains(got, `the instances of "web": status 403`) {
		t.Error(got)
	}
	f.lock(func() { may["web"] = true })
	f.remove("db", "b")
	expect(t, a.Discover(t.Context()), "agent/db:; agent/web: a; agent:catalog:")
}

// Contract §4: an answer that may not be the agent's, or not a whole one, is a
// failure. Above all, "no such service" is believed of the agent alone.
func TestAgentUntrustworthy(t *testing.T) {
	for _, c := range []struct {
		name      string
		lie       func(f *fake)
		want, why string
	}{
		{"a proxy says 404", func(f *fake) { f.fault = onSuffix("/web", status(404)) }, "agent/db: c; agent/web: failed; agent:catalog:", "status 404"},
		{"a proxy says 503", func(f *fake) { f.fault = onSuffix("/web", status(503)) }, "agent/db: c; agent/web: failed; agent:catalog:", "status 503"},
		{"cut off", func(f *fake) { f.edit = cutAfterFirst }, "agent/db: c; agent/web: failed; agent:catalog:", "ends in the middle"},
		{"the list fails", func(f *fake) { f.fault = onSuffix("/services", status(500)) }, "agent/db: c; agent/web: a b; agent:catalog: failed", "the services of the agent: status 500"},
		{"the list is null", func(f *fake) { f.edit = whole("/v1/agent/services", "null") }, "agent/db: c; agent/web: a b; agent:catalog: failed", "it is null"},
		{"who it is may not be read", func(f *fake) { f.fault = onSuffix("/self", status(403)) }, "agent:catalog: failed", "needs agent:read on its node"},
		{"it does not say who it is", func(f *fake) { f.edit = whole("/v1/agent/self", "{}") }, "agent:catalog: failed", "lacks the agent's Config or Member"},
		{"an instance of nothing", func(f *fake) { f.edit = whole("/v1/agent/health/service/name/web", "[{}]") }, "agent/db: c; agent/web: failed; agent:catalog:", "lacks its Node or its Service"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(instance("web", "a"), instance("web", "b"), instance("db", "c"))
			a := newAgent(t, f, nil)
			expect(t, a.Discover(t.Context()), "agent/db: c; agent/web: a b; agent:catalog:")
			f.lock(func() { c.lie(f) })
			l := a.Discover(t.Context())
			expect(t, l, c.want)
			if got := errorsOf(l); !strings.Contains(got, c.why) {
				t.Errorf("%s, want %q", got, c.why)
			}
		})
	}
}

// whole replaces the answer about a path.
func whole(path, body string) func(string, []byte) []byte {
	return func(asked string, b []byte) []byte {
		if asked == path {
			return []byte(body)
		}
		return b
	}
}
