package consul

import (
	"fmt"
	"hash/maphash"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/consul/api"

	"github.com/mcp-sd/mcp-sd/target"
)

// ported has named ports, the first of which stands for them all.
func ported(names ...string) func(*api.ServiceEntry) {
	return func(e *api.ServiceEntry) {
		e.Service.Port = 0
		for i, name := range names {
			e.Service.Ports = append(e.Service.Ports, api.ServicePort{Name: name, Port: 8001 + i, Default: i == 0})
		}
	}
}

// exposing is a proxy in front of an instance of a service.
func exposing(service, path string, port int) func(*api.ServiceEntry) {
	return func(e *api.ServiceEntry) {
		e.Service.Kind, e.Service.Port = api.ServiceKindConnectProxy, 21000
		e.Service.Proxy = &api.AgentServiceConnectProxyConfig{
			DestinationServiceName: service, DestinationServiceID: service + "-1",
			Expose: api.ExposeConfig{Paths: []api.ExposePath{{Path: "/health", ListenerPort: port + 1}, {Path: path, ListenerPort: port}}},
		}
	}
}

// addresses puts the targets of a part into few words.
func addresses(p target.Part) string {
	var all []string
	for _, r := range p.Raw {
		all = append(all, r.Labels.Get("__address__"))
	}
	for _, r := range p.Rejected {
		all = append(all, fmt.Sprintf("(%s: %s: %s)", r.Address, r.Reason, r.Detail))
	}
	return strings.Join(all, " ")
}

// An instance is a target for each of its ports that is asked for.
func TestNamedPorts(t *testing.T) {
	fleet := func() *fake {
		return newFake(
			instance("web", "a", ported("mcp", "metrics", "admin")),
			instance("web", "b", ported("mcp")),
			instance("web", "c"),
		)
	}
	for _, c := range []struct {
		name  string
		ports []string
		want  string
	}{
		{"none asked for: the default", nil, "10.0.0.1:8001 10.0.0.1:8001 10.0.0.1:8080"},
		{"one", []string{"metrics"}, "10.0.0.1:8002 " +
			"(10.0.0.1:8001: no_port: instance node-b/b has no port named metrics: register it with ports, or take its service out) " +
			"(10.0.0.1:8080: no_port: instance node-c/c has no port named metrics: register it with ports, or take its service out)"},
		{"several", []string{"mcp", "admin"}, "10.0.0.1:8001 10.0.0.1:8003 10.0.0.1:8001 " +
			"(10.0.0.1:8080: no_port: instance node-c/c has no port named mcp or admin: register it with ports, or take its service out)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, agent := range []bool{false, true} {
				l := builtFrom(t, func(o *Options) { o.Services, o.Ports, o.Agent = []string{"web"}, c.ports, agent }, fleet()).Discover(t.Context())
				got := addresses(l.Parts[0])
				if want := c.want; agent && got != strings.NewReplacer("node-b", "host-1", "node-c", "host-1").Replace(want) || !agent && got != want {
					t.Errorf("agent %t: got %s, want %s", agent, got, want)
				}
			}
		})
	}
	l := build(t, func(o *Options) { o.Ports = []string{"metrics"} }, fleet()).Discover(t.Context()).Parts[0].Raw[0].Labels
	for name, want := range map[string]string{
		"service_port": "8001", "service_port_mcp": "8001", "service_port_metrics": "8002", "service_port_admin": "8003", "port_name": "metrics",
	} {
		if got := l.Get(metaPrefix + name); got != want {
			t.Errorf("%s=%q, want %q", name, got, want)
		}
	}
}

// A port that appears or goes is a change like any, and so is the reason for
// which an instance is left out.
func TestNamedPortsChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(instance("web", "a", ported("mcp", "metrics")))
		s := build(t, func(o *Options) { o.Services, o.Ports = []string{"web"}, []string{"metrics", "extra"} }, f)
		next := watching(t, s)
		if got := addresses(next().Parts[0]); got != "10.0.0.1:8002" {
			t.Error(got)
		}
		f.set(instance("web", "a", ported("mcp", "metrics", "extra")))
		if got := addresses(next().Parts[0]); got != "10.0.0.1:8002 10.0.0.1:8003" && got != "10.0.0.1:8003 10.0.0.1:8002" {
			t.Error(got)
		}
		f.set(instance("web", "a", ported("mcp")))
		if got := addresses(next().Parts[0]); !strings.HasPrefix(got, "(10.0.0.1:8001: no_port: ") {
			t.Error(got)
		}
		f.set(instance("web", "a", ported("mcp", "other")))
		f.set(instance("web", "a")) // both are another reason at most
		if got := addresses(next().Parts[0]); !strings.HasPrefix(got, "(10.0.0.1:80") {
			t.Error(got)
		}
	})
}

// The port of an exposed path is a proxy's, which Consul lists elsewhere, with
// what its configuration entries add.
func TestExposedPath(t *testing.T) {
	f := newFake(
		instance("web", "web-1"),
		instance("web-sidecar-proxy", "web-1-sidecar", exposing("web", "/metrics", 21500)),
		instance("web-sidecar-proxy", "web-2-sidecar", exposing("web", "/other", 21500)),
		instance("web-sidecar-proxy", "untagged", exposing("web", "/metrics", 21500), func(e *api.ServiceEntry) { e.Service.Tags = nil }),
		instance("db-sidecar-proxy", "db-1-sidecar", exposing("db", "/metrics", 21500)),
	)
	s := build(t, func(o *Options) { o.Services, o.ExposedPath, o.Tags = []string{"web"}, "/metrics", []string{"mcp"} }, f)
	p := s.Discover(t.Context()).Parts[0]
	const want = "10.0.0.1:21500 (10.0.0.1:21000: no_exposed_path: node-web-2-sidecar/web-2-sidecar exposes no path /metrics: add it to expose.paths of the proxy, or of the service's service-defaults)"
	if got := addresses(p); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for name, want := range map[string]string{
		"service": "web", "service_id": "web-1-sidecar", "service_port": "21000", "exposed_path": "/metrics",
		"exposed_port_metrics": "21500", "exposed_port_health": "21501", "proxy_destination_service_id": "web-1",
	} {
		if got := p.Raw[0].Labels.Get(metaPrefix + name); got != want {
			t.Errorf("%s=%q, want %q", name, got, want)
		}
	}
	asked := f.questions("/v1/health/")
	if len(asked) != 1 || asked[0].path != "/v1/health/connect/web" || !asked[0].merged || len(asked[0].tags) > 0 {
		t.Errorf("asked %+v", asked)
	}
}

// FuzzTargets: whatever an answer says of ports and paths, an instance becomes
// legal targets or none, and what was known before decides nothing.
func FuzzTargets(f *testing.F) {
	f.Add(body(f, instance("web", "a", ported("metrics", "mcp")), instance("web", "b", exposing("web", "/metrics", 21500))), true)
	f.Add(body(f, instance("web", "a", exposing("web", "/metrics", 0)), instance("web", "c")), false)
	f.Add([]byte(`[{"Node":{},"Service":{"Ports":[{"Name":"","Port":-1},{}],"Proxy":{"Expose":{"Paths":[{"Path":"/"},null]}}}}]`), true)
	f.Fuzz(func(t *testing.T, b []byte, exposed bool) {
		o := Options{Ports: []string{"metrics", ""}}
		if exposed {
			o = Options{ExposedPath: "/metrics"}
		}
		r := reader{seed: maphash.MakeSeed(), describe: func(e *entry) (described, error) {
			raw, err := e.describe("dc1", "web", ",")
			if err != nil {
				return described{}, err
			}
			return o.targets(e, withPeer(raw, "east")), nil
		}}
		got, err := r.read(b, listing{})
		if err != nil {
			return
		}
		if again, err := r.read(b, got); err != nil || again.serial != got.serial {
			t.Fatalf("read again, it differs: %v", err)
		}
		for _, raw := range got.raws {
			if raw.Labels.Get(target.AddressLabel) == "" || raw.Labels.Has(target.MetricsPathLabel) {
				t.Fatalf("no target: %v", raw.Labels)
			}
		}
	})
}
