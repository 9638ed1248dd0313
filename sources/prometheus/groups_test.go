package prometheus

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery/targetgroup"

	"github.com/mcp-sd/mcp-sd/sources/sourcetest"
	"github.com/mcp-sd/mcp-sd/target"
)

// Groups are merged by their source, as Prometheus does.
func TestMerge(t *testing.T) {
	g := newGroups(traits{})
	g.merge([]*targetgroup.Group{group("a", "10.0.0.1:1"), group("b", "10.0.0.2:1"), nil})
	g.merge([]*targetgroup.Group{group("b", "10.0.0.3:1")})
	g.merge(nil)
	if got := addresses(target.Part{Raw: g.list().raws}); got != "10.0.0.1:1 10.0.0.3:1" {
		t.Errorf("listed is %q", got)
	}
	g.merge([]*targetgroup.Group{group("a")})
	if got := addresses(target.Part{Raw: g.list().raws}); got != "10.0.0.3:1" {
		t.Errorf("listed is %q", got)
	}
}

// A mechanism may change a group that it has sent, and send it again.
func TestGroupChanged(t *testing.T) {
	for name, change := range map[string]func(*targetgroup.Group){
		"a value":       func(g *targetgroup.Group) { g.Targets[1]["__address__"] = "10.0.0.3:1" },
		"a label":       func(g *targetgroup.Group) { g.Targets[0]["a"] = "b" },
		"group labels":  func(g *targetgroup.Group) { g.Labels = set("c", "d") },
		"a target less": func(g *targetgroup.Group) { g.Targets = g.Targets[:1] },
		"values swapped": func(g *targetgroup.Group) {
			g.Targets[0]["a"], g.Targets[1]["a"] = g.Targets[1]["a"], g.Targets[0]["a"]
		},
	} {
		g, one := newGroups(traits{}), group("a", "10.0.0.1:1", "10.0.0.2:1")
		one.Targets[1]["a"] = "c"
		g.merge([]*targetgroup.Group{one})
		before := g.list()
		change(one)
		g.merge([]*targetgroup.Group{one})
		if g.list().equal(before) {
			t.Errorf("%s: nothing has changed in %v", name, before.raws)
		}
	}
}

// What is sent again as it was costs no more than looking at it.
func TestGroupsUnchanged(t *testing.T) {
	g := newGroups(traitsOf("http"))
	g.merge(manyGroups(100, 1))
	g.list()
	again := manyGroups(100, 1)
	if n := testing.AllocsPerRun(10, func() { g.merge(again); g.list() }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkGroups takes the groups of a refresh: 100,000 targets in 100 groups.
func BenchmarkGroups(b *testing.B) {
	all := manyGroups(100_000, 100)
	g := newGroups(traitsOf("http"))
	g.merge(all)
	g.list()
	b.Run("unchanged", func(b *testing.B) {
		for b.Loop() {
			g.merge(all)
			g.list()
		}
	})
	b.Run("one changed", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			all[n%100].Targets[0]["version"] = model.LabelValue(fmt.Sprint("v", n))
			g.merge(all)
			g.list()
		}
	})
}

func manyGroups(targets, number int) []*targetgroup.Group {
	all := make([]*targetgroup.Group, number)
	for i := range all {
		all[i] = &targetgroup.Group{Source: fmt.Sprint("http:", i), Labels: set("environment", fmt.Sprint("e", i), "region", "eu")}
	}
	for i := range targets {
		one := all[i%number]
		one.Targets = append(one.Targets, set("__address__", fmt.Sprintf("10.%d.%d.%d:3000", i>>16, i>>8&255, i&255), "version", "v1", "team", "data"))
	}
	return all
}

// Contract §7: what is discovered never sets a label that begins with __, nor job
// or instance; it is offered to relabel_configs. Plain labels it may set. Contract
// §4: the standard labels come from tags.
func TestLabels(t *testing.T) {
	for _, tc := range []struct {
		name, mechanism string
		group, one      []string
		want            string
	}{
		{
			"an http_sd endpoint", "http",
			[]string{"environment", "production", "team", "a", "job", "mcp", "__metrics_path__", "/m", "__scheme__", "https", "__meta_url", "http://u:hidden@sd/"},
			[]string{"__address__", "10.0.0.1:1", "team", "b", "__param_x", "y", "__tmp_a", "b", "__meta_mcp_sd_health", "up", "instance", "i", "__unix_socket__", "/s", "a.b", "c"},
			`{__address__="10.0.0.1:1", __meta_prometheus_instance="i", __meta_prometheus_job="mcp", __meta_prometheus_metrics_path="/m", __meta_prometheus_param_x="y", __meta_prometheus_scheme="https", __meta_prometheus_unix_socket="/s", __meta_url="http://u:xxxxx@sd/", a_b="c", environment="production", team="b"}`,
		},
		{
			"container labels", "docker", nil,
			[]string{"__address__", "10.0.0.1:1", "__meta_docker_container_label_env", "staging", "__meta_docker_container_label_version", "v1", "__meta_docker_container_id", "abc"},
			`{__address__="10.0.0.1:1", __meta_docker_container_id="abc", __meta_docker_container_label_env="staging", __meta_docker_container_label_version="v1", environment="staging", version="v1"}`,
		},
		{
			"a list of tags", "nomad", nil,
			[]string{"__address__", "10.0.0.1:1", "__meta_nomad_tags", ",mcp,env=production,version=v2,", "__meta_nomad_dc", "dc1"},
			`{__address__="10.0.0.1:1", __meta_nomad_dc="dc1", __meta_nomad_tags=",mcp,env=production,version=v2,", environment="production", region="dc1", version="v2"}`,
		},
		{
			"a place of its own", "hetzner", nil,
			[]string{"__address__", "10.0.0.1:80", "__meta_hetzner_hcloud_label_region", "other", "__meta_hetzner_hcloud_location", "fsn1", "__meta_hetzner_role", ""},
			`{__address__="10.0.0.1:80", __meta_hetzner_hcloud_label_region="other", __meta_hetzner_hcloud_location="fsn1", region="fsn1"}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := traitsOf(tc.mechanism).read(&targetgroup.Group{Labels: set(tc.group...), Targets: []labelSet{set(tc.one...)}})
			if got := l.raws[0].Labels.String(); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// Of labels that become one, always the same counts: what it lists must not change
// from one run to the next.
func TestSameName(t *testing.T) {
	one := &targetgroup.Group{Targets: []labelSet{set("__address__", "10.0.0.1:1", "a.b", "dot", "a-b", "dash", "job", "x", "__meta_prometheus_job", "y")}}
	first := traitsOf("http").read(one).raws
	for range 50 {
		if again := traitsOf("http").read(one).raws; !same(again[0], first[0]) {
			t.Fatalf("%s, and then %s", first[0].Labels, again[0].Labels)
		}
	}
}

type labelSet = model.LabelSet

var now = time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)

func TestIdentity(t *testing.T) {
	g := group("a", "10.0.0.1:1")
	g.Targets[0]["__meta_docker_container_id"] = "abc"
	if got := traitsOf("docker").read(g).raws[0].Identity; got != "abc" {
		t.Errorf("the identity is %q", got)
	}
}

// A target without an address is left out, and said so; it costs no other.
func TestNoAddress(t *testing.T) {
	g := newGroups(traits{})
	g.merge([]*targetgroup.Group{group("a", "", "10.0.0.1:1", "10.0.0.1:1")})
	l := g.list()
	if len(l.raws) != 1 || len(l.rejected) != 1 || l.rejected[0].Reason != "bad_address" {
		t.Errorf("%+v", l)
	}
}

// FuzzLabels: whatever an endpoint says, what is listed is legal.
func FuzzLabels(f *testing.F) {
	f.Add("__meta_a", "b", "job", "c")
	f.Add("", "x", "__", "y")
	f.Add("é", "\xff", "__meta_mcp_sd_health", "up")
	f.Add("__address__", "a:1", "__tmp_", "z")
	f.Add("a", "b", "\x80_meta_mcp_sd_health", "up")
	f.Add("9", "digit", "_\xc0\xc0\x7f", "underscores")
	f.Add("\x80_scheme__", "https", "_\x80tmp_a", "b")
	f.Fuzz(func(t *testing.T, a, av, b, bv string) {
		g := &targetgroup.Group{Source: "s", Labels: set(a, av), Targets: []labelSet{set("__address__", "10.0.0.1:1", b, bv)}}
		for _, r := range traitsOf("http").read(g).raws {
			for _, name := range []string{"job", "instance", "__scheme__", "__metrics_path__", "__unix_socket__"} {
				if r.Labels.Has(name) {
					t.Errorf("%q and %q set %s", a, b, name)
				}
			}
			l := target.Listing{Source: "s", At: now, Parts: []target.Part{{Name: "http[0]", Raw: []target.Raw{r}}}}
			if err := sourcetest.CheckListing(l, true); err != nil {
				t.Errorf("%q, %q: %v", a, b, err)
			}
		}
	})
}
