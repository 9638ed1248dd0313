// Package relabel tests the recipes in mcp-sd.yml beside it: each is loaded by
// mcp-sd's own configuration and applied by its own relabelling.
package relabel

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/config"
	"github.com/mcp-sd/mcp-sd/relabel"
	"github.com/mcp-sd/mcp-sd/target"
)

// A recipe says what an instance becomes; nil where it is dropped.
type recipe struct {
	name     string
	from, to map[string]string
}

const address = "10.0.1.10:3000"

func consul(pairs ...string) map[string]string { return instance("__meta_consul_", pairs) }
func ec2(pairs ...string) map[string]string    { return instance("__meta_ec2_", pairs) }

// instance takes names and values by turns; a standard label is written with a
// point before it.
func instance(prefix string, pairs []string) map[string]string {
	all := map[string]string{"__address__": address}
	for pair := range slices.Chunk(pairs, 2) {
		name, standard := strings.CutPrefix(pair[0], ".")
		if !standard {
			name = prefix + name
		}
		all[name] = pair[1]
	}
	return all
}

// becomes is a target's address and labels.
func becomes(address string, pairs ...string) map[string]string {
	all := map[string]string{"__address__": address}
	for pair := range slices.Chunk(pairs, 2) {
		all[pair[0]] = pair[1]
	}
	return all
}

var recipes = []recipe{
	{"only-some", consul("tags", ",blue,mcp,"), becomes(address)},
	{"only-some", consul("tags", ",mcp-like,"), nil},
	{"only-some", consul("tags", ",mcp,", "service_metadata_lifecycle", "draining"), nil},
	{"only-some", consul("tags", ",mcp,", "service_metadata_lifecycle", "serving"), becomes(address)},
	{
		"team-and-zone", ec2("tag_team", "search", "availability_zone", "us-east-1a", "tag_Name", "mcp-7"),
		becomes(address, "team", "search", "zone", "us-east-1a", "host", "mcp-7"),
	},
	{"team-and-zone", ec2("availability_zone", "us-east-1a"), becomes(address, "zone", "us-east-1a")},
	{"all-tags", ec2("tag_mcp_tier", "gold", "tag_mcp_owner", "ann", "tag_cost", "9"), becomes(address, "tier", "gold", "owner", "ann")},
	{"all-tags", ec2("tag_mcp_job", "stolen"), becomes(address)}, // a tag cannot choose the job
	{"one-spelling", consul(".environment", "PROD-2"), becomes(address, "environment", "production")},
	{"one-spelling", consul(".environment", "live"), becomes(address, "environment", "production")},
	{"one-spelling", consul(".environment", "pre-prod"), becomes(address, "environment", "staging")},
	{"one-spelling", consul(".environment", "development"), becomes(address, "environment", "development")},
	{
		"other-endpoint",
		consul("service_metadata_metrics_port", "9102", "service_metadata_metrics_path", "/internal/metrics", "service_metadata_metrics_scheme", "https"),
		becomes("10.0.1.10:9102", "__metrics_path__", "/internal/metrics", "__scheme__", "https"),
	},
	{"other-endpoint", consul("service_metadata_metrics_port", "none", "service_metadata_metrics_scheme", "ftp"), becomes(address)},
	{"short-version", consul(".version", "v2.3.1-rc1+build5"), becomes(address, "version", "v2.3.1-rc1")},
	{"short-version", consul(".version", "v2.3.1"), becomes(address, "version", "v2.3.1")},
	{"readable-instance", consul("node", "rack7", "service_id", "mcp-1"), becomes(address, "instance", "rack7/mcp-1")},
}

func TestRecipes(t *testing.T) {
	sources := loaded(t)
	used := map[string]bool{"one-third": true}
	for _, r := range recipes {
		used[r.name] = true
		if diff := cmp.Diff(r.to, published(t, sources[r.name], r.from)); diff != "" {
			t.Errorf("%s: %v: -want +got\n%s", r.name, r.from, diff)
		}
	}
	for name := range sources {
		if !used[name] {
			t.Errorf("nothing tests the recipe %s", name)
		}
	}
}

// About a third is kept, and always the same.
func TestThird(t *testing.T) {
	third := loaded(t)["one-third"]
	kept := 0
	for i := range 255 {
		a := map[string]string{"__address__": fmt.Sprintf("10.0.1.%d:3000", i)}
		first, again := published(t, third, a), published(t, third, a)
		if !maps.Equal(first, again) {
			t.Errorf("%v: %v and %v", a, first, again)
		}
		if first != nil {
			kept++
		}
	}
	if kept < 60 || kept > 110 {
		t.Errorf("%d of 255 are kept, want about 85", kept)
	}
}

func loaded(t *testing.T) map[string]config.Source {
	t.Helper()
	text, err := os.ReadFile("mcp-sd.yml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("mcp-sd.yml", text, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]config.Source{}
	for _, s := range c.Sources {
		all[s.Name] = s
	}
	return all
}

// published is what the source's rules and hygiene make of an instance.
func published(t *testing.T, s config.Source, from map[string]string) map[string]string {
	t.Helper()
	_, _, got, ok, _ := relabel.Explain(relabel.Options{
		Source: s.Name, Operator: s.Operator, Labels: s.Labels, Configs: s.RelabelConfigs,
		Scheme: s.Health.Scheme, Path: s.Health.Path, Endpoint: s.HealthEndpoint, Policy: s.Health.Policy(s.Operator),
	}, target.Raw{Labels: labels.FromMap(from)})
	if !ok {
		return nil
	}
	all := map[string]string{"__address__": got.Address}
	maps.Copy(all, got.Labels.Map())
	return all
}
