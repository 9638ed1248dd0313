//go:build !remove_all_sd

package mechanisms_test

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.yaml.in/yaml/v2"

	"github.com/mcp-sd/mcp-sd/sources/prometheus"
	_ "github.com/mcp-sd/mcp-sd/sources/prometheus/mechanisms"
	"github.com/mcp-sd/mcp-sd/sources/sourcetest"
	"github.com/mcp-sd/mcp-sd/target"
)

// recording is what a service answers, in the shape of its published API.
type recording struct {
	config  string            // see server.fill
	answers map[string]string // see api.find
	odd     map[string]string // answers that lack something, each a failed part as well; "": 404
	refusal string            // the body of a 500, where mcp-sd can't know one by its status (README)
	spare   string            // the answer without which the mechanism still lists all
	want    string            // address, identity, environment, region and version of the only target
}

// Recorded answers become targets with identity, environment, region and version
// (contract §4), and whatever else the service does to any of the questions, also
// in the middle of an answer, is a failed part.
func TestRecordedAnswers(t *testing.T) {
	for _, kind := range []map[string]recording{orchestrators, registries, clouds, amazon} {
		for name, r := range kind {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				t.Run("answered", func(t *testing.T) { t.Parallel(); r.answered(t) })
				for _, f := range faults(r) {
					t.Run(f.name, func(t *testing.T) { t.Parallel(); r.failed(t, f) })
				}
			})
		}
	}
}

func (r recording) answered(t *testing.T) {
	s := serve(t, r, fault{})
	l := source(t, s.fill(r.config), 20*time.Second).Discover(t.Context())
	if err := sourcetest.CheckListing(l, false); err != nil || len(l.Parts[0].Raw) != 1 {
		t.Fatalf("%v: %+v", err, l.Parts)
	}
	one := l.Parts[0].Raw[0]
	got := strings.Join([]string{
		one.Labels.Get(target.AddressLabel), one.Identity,
		one.Labels.Get("environment"), one.Labels.Get("region"), one.Labels.Get("version"),
	}, " ")
	if want := s.fill(r.want); got != want {
		t.Errorf("got  %q\nwant %q\nof %s", got, want, one.Labels)
	}
}

func (r recording) failed(t *testing.T, f fault) {
	p := source(t, serve(t, r, f).fill(r.config), cmp.Or(f.timeout, 20*time.Second)).Discover(t.Context()).Parts[0]
	if p.Err == nil || p.Raw != nil {
		t.Errorf("%+v", p)
	}
}

// faults are what may happen to each of the questions.
func faults(r recording) []fault {
	const short = 2 * time.Second // some clients try again for long
	all := []fault{{name: "hang", serve: hang, timeout: short}}
	for _, key := range slices.Sorted(maps.Keys(r.answers)) {
		if key != r.spare {
			all = append(all, fault{"500 to " + key, key, refuse, short}, fault{"half of " + key, key, half, short})
		}
	}
	for key, answer := range r.odd {
		all = append(all, fault{name: "odd " + key, to: key, serve: func(a *api, w http.ResponseWriter, _ *http.Request, _, _ string) {
			a.answer(w, key, answer)
		}})
	}
	return all
}

// but has some answers in place of others, or beside them.
func but(answers map[string]string, others ...string) map[string]string {
	all := maps.Clone(answers)
	for pair := range slices.Chunk(others, 2) {
		all[pair[0]] = pair[1]
	}
	return all
}

func options(t *testing.T, text string) *prometheus.Options {
	t.Helper()
	o := prometheus.Default()
	if err := yaml.UnmarshalStrict([]byte(text), &o.Configs); err != nil {
		t.Fatalf("%v\nof %s", err, text)
	}
	return o
}

func source(t *testing.T, text string, timeout time.Duration) target.Source {
	t.Helper()
	src, err := options(t, text).New(target.Env{Source: "recorded", Dir: t.TempDir(), Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// Without an interval a mechanism's silence would never be a failure (contract §4):
// it is found in each one's own options, also where prometheus.yml does not set it.
func TestEachHasAnInterval(t *testing.T) {
	for _, kind := range []map[string]recording{orchestrators, registries, clouds, amazon} {
		for name, r := range kind {
			unset := strings.ReplaceAll(r.config, ", $REFRESH", "")
			if unset == r.config {
				t.Errorf("%s sets none, or in another way: %s", name, r.config)
			}
			if o := options(t, serve(t, r, fault{}).fill(unset)); o.RefreshInterval() <= 0 {
				t.Errorf("%s has none", name)
			}
		}
	}
}

// Each mechanism that the block has a key for is linked by default.
func TestAllAreLinked(t *testing.T) {
	o := prometheus.Default()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(text, &keys); err != nil || len(keys) < 31 {
		t.Fatalf("%v: %s", err, text)
	}
	linked := strings.Join(prometheus.Linked(), " ")
	const want = "aws azure digitalocean dns docker dockerswarm elasticache eureka gce hetzner http ionos kuma lightsail linode marathon msk nerve nomad oci openstack outscale ovhcloud puppetdb rds scaleway serverset stackit triton uyuni vultr"
	if linked != want {
		t.Errorf("linked are %s", linked)
	}
}

// A server that goes away in between is no goroutine left behind.
func TestNothingIsLeftBehind(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
	src := source(t, "docker_sd_configs: [{host: 'http://127.0.0.1:1', refresh_interval: 1s}]", 5*time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if p := src.Discover(ctx).Parts[0]; p.Err == nil || !strings.Contains(p.Err.Error(), "127.0.0.1:1") {
		t.Errorf("%+v", p)
	}
}
