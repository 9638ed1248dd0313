package discovery

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"pgregory.net/rapid"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// asksMCP has the source's servers asked who they are.
func asksMCP(require bool) func(*SourcePolicy) {
	return func(p *SourcePolicy) {
		o := health.DefaultMCPOptions()
		o.RequireMCP = require
		p.MCP = &o
	}
}

func byMCP(w *world) { w.policy.Version.From = []string{FromSource, FromMetrics, FromMCP} }

// answer folds what a server said of itself.
func (w *world) answer(address string, class health.Class, a health.Answer) {
	if r := w.state.Record(key(address)); r != nil {
		in := health.Result{Key: key(address), Identity: r.identity, At: w.now, Class: class, MCP: &a}
		w.state.Fold(r, in, w.policy.Sources["a"].Health, w.now)
	}
}

func (w *world) says(address, name, version string) {
	w.answer(address, health.ClassUp, health.Answer{
		Proved: true, Keep: time.Hour, Server: health.Server{Name: name, Version: version, Protocol: "2026-07-28"},
	})
}

func (w *world) other(address string) {
	w.answer(address, health.ClassNotMCP, health.Answer{Other: true, Keep: time.Hour})
}

// shows folds a probe that found mcp_* among the metrics.
func (w *world) shows(address string) {
	r := w.state.Record(key(address))
	in := health.Result{Key: key(address), Identity: r.identity, At: w.now, MCPMetrics: true}
	w.state.Fold(r, in, w.policy.Sources["a"].Health, w.now)
}

// label is one of a published target.
func (w *world) label(address, name string) string {
	w.t.Helper()
	for _, t := range w.plan.Want {
		if t.Address == address {
			return t.Labels.Get(name)
		}
	}
	w.t.Fatalf("%s is not published\n%s", address, w.rules())
	return ""
}

// mcpLabels are what is told of a target as an MCP server.
func (w *world) mcpLabels(address string) [3]string {
	w.t.Helper()
	return [3]string{w.label(address, target.MCPLabel), w.label(address, target.MCPServerLabel), w.label(address, target.MCPProtocolLabel)}
}

// What is known grows from what the source declares over the metrics to what the
// server itself answers; none of it changes a label without the __meta_ prefix.
func TestMCPLabels(t *testing.T) {
	w := newWorld(t, "a")
	w.tune("a", asksMCP(false))
	w.arrive("a", part("p", tgt("a", one, target.MCPLabel, target.MCPDeclared), tgt("a", two)))
	w.up(one, two)
	w.step()
	series := func() target.Labels { return w.plan.Want[0].Labels }
	before := series()
	for _, step := range []struct {
		why  string
		do   func()
		want [3]string
	}{
		{"declared", func() {}, [3]string{"declared", "", ""}},
		{"left open", func() { w.answer(one, health.ClassTimeout, health.Answer{}) }, [3]string{"declared", "", ""}},
		{"by its metrics", func() { w.shows(one) }, [3]string{"metrics", "", ""}},
		{"by the protocol", func() { w.says(one, "weather", "2") }, [3]string{"protocol", "weather", "2026-07-28"}},
		{"another name", func() { w.says(one, "news", "2") }, [3]string{"protocol", "news", "2026-07-28"}},
		{"left open again", func() { w.answer(one, health.ClassTimeout, health.Answer{}) }, [3]string{"protocol", "news", "2026-07-28"}},
		{"something else, once", func() { w.other(one) }, [3]string{"protocol", "news", "2026-07-28"}},
		{"something else, twice", func() { w.other(one) }, [3]string{"metrics", "", ""}},
	} {
		step.do()
		w.step()
		if got := w.mcpLabels(one); got != step.want {
			t.Errorf("%s: %q, want %q", step.why, got, step.want)
		}
		if !target.SameSeries(before, series()) {
			t.Errorf("%s: a new series: %v, before %v", step.why, series(), before)
		}
		if got := w.mcpLabels(two); got != [3]string{} {
			t.Errorf("%s: %q of a target of which nothing is known", step.why, got)
		}
	}
	w.tune("a", func(p *SourcePolicy) { p.MCP = nil })
	w.arrive("a", part("p", tgt("a", one), tgt("a", two)))
	w.step()
	if got := w.mcpLabels(one); got != [3]string{} {
		t.Errorf("%q though nobody asks any more", got)
	}
}

// The server's own word is the version where nothing better has one, in the
// order of version.from, believed as any other (contract §5).
func TestVersionByMCP(t *testing.T) {
	w := newWorld(t, "a")
	w.tune("a", asksMCP(false))
	byMCP(w)
	w.arrive("a", part("p", tgt("a", one), tgt("a", two, "version", "v2")))
	w.up(one, two)
	w.says(one, "weather", "2.3.1")
	w.says(two, "weather", "2.3.1")
	is := func(why, address, version, from string) {
		t.Helper()
		w.step()
		if v, f := w.label(address, "version"), w.label(address, target.VersionSourceLabel); v != version || f != from {
			t.Errorf("%s: version %q from %q, want %q from %q", why, v, f, version, from)
		}
	}
	is("the server alone has one", one, "2.3.1", "mcp")
	is("the source has one", two, "v2", "source")
	w.says(one, "weather", "2.4.0")
	is("another one, once", one, "2.3.1", "mcp")
	w.says(one, "weather", "2.4.0")
	is("another one, twice", one, "2.4.0", "mcp")
	w.other(one)
	w.other(one)
	is("it is none any more", one, "2.4.0", "mcp")
	w.says(one, "weather", "2.4.0")
	w.arrive("a", part("p", tgt("a", one), tgt("a", two)))
	is("the source lost it", two, "v2", "source")

	w.policy.Version = DefaultVersionOptions()
	w.tune("a", func(*SourcePolicy) {})
	is("mcp is not among version.from", one, "", "")
}

// require_mcp admits what proved to be an MCP server, by the protocol or by its
// metrics, and nothing else: neither time nor health stands in for the proof.
func TestRequireMCP(t *testing.T) {
	w := newWorld(t, "a")
	w.tune("a", asksMCP(true))
	w.arrive("a", part("p", tgt("a", one, target.MCPLabel, target.MCPDeclared), tgt("a", two), tgt("a", three)))
	w.expect("nothing has answered")
	w.is(one, Pending, RuleUnproved)
	if c := check(w, one); c.Cadence != health.Admit {
		t.Errorf("it is probed at cadence %v, want Admit", c.Cadence)
	}
	w.up(one, two)
	w.down(three)
	w.other(two)
	w.wait(time.Hour)
	w.expect("up, down and declared, and nothing proved")
	w.is(one, Pending, RuleUnproved)
	w.says(one, "weather", "1")
	w.expect("the first has answered", one)
	w.is(one, Published, RuleProbed)
	w.shows(two)
	w.expect("the second has the metrics of one", one, two)
	w.says(three, "news", "1")
	w.expect("the third is proved, and down for longer than admit_timeout", one, two, three)
	w.is(three, Published, RuleAdmitTimeout)
}

// Contract §1: no answer to who it is takes a published target away, nor does it
// that require_mcp is asked for later, nor that another instance moves in.
func TestRequireMCPKeepsWhatIsPublished(t *testing.T) {
	w := newWorld(t, "a")
	w.settle("a", one, two)
	w.tune("a", asksMCP(true))
	w.expect("require_mcp by a reload", one, two)
	for range 3 {
		w.other(one)
		w.answer(two, health.ClassTimeout, health.Answer{})
		w.wait(time.Hour)
		w.expect("answers of another server, and none", one, two)
	}
	moved := tgt("a", one)
	moved.Identity = "another"
	w.arrive("a", part("p", moved, tgt("a", two)))
	w.expect("another instance", one, two)
	w.down(one, two)
	w.expect("down", one, two)

	w.tune("a", func(p *SourcePolicy) { p.Health.DropAfter = duration(time.Minute) })
	w.list("a", one, two, three)
	w.up(two, three)
	w.says(three, "news", "1")
	w.wait(time.Hour)
	w.expect("drop_after takes the silent one", two, three)
	w.up(one)
	w.expect("and its answer brings it back: it had been admitted", one, two, three)
}

// Where files were lost, what was in them comes back without a proof
// (contract §1).
func TestRequireMCPAndLostFiles(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.tune("a", asksMCP(true))
	w.state.lost = true
	w.list("a", one)
	w.expect("perhaps it was published", one)
	w.is(one, Published, RuleRestored)
}

// A check carries when the target may be asked, and one more answer is asked for
// where a version differs.
func TestAskAfter(t *testing.T) {
	o := health.DefaultMCPOptions()
	s, err := health.NewSpec("a", health.DefaultOptions(), false, health.NewMetrics(prometheus.NewRegistry()), health.WithMCP(&o))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w := newWorld(t, "a")
	w.tune("a", func(p *SourcePolicy) { p.MCP, p.Spec = &o, s })
	w.settle("a", one)
	is := func(why string, want int64) {
		t.Helper()
		w.step()
		if got := check(w, one).AskAfter; got != want {
			t.Errorf("%s: asked after %d, want %d", why, got, want)
		}
	}
	is("never asked", 0)
	w.says(one, "a", "1")
	is("it has answered", w.now.Add(time.Hour).UnixMilli())
	w.wait(time.Hour)
	w.says(one, "a", "2")
	is("another version", w.now.UnixMilli())
}

// counting counts who is asked.
type counting struct {
	*fleet
	asked int
}

func (c *counting) Ask(ctx context.Context, checks []health.Check) []health.Result {
	c.asked += len(checks)
	return c.fleet.Ask(ctx, checks)
}

// A single pass asks who is up, and admits by the answer; the next one remembers
// it for as long as it stands.
func TestOnceAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(one, two)
		r.silent[two] = true
		o := health.DefaultMCPOptions()
		o.RequireMCP = true
		s, err := health.NewSpec("a", health.DefaultOptions(), false, health.NewMetrics(prometheus.NewRegistry()), health.WithMCP(&o))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		c := &counting{fleet: r.fleet}
		for pass, want := range []int{1, 1, 2} {
			e := New(Options{Sweeper: c, Folder: r.cabinet, Logger: promslog.NewNopLogger(), Metrics: NewMetrics(prometheus.NewRegistry())})
			setup := r.setup()
			setup.Sources[0].Policy.MCP, setup.Sources[0].Policy.Spec = &o, s
			setup.Version.From = []string{FromSource, FromMetrics, FromMCP}
			if _, err := e.Once(t.Context(), setup, OnceOptions{}); err != nil {
				t.Fatal(err)
			}
			r.expect(t, "the one that answers", one)
			if c.asked != want {
				t.Errorf("pass %d: %d were asked so far, want %d", pass, c.asked, want)
			}
			if l := r.files[key(one)].Labels; l.Get(target.MCPServerLabel) != "fake" || l.Get("version") != "1" {
				t.Errorf("pass %d: published as %s", pass, l)
			}
			elapse(31 * time.Minute)
		}
	})
}

// What readers see of it.
func TestMCPView(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.tune("a", asksMCP(true))
	w.list("a", one, two)
	w.list("b", three)
	w.up(one, two, three)
	w.says(one, "weather", "2.3.1")
	w.other(two)
	w.step()
	e := New(Options{Now: func() time.Time { return w.now }})
	e.state, e.policy = w.state, w.policy
	views := e.targets()
	b, err := json.Marshal(views[0].MCP)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"evidence":"protocol","server_name":"weather","server_version":"2.3.1","protocol_version":"2026-07-28",` +
		`"last_asked":"2026-01-01T00:00:00Z","next_asked":"2026-01-01T01:00:00Z"}`
	if string(b) != want {
		t.Errorf("%s\nwant %s", b, want)
	}
	if v := views[1]; v.Rule != RuleUnproved || v.MCP.Evidence != "" || v.MCP.LastFail != "not_mcp" {
		t.Errorf("%+v %+v", v, v.MCP)
	}
	if views[2].MCP != nil {
		t.Errorf("%+v of a source that does not ask", views[2].MCP)
	}
}

// Random lives in which servers are asked who they are, and some of them need to
// prove it: no answer ever takes a target away, nothing is admitted without a
// proof, no answer changes the series of a published target but by its version,
// and a restart changes nothing.
func TestMCPProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newHistory(t, rt)
		require := rapid.Bool().Draw(rt, "require")
		h.tuneMCP(require)
		byMCP(h.world)
		for range rapid.IntRange(1, 40).Draw(rt, "events") {
			before, held := slices.Clone(h.plan.Want), h.held()
			asked := rapid.Bool().Draw(rt, "an answer")
			failure := asked
			if asked {
				h.answers()
			} else {
				failure = h.event()
			}
			h.step()
			for _, was := range before {
				i := slices.IndexFunc(h.plan.Want, func(t *target.Target) bool { return t.Key == was.Key })
				released := asked && held[was.Key] // by the one that the answer has admitted
				if i < 0 && (failure && !released || h.listed(was.Address)) {
					rt.Fatalf("%s left\n%s", was.Address, h.rules())
				}
				if i >= 0 && asked && !sameButVersion(was.Labels, h.plan.Want[i].Labels) {
					rt.Fatalf("an answer made %v of %v", h.plan.Want[i].Labels, was.Labels)
				}
			}
			h.provedOnly(before, require)
			h.pure()
		}
		before := slices.Clone(h.plan.Want)
		h.restart()
		h.step()
		if !slices.EqualFunc(before, h.plan.Want, equalTargets) {
			rt.Fatalf("published before the restart\n%v\nafter\n%v", before, h.plan.Want)
		}
	})
}

// held are the targets that the guard holds.
func (h *history) held() map[target.Key]bool {
	held := map[target.Key]bool{}
	for _, c := range h.plan.Decisions {
		held[c.Record.Key] = c.Standing == Held
	}
	return held
}

// tuneMCP is a reload that has all servers asked.
func (h *history) tuneMCP(require bool) {
	for _, name := range []string{"a", "b"} {
		p := h.policy.Sources[name]
		asksMCP(require)(&p)
		h.policy.Sources[name] = p
	}
	h.reload()
}

// answers lets some servers say who they are, or not.
func (h *history) answers() {
	for _, a := range h.some("asked") {
		switch rapid.SampledFrom([]string{"proved", "proved", "other", "open", "metrics"}).Draw(h.rt, "answer") {
		case "proved":
			h.says(a, rapid.SampledFrom([]string{"", "x", "y"}).Draw(h.rt, "name"), rapid.SampledFrom([]string{"", "1", "2"}).Draw(h.rt, "version"))
		case "other":
			h.other(a)
		case "open":
			h.answer(a, health.ClassUnauthorized, health.Answer{Keep: time.Minute})
		default:
			if h.state.Record(key(a)) != nil {
				h.shows(a)
			}
		}
	}
}

// provedOnly: what is new among the published has proved what it is.
func (h *history) provedOnly(before []*target.Target, require bool) {
	for _, now := range h.plan.Want {
		if !require || slices.ContainsFunc(before, func(t *target.Target) bool { return t.Key == now.Key }) {
			continue
		}
		if k := h.state.Ledger.MCP(now.Key); k == nil || !k.Proved && !k.Metrics {
			h.rt.Fatalf("%s was admitted without a proof\n%s", now.Address, h.rules())
		}
	}
}

func sameButVersion(a, b target.Labels) bool {
	without := func(l target.Labels) target.Labels {
		return labels.NewBuilder(l).Del("version").Labels()
	}
	return target.SameSeries(without(a), without(b))
}
