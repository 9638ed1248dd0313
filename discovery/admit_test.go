package discovery

import (
	"testing"
	"time"

	"github.com/mcp-sd/mcp-sd/health"
)

const one, two, three = "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"

// Contract §5, Admission: a new target is published with its first successful
// probe, and until then pending.
func TestAdmissionOnSuccess(t *testing.T) {
	w := newWorld(t, "a")
	w.list("a", one, two)
	w.expect("nothing has answered yet")
	w.is(one, Pending, RuleAwaitSuccess)
	if c := check(w, one); c.Cadence != health.Admit {
		t.Fatalf("it is probed at cadence %v, want Admit", c.Cadence)
	}
	w.probe(health.ClassUp, 1, one)
	w.expect("the first success admits at once", one)
	w.is(one, Published, RuleProbed)
	w.is(two, Pending, RuleAwaitSuccess)
}

// Contract §5: after admit_timeout it is published all the same, marked down.
func TestAdmissionTimeout(t *testing.T) {
	w := newWorld(t, "a")
	w.list("a", one)
	w.step()
	w.down(one)
	w.wait(5*time.Minute - time.Second)
	w.expect("just before admit_timeout")
	if want := w.now.Add(time.Second); !w.plan.NextAt.Equal(want) {
		t.Fatalf("the timer is set to %v, want %v", w.plan.NextAt, want)
	}
	w.wait(time.Second)
	w.expect("at admit_timeout", one)
	w.is(one, Published, RuleAdmitTimeout)
	if got := w.plan.Want[0].Labels.Get("__meta_mcp_sd_health"); got != "down" {
		t.Fatalf("it is published as %q, want down", got)
	}
}

// Contract §5: denied addresses never get in, not even by a timeout.
func TestAdmissionDenied(t *testing.T) {
	w := newWorld(t, "a")
	w.list("a", one)
	w.step()
	w.probe(health.ClassDenied, 3, one)
	w.wait(time.Hour)
	w.expect("an address that resolves to where nothing may be probed")
	w.is(one, Pending, RuleDenied)
}

// Contract §5: admit: always and health.enabled: false publish at once.
func TestAdmissionWithoutProbe(t *testing.T) {
	for name, change := range map[string]func(*SourcePolicy){
		"admit always":   func(p *SourcePolicy) { p.Health.Admit = health.AdmitAlways },
		"health.enabled": func(p *SourcePolicy) { p.Health.Enabled = false },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "a")
			w.tune("a", change)
			w.list("a", one)
			w.expect("at once", one)
			w.is(one, Published, RuleAlways)
		})
	}
}

// Contract §5: a published target needs no new admission when another source
// lists it.
func TestAnotherSourceNeedsNoAdmission(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.list("b")
	w.settle("a", one, two, three)
	w.down(one)
	w.list("b", one)
	w.list("a", two, three)
	w.expect("b lists it now", one, two, three)
	w.is(one, Published, RuleListed)
	if got := w.plan.Want[0].Labels.Get("__meta_mcp_sd_source"); got != "b" {
		t.Fatalf("its source is %q, want b", got)
	}
}

// Contract §5, Retention: a published target that goes down stays while it is
// listed, for ever.
func TestDownStays(t *testing.T) {
	w := newWorld(t, "a")
	w.settle("a", one, two)
	w.down(one, two)
	w.wait(1000 * time.Hour)
	w.expect("down, and listed", one, two)
	w.is(one, Published, RuleListed)
}

// Contract §5: drop_after takes a target out that is down for so long, and only
// an answer brings it back.
func TestDropAfter(t *testing.T) {
	w := newWorld(t, "a")
	w.tune("a", func(p *SourcePolicy) { p.Health.DropAfter = duration(time.Hour) })
	w.settle("a", one, two, three)
	w.down(one)
	w.expect("down for a moment", one, two, three)
	w.wait(time.Hour - time.Second)
	w.expect("down for less than drop_after", one, two, three)
	w.wait(time.Second)
	w.expect("down for drop_after", two, three)
	w.is(one, Dropped, RuleDown)
	w.wait(24 * time.Hour)
	w.expect("no admit_timeout brings it back", two, three)
	w.up(one)
	w.expect("an answer does", one, two, three)
}

// Contract §5: drop_after is suspended while more than half of what the source
// lists is down at once, dropped ones counted.
func TestDropAfterSuspended(t *testing.T) {
	w := newWorld(t, "a")
	w.tune("a", func(p *SourcePolicy) { p.Health.DropAfter = duration(time.Hour) })
	w.settle("a", one, two, three)
	w.down(one)
	w.wait(time.Hour)
	w.expect("one of three", two, three)
	w.down(two)
	w.wait(time.Hour)
	w.expect("two of three are down, the dropped one counted", two, three)
}

// Contract §5, Version: from the source, else from the metrics; a source that
// loses its value does not hand over to another spelling while the identity
// lives; under version.label, or __meta_ only.
func TestVersion(t *testing.T) {
	version := func(w *world) (string, string) {
		l := w.plan.Want[0].Labels
		return l.Get(w.policy.Version.Label), l.Get("__meta_mcp_sd_version_source")
	}
	list := func(w *world, identity string, lbls ...string) {
		in := tgt("a", one, lbls...)
		in.Identity = identity
		w.arrive("a", part("p", in))
	}
	probe := func(w *world, version string) {
		r := w.state.Record(key(one))
		w.state.Fold(r, health.Result{Key: key(one), Identity: r.identity, At: w.now, Version: version}, health.DefaultOptions(), w.now)
	}
	check := func(t *testing.T, w *world, value, from string) {
		t.Helper()
		w.step()
		if v, f := version(w); v != value || f != from {
			t.Fatalf("version %q from %q, want %q from %q", v, f, value, from)
		}
	}

	w := newWorld(t, "a")
	list(w, "i-1", "version", "v2.3.1")
	probe(w, "2.3.1")
	check(t, w, "v2.3.1", "source")
	list(w, "i-1")
	check(t, w, "v2.3.1", "source") // the tag is lost, the instance is the same
	list(w, "i-2")
	w.step()
	probe(w, "2.4.0")
	check(t, w, "2.4.0", "metrics") // another instance starts anew
	list(w, "i-2", "version", "v2.4.0")
	check(t, w, "v2.4.0", "source")

	w = newWorld(t, "a")
	w.policy.Version = VersionOptions{From: []string{FromMetrics, FromSource}, Label: "release"}
	list(w, "i-1", "version", "v1")
	probe(w, "1.0")
	check(t, w, "1.0", "metrics")
	if w.plan.Want[0].Labels.Has("version") {
		t.Fatal("version.label renames the label, it does not double it")
	}

	w = newWorld(t, "a")
	w.policy.Version.Label = ""
	list(w, "i-1", "version", "v1")
	probe(w, "")
	w.step()
	if l := w.plan.Want[0].Labels; l.Has("version") || l.Get("__meta_mcp_sd_version") != "v1" {
		t.Fatalf(`version.label: "" publishes %s`, l)
	}
}
