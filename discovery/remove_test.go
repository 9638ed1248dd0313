package discovery

import (
	"testing"
	"time"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// Contract §1, §4: a failure never takes a target away: the last good listing
// stands.
func TestFailureKeeps(t *testing.T) {
	w := newWorld(t, "a")
	w.settle("a", one, two)
	w.fail("a")
	w.down(one, two)
	w.wait(1000 * time.Hour)
	w.expect("the source fails for weeks", one, two)
	if w.plan.Tallies[0].Standing[Published] != 2 {
		t.Fatal("they count as published")
	}
}

// Contract §4: one failed part touches no other part.
func TestFailedPartTouchesNoOther(t *testing.T) {
	w := newWorld(t, "a")
	w.arrive("a", part("p", tgts("a", one, two)...), part("q", tgts("a", three)...))
	w.up(one, two, three)
	w.expect("all up", one, two, three)
	w.arrive("a", part("p", tgts("a", one)...), broken("q"))
	w.down(two, three)
	w.expect("two is gone from its part; three is in the broken one", one, three)
}

// A part that a listing does not name is gone only if no part failed.
func TestAbsentPart(t *testing.T) {
	w := newWorld(t, "a")
	w.arrive("a", part("catalog"), part("svc", tgts("a", one, two)...), part("other", tgts("a", three)...))
	w.up(one, two, three)
	w.step()
	w.arrive("a", broken("catalog"))
	w.down(one)
	w.expect("the catalogue can't be read", one, two, three)
	w.arrive("a", part("catalog"), part("svc", tgts("a", one, two)...))
	w.down(three)
	w.expect("the catalogue does not name the part", one, two)
}

// Contract §4: no part holds up another. What some parts said early counts, of
// the others it says nothing, and the complete listing counts it once.
func TestEarlyListing(t *testing.T) {
	const four = "10.0.0.4:80"
	w := newWorld(t, "a")
	w.arrive("a", part("p", tgts("a", one, two)...), part("q", tgts("a", three)...))
	w.up(one, two, three)
	w.step()
	src, _ := w.state.Source("a").part("p")
	agreed, succeeded := src.Run.Count, w.state.Source("a").Succeeded
	w.wait(time.Minute)
	w.early("a", part("p", tgts("a", one, four)...))
	w.up(four)
	w.down(two, three)
	w.expect("one part has answered, the other is silent", one, three, four)
	if src.Run.Count != agreed || !w.state.Source("a").Succeeded.Equal(succeeded) {
		t.Error("an early listing counts as a whole one")
	}
	w.arrive("a", part("p", tgts("a", one, four)...), broken("q"))
	w.expect("the other has failed", one, three, four)
	if src.Run.Count != agreed+1 {
		t.Errorf("the part agreed %d times, want %d", src.Run.Count, agreed+1)
	}
}

// Contract §5, Removal: it leaves when its last fall probes failed, or after
// linger if it still answers; only up counts as answering.
func TestLinger(t *testing.T) {
	w := newWorld(t, "a")
	w.settle("a", one, two, three)
	w.list("a", two, three)
	w.expect("not listed any more", one, two, three)
	w.is(one, Lingering, RuleStillAnswers)
	if c := check(w, one); c.Cadence != health.Leave {
		t.Fatalf("it is probed at cadence %v, want Leave", c.Cadence)
	}
	w.probe(health.ClassRefused, 2, one)
	w.expect("two failures are not fall", one, two, three)
	w.probe(health.ClassRefused, 1, one)
	w.expect("its last fall probes failed", two, three)
	if len(w.gone) != 1 || w.gone[0].Rule != RuleSilent || w.gone[0].Target != key(one) {
		t.Fatalf("the journal says %+v", w.gone)
	}

	w = newWorld(t, "a")
	w.settle("a", one, two, three)
	w.list("a", two, three)
	w.wait(10*time.Minute - time.Second)
	w.expect("it still answers", one, two, three)
	w.wait(time.Second)
	w.expect("linger is over", two, three)
	if w.gone[0].Rule != RuleLingered {
		t.Fatalf("it left by %q", w.gone[0].Rule)
	}
}

func check(w *world, address string) health.Check {
	w.t.Helper()
	for _, c := range w.plan.Checks {
		if c.Key.Address == address {
			return c
		}
	}
	w.t.Fatalf("%s is not probed", address)
	return health.Check{}
}

// A target that comes back while it lingers is as if it had never been gone.
func TestBackWhileLingering(t *testing.T) {
	w := newWorld(t, "a")
	w.settle("a", one, two, three)
	w.list("a", two, three)
	w.step()
	w.wait(9 * time.Minute)
	w.list("a", one, two, three)
	w.expect("back", one, two, three)
	w.is(one, Published, RuleListed)
	w.list("a", two, three)
	w.wait(9 * time.Minute)
	w.expect("linger starts anew", one, two, three)
}

// A target that comes back under other labels is one target with those labels,
// neither a second one nor a removal.
func TestBackUnderOtherLabels(t *testing.T) {
	w := newWorld(t, "a")
	w.settle("a", one, two, three)
	w.list("a", two, three)
	w.wait(time.Minute)
	w.step()
	w.is(one, Lingering, RuleStillAnswers)
	w.arrive("a", part("p", tgt("a", one, "environment", "staging"), tgt("a", two), tgt("a", three)))
	w.expect("back", one, two, three)
	if got := w.plan.Want[0].Labels.Get("environment"); got != "staging" {
		t.Errorf("environment is %q, want that of the new listing", got)
	}
	if len(w.gone) > 0 {
		t.Errorf("the journal says %+v", w.gone)
	}
	w.is(one, Published, RuleListed)
}

// Contract §5: changed labels are no removal.
func TestLabelChange(t *testing.T) {
	w := newWorld(t, "a")
	w.settle("a", one)
	w.arrive("a", part("p", tgt("a", one, "environment", "staging")))
	w.expect("relabelled", one)
	if got := w.plan.Want[0].Labels.Get("environment"); got != "staging" {
		t.Fatalf("environment is %q", got)
	}
	if len(w.gone) > 0 {
		t.Fatalf("nothing left: %+v", w.gone)
	}
}

// Contract §5: inline static targets do not linger, and pass no guard (§6).
func TestInlineLeavesAtOnce(t *testing.T) {
	w := newWorld(t, "a")
	in := part("inline", tgts("a", one, two, three)...)
	in.Inline = true
	w.arrive("a", in)
	w.up(one, two, three)
	w.expect("all up", one, two, three)
	none := part("inline")
	none.Inline = true
	w.arrive("a", none)
	w.expect("all taken out")
	if w.gone[0].Rule != RuleInline {
		t.Fatalf("left by %q", w.gone[0].Rule)
	}
}

// Contract §5: with health.enabled: false everything listed is published and
// leaves by the guard alone.
func TestRemovalWithoutHealth(t *testing.T) {
	w := newWorld(t, "a")
	w.tune("a", func(p *SourcePolicy) { p.Health.Enabled = false })
	w.list("a", one, two, three)
	w.step()
	w.list("a", two, three)
	w.expect("at once", two, three)
}

// Contract §5, Identity: another instance behind the address starts anew, and
// publication does not end.
func TestIdentity(t *testing.T) {
	w := newWorld(t, "a")
	in := tgt("a", one)
	in.Identity = "i-1"
	w.arrive("a", part("p", in))
	w.up(one)
	w.step()
	in.Identity = "i-2"
	w.arrive("a", part("p", in))
	w.expect("publication does not end", one)
	if c := w.decision(one); c.Verdict != health.Unknown {
		t.Fatalf("its verdict is %q, want unknown", c.Verdict)
	}
}

// Contract §8: what the files said at the start stays, labels and all, until
// all parts of all sources have answered.
func TestInheritedStays(t *testing.T) {
	w := newWorld(t, "a", "b")
	old := tgt("a", one, "environment", "old", "__meta_mcp_sd_source", "a")
	w.state.Inherit(map[string][]target.Target{"f.json": {old, tgt("a", two, "__meta_mcp_sd_source", "a"), tgt("a", three)}}, "version")
	w.state.Merge(w.now)
	w.expect("nobody has answered", one, two, three)
	w.arrive("a", part("p", tgt("a", one, "environment", "new")))
	w.down(two, three)
	w.expect("b has not answered", one, two, three)
	w.is(two, Published, RuleAwaitSources)
	if got := w.plan.Want[0].Labels.Get("environment"); got != "old" {
		t.Fatalf("relabelled to %q before b answered", got)
	}
	w.fail("b")
	w.wait(1000 * time.Hour)
	w.expect("a failure is no answer", one, two, three)
	w.list("b", three)
	w.step()
	if got := w.plan.Want[0].Labels.Get("environment"); got != "new" {
		t.Fatalf("environment is %q after both answered", got)
	}
	w.down(two)
	w.expect("two is in no listing", one, three)
}

// Contract §8: a listing on disk may be older than the files. What they say is
// published for one source is not another's to take away, although that had listed
// it when the listings were saved, and that source may have another name now.
func TestListingOlderThanFile(t *testing.T) {
	const four = "10.0.0.4:3000"
	for _, name := range []string{"b", "renamed"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			w.settle("a", one, two, three)
			w.settle("b", four)
			c := newCabinet()
			m := memory{folder: c, dirty: true, listings: map[string]bool{"a": true, "b": true}}
			if err := m.save(w.state, w.now, true); err != nil {
				t.Fatal(err)
			}
			w.list("b", four, three)
			w.list("a", one, two)
			w.expect("b lists three now", one, two, three, four)
			if !w.reborn(c, "a", name) {
				t.Fatal("the state can't be used")
			}
			w.list("a", one, two)
			w.fail(name)
			w.down(three)
			w.wait(1000 * time.Hour)
			w.list("a", one, two)
			w.expect(name+" has not answered", one, two, three, four)
			w.list(name, four)
			w.down(three)
			w.expect("it does not list three", one, two, four)
		})
	}
}

// Contract §6: the targets of a source that was taken out leave once every
// source added by the same reload has answered and none lists them.
func TestSourceTakenOut(t *testing.T) {
	w := newWorld(t, "a")
	w.settle("a", one, two, three)
	w.configure("b")
	w.expect("b has not answered", one, two, three)
	w.fail("b")
	w.wait(1000 * time.Hour)
	w.expect("b fails", one, two, three)
	w.list("b", one)
	w.expect("b lists one of them", one)
	if w.gone[0].Rule != RuleSourceRemoved {
		t.Fatalf("left by %q", w.gone[0].Rule)
	}
}
