package consul

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery"
	promconsul "github.com/prometheus/prometheus/discovery/consul"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/target"
)

// fleet has an instance for each thing that becomes a label.
func fleet() []*api.ServiceEntry {
	return []*api.ServiceEntry{
		instance("web", "plain"),
		instance("web", "bare", func(e *api.ServiceEntry) {
			*e = api.ServiceEntry{
				Node:    &api.Node{Node: "n", Address: "10.0.0.9", Datacenter: "dc1"},
				Service: &api.AgentService{ID: "bare", Service: "web"},
			}
		}),
		instance("web", "own-address", func(e *api.ServiceEntry) { e.Service.Address = "192.0.2.7" }),
		instance("web", "ipv6", func(e *api.ServiceEntry) { e.Service.Address = "2001:db8::1" }),
		instance("web", "critical", func(e *api.ServiceEntry) {
			e.Checks = append(e.Checks, &api.HealthCheck{CheckID: "http", Status: "critical"}, &api.HealthCheck{CheckID: "ttl", Status: "warning"})
		}),
		instance("web", "maintained", func(e *api.ServiceEntry) {
			e.Checks = append(e.Checks, &api.HealthCheck{CheckID: "_service_maintenance:x", Status: "critical"})
		}),
		instance("web", "strange", func(e *api.ServiceEntry) {
			e.Checks = append(e.Checks, &api.HealthCheck{CheckID: "x", Status: "unheard-of"})
			e.Service.Namespace, e.Service.Partition = "team", "part"
			e.Service.Tags = nil
			e.Service.Meta = map[string]string{"naïve key!": "a", "": "empty name", "9lives": "b", "quote\"": "line\nbreak \u2028 \\ \u00e9"}
			e.Node.Meta = map[string]string{"a/b.c": "d"}
		}),
		instance("db", "other"),
	}
}

// The labels are Prometheus' own: both ask the same server (contract §4).
func TestLabelsAreThoseOfPrometheus(t *testing.T) {
	srv := httptest.NewServer(newFake(fleet()...))
	defer srv.Close()
	for _, separator := range []string{",", ";;", ""} {
		want := fromPrometheus(t, srv.Listener.Addr().String(), separator)
		got := map[string]map[string]string{}
		l := build(t, func(o *Options) { o.Server, o.TagSeparator = srv.URL, separator }).Discover(t.Context())
		for _, p := range l.Parts {
			for _, r := range p.Raw {
				m := r.Labels.Map()
				for name := range m {
					if !strings.HasPrefix(name, "__") || strings.HasPrefix(name, metaPrefix+"service_tagged_") {
						delete(m, name) // what Prometheus lacks
					}
				}
				got[m[metaPrefix+"service_id"]] = m
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) != len(fleet()) {
			t.Errorf("separator %q, %d targets (-Prometheus +mcp-sd):\n%s", separator, len(got), diff)
		}
	}
}

// fromPrometheus lets Prometheus discover, by service id. Empty labels are none.
func fromPrometheus(t *testing.T, server, separator string) map[string]map[string]string {
	t.Helper()
	conf := promconsul.DefaultSDConfig
	conf.Server, conf.TagSeparator, conf.RefreshInterval = server, separator, model.Duration(10*time.Millisecond)
	reg := prometheus.NewRegistry()
	refresh := discovery.NewRefreshMetrics(reg)
	d, err := promconsul.NewDiscovery(&conf, slog.New(slog.DiscardHandler), conf.NewDiscovererMetrics(reg, refresh))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	groups, done := make(chan []*targetgroup.Group), make(chan struct{})
	go func() { defer close(done); d.Run(ctx, groups) }()
	found := map[string]map[string]string{}
	for len(found) < len(fleet()) && ctx.Err() == nil {
		select {
		case <-ctx.Done():
			t.Fatal("Prometheus did not list the fleet")
		case gs := <-groups:
			for _, g := range gs {
				for _, instance := range g.Targets {
					m := map[string]string{}
					for name, value := range instance.Merge(g.Labels) {
						if value != "" {
							m[string(name)] = string(value)
						}
					}
					found[m[metaPrefix+"service_id"]] = m
				}
			}
		}
	}
	cancel()
	<-done
	return found
}

// The whole of what is listed, as text: labels that no rule above names.
func TestLabelsGolden(t *testing.T) {
	f := newFake(fleet()...)
	var b strings.Builder
	for _, p := range build(t, nil, f).Discover(t.Context()).Parts {
		b.WriteString("# " + p.Name + "\n")
		for _, r := range p.Raw {
			b.WriteString(r.Identity + "\n")
			r.Labels.Range(func(l labels.Label) { b.WriteString("\t" + l.Name + "=" + quote(l.Value) + "\n") })
		}
	}
	const golden = "testdata/labels.txt"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("(-%s +got; UPDATE_GOLDEN=1 accepts):\n%s", golden, diff)
	}
}

func quote(s string) string { return strings.ReplaceAll(s, "\n", `\n`) }

// The standard labels come from the first place of contract §4's table that
// has a value.
func TestStandardLabels(t *testing.T) {
	type m = map[string]string
	for _, c := range []struct {
		name          string
		service, node m
		tags          []string
		want          string // environment, region, version
	}{
		{"nothing", nil, nil, nil, " dc1 "},
		{"service metadata", m{"environment": "a", "env": "b", "region": "c", "version": "d"}, m{"environment": "x", "env": "x", "region": "x", "version": "x"}, []string{"environment=y", "env=y", "region=y", "version=y"}, "a c d"},
		{"short name in service metadata", m{"env": "b"}, m{"environment": "x"}, []string{"environment=y"}, "b dc1 "},
		{"tags", nil, m{"environment": "x", "env": "x", "region": "x", "version": "x"}, []string{"env=b", "mcp", "environment=a", "region=c", "version=d", "version=e"}, "a c d"},
		{"short tag", nil, m{"environment": "x"}, []string{"env=b"}, "b dc1 "},
		{"node metadata", nil, m{"environment": "a", "env": "b", "region": "c", "version": "x"}, nil, "a c "},
		{"short name in node metadata", nil, m{"env": "b"}, nil, "b dc1 "},
		{"empty is not set", m{"environment": "", "region": ""}, m{"env": "b"}, []string{"environment=", "region=", "version=", "version=2"}, "b dc1 2"},
		{"other tags", nil, nil, []string{"environments=a", "ENV=b", "version"}, " dc1 "},
	} {
		e := entryOf(t, instance("web", "a", func(e *api.ServiceEntry) {
			e.Service.Meta, e.Node.Meta, e.Service.Tags = c.service, c.node, c.tags
		}))
		raw, err := e.describe("", "web", ",")
		if err != nil {
			t.Fatal(err)
		}
		l := raw.Labels
		if got := l.Get(target.EnvironmentName) + " " + l.Get(target.RegionName) + " " + l.Get(target.VersionName); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// Names that become one by being sanitised do not depend on the order of a map.
func TestSanitizedNamesCollide(t *testing.T) {
	e := entryOf(t, instance("web", "a", func(e *api.ServiceEntry) {
		e.Service.Meta = map[string]string{"a.b": "2", "a-b": "1", "a_b": "3", "a b": "0"}
	}))
	for range 20 {
		raw, err := e.describe("", "web", ",")
		if err != nil {
			t.Fatal(err)
		}
		if got := raw.Labels.Get(metaPrefix + "service_metadata_a_b"); got != "0" {
			t.Fatalf("got %q, want that of the name that sorts first", got)
		}
	}
}
