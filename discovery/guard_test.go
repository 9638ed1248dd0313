package discovery

import (
	"testing"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// Contract §6: at most max(min_removed, ⌊ratio × peak⌋) may leave in a window,
// and a removal that would exceed it is held whole.
func TestGuardRatio(t *testing.T) {
	for _, c := range []struct{ fleet, leave, remain int }{
		{fleet: 100, leave: 30, remain: 70},
		{fleet: 100, leave: 31, remain: 100},
		{fleet: 100, leave: 99, remain: 100},
		{fleet: 5, leave: 2, remain: 3},
		{fleet: 5, leave: 3, remain: 5},
		{fleet: 3, leave: 2, remain: 1},
		{fleet: 2, leave: 1, remain: 1},
		{fleet: 2, leave: 2, remain: 2}, // never to zero
		{fleet: 1, leave: 1, remain: 1},
	} {
		all := hosts(c.fleet)
		w := newWorld(t, "a")
		w.settle("a", all...)
		w.list("a", all[c.leave:]...)
		w.down(all[:c.leave]...)
		if got := len(w.step()); got != c.remain {
			t.Errorf("%d of %d leave: %d remain, want %d\n%s", c.leave, c.fleet, got, c.remain, w.rules())
		}
	}
}

// Those that still linger count: one listing that lost most of a fleet is one
// removal, though its endpoints fall silent one after the other.
func TestGuardHoldsWhole(t *testing.T) {
	all := hosts(100)
	w := newWorld(t, "a")
	w.settle("a", all...)
	w.list("a", all[0])
	for _, a := range all[1:] {
		w.down(a)
		w.wait(time.Millisecond)
		if got := len(w.step()); got != 100 {
			t.Fatalf("%d remain after %s fell silent", got, a)
		}
	}
	w.is(all[50], Held, RuleGuardRatio)
}

// The bound is over the window: what left in it counts, what left before does
// not.
func TestGuardWindow(t *testing.T) {
	all := hosts(10)
	w := newWorld(t, "a")
	w.settle("a", all...)
	w.list("a", all[2:]...)
	w.down(all[:2]...)
	w.expect("two of ten", all[2:]...)
	w.list("a", all[4:]...)
	w.down(all[2:4]...)
	w.expect("two more would be four of ten", all[2:]...)
	w.wait(11 * time.Minute)
	w.fail("a") // so that nothing is confirmed
	w.expect("a moving window releases nothing", all[2:]...)
	w.list("a", all[2:]...)
	w.step()
	w.list("a", all[5:]...)
	w.down(all[2:5]...)
	w.expect("three of eight exceed the ratio", all[2:]...)
	w.list("a", all[2:]...)
	w.up(all[2:]...)
	w.step()
	w.list("a", all[4:]...)
	w.down(all[2:4]...)
	w.expect("two of eight in a new window", all[4:]...)
}

// What is held while its file can't be written, or waits to be, is held all the
// same when the window has moved on (contract §6).
func TestGuardWindowWhileBehind(t *testing.T) {
	all := hosts(10)
	w := newWorld(t, "a")
	w.settle("a", all...)
	w.list("a", all[2:]...)
	w.down(all[:2]...)
	w.expect("two of ten", all[2:]...)
	w.list("a", all[4:]...)
	w.down(all[2:4]...)
	w.plan = Decide(w.state, w.policy, w.now)
	w.state.Wrote(w.plan, w.policy, map[target.Key]bool{key(all[2]): true, key(all[3]): true}, w.now)
	w.wait(11 * time.Minute)
	w.fail("a") // so that nothing is confirmed
	w.expect("a moving window releases nothing", all[2:]...)
	w.is(all[2], Held, RuleGuardRatio)
}

// A removal that was confirmed and could not be written is not held anew.
func TestGuardConfirmedWhileBehind(t *testing.T) {
	all := hosts(10)
	w := newWorld(t, "a")
	w.settle("a", all...)
	w.list("a", all[6:]...)
	w.down(all[:6]...)
	w.expect("60 % at once", all...)
	behind := map[target.Key]bool{}
	for _, a := range all[:6] {
		behind[key(a)] = true
	}
	for minute := 1; minute <= 6; minute++ {
		w.wait(time.Minute)
		w.list("a", all[6:]...)
		w.plan = Decide(w.state, w.policy, w.now)
		if minute >= 3 && len(w.plan.Want) != 4 {
			t.Fatalf("minute %d: %d are to be published\n%s", minute, len(w.plan.Want), w.rules())
		}
		w.state.Wrote(w.plan, w.policy, behind, w.now)
	}
	w.expect("the disk has room again", all[6:]...)
}

// The ratio is of the most that were published within the window, not of what
// is left.
func TestGuardPeak(t *testing.T) {
	all := hosts(10)
	w := newWorld(t, "a")
	w.settle("a", all...)
	w.list("a", all[2:]...)
	w.down(all[:2]...)
	w.expect("two of ten", all[2:]...)
	w.wait(time.Minute)
	w.list("a", all[3:]...)
	w.down(all[2])
	w.expect("the third of ten", all[3:]...)
	w.list("a", all[4:]...)
	w.down(all[3])
	w.expect("the fourth of ten", all[3:]...)
}

// What the configuration takes out leaves beside others that are held.
func TestGuardConfigurationBesideHeld(t *testing.T) {
	all := hosts(20)
	w := newWorld(t, "a")
	w.settle("a", all...)
	w.list("a", all[8:]...)
	w.down(all[:8]...)
	w.expect("eight of twenty", all...)
	w.state.Configure([]SourceSetup{{Name: "a", Type: "test", Fingerprint: "2"}})
	w.list("a", all[11:]...)
	w.down(all[8:11]...)
	w.expect("three by configuration", append(append([]string{}, all[:8]...), all[11:]...)...)
}

// Newly admitted targets make room: a blue/green swap of all instances.
func TestGuardBlueGreen(t *testing.T) {
	all := hosts(20)
	blue, green := all[:10], all[10:]
	w := newWorld(t, "a")
	w.settle("a", blue...)
	w.list("a", all...)
	w.up(all...)
	w.expect("both", all...)
	w.list("a", green...)
	w.down(blue...)
	w.expect("green alone", green...)
}

// What was admitted and wants to leave again replaces nothing: the first
// listing after a fresh start, and the next one lacks nearly all of it.
func TestGuardFreshFleet(t *testing.T) {
	all := hosts(100)
	w := newWorld(t, "a")
	w.list("a", all...)
	w.up(all...)
	w.expect("all admitted", all...)
	w.wait(time.Minute)
	w.list("a", all[0])
	w.down(all[1:]...)
	w.expect("a listing of one of a hundred", all...)
}

// Additions are never delayed.
func TestGuardNeverDelaysAdditions(t *testing.T) {
	all := hosts(20)
	w := newWorld(t, "a")
	w.settle("a", all[:10]...)
	w.list("a", all[9:]...)
	w.down(all[:9]...)
	w.up(all[10:11]...)
	if got := len(w.step()); got != 11 {
		t.Fatalf("%d published, want the ten old ones and the new one\n%s", got, w.rules())
	}
}

// A held target that is down leaves when every listing over confirm_after
// lacked it, at least three, and half of what is listed is up.
func TestGuardConfirm(t *testing.T) {
	all := hosts(10)
	start := func(t *testing.T) *world {
		w := newWorld(t, "a")
		w.settle("a", all...)
		w.list("a", all[6:]...)
		w.down(all[:6]...)
		w.expect("60 % at once", all...)
		return w
	}
	t.Run("confirmed", func(t *testing.T) {
		w := start(t)
		w.wait(time.Minute)
		w.list("a", all[6:]...)
		w.wait(2 * time.Minute)
		w.expect("two listings are not three", all...)
		w.list("a", all[6:]...)
		w.expect("three listings over three minutes", all[6:]...)
		if w.gone[0].Rule != RuleConfirmed {
			t.Fatalf("left by %q", w.gone[0].Rule)
		}
	})
	t.Run("a failed listing starts the time anew", func(t *testing.T) {
		w := start(t)
		w.wait(2 * time.Minute)
		w.list("a", all[6:]...)
		w.fail("a")
		w.list("a", all[6:]...)
		w.wait(2 * time.Minute)
		w.list("a", all[6:]...)
		w.list("a", all[6:]...)
		w.expect("four minutes, but not in a row", all...)
		w.wait(time.Minute)
		w.expect("three minutes in a row", all[6:]...)
	})
	t.Run("most of what is listed is down", func(t *testing.T) {
		w := start(t)
		w.down(all[7:]...)
		for range 4 {
			w.wait(time.Minute)
			w.list("a", all[6:]...)
		}
		w.expect("one of four is up", all...)
		w.up(all[7])
		w.expect("two of four are", all[6:]...)
	})
	t.Run("one that still answers waits for a person", func(t *testing.T) {
		w := start(t)
		w.up(all[0])
		for range 100 {
			w.wait(time.Minute)
			w.list("a", all[6:]...)
			w.step()
		}
		w.expect("held for an hour and more", append([]string{all[0]}, all[6:]...)...)
		w.is(all[0], Held, RuleGuardRatio)
	})
}

// Consul wiped: an empty, successful listing.
func TestGuardNeverToZero(t *testing.T) {
	all := hosts(10)
	w := newWorld(t, "a")
	w.settle("a", all...)
	w.list("a")
	w.down(all...)
	for range 100 {
		w.wait(time.Minute)
		w.list("a")
		w.expect("never silently to zero", all...)
	}
	w.is(all[0], Held, RuleGuardEmpty)
	w.state.Record(key(all[0])).Accepted = "somebody"
	w.expect("what was accepted leaves", all[1:]...)
	if w.gone[0].By != "somebody" || w.gone[0].Rule != RuleAccepted {
		t.Fatalf("the journal says %+v", w.gone[0])
	}

	w = newWorld(t, "a")
	w.tune("a", func(p *SourcePolicy) { p.Guard.AllowEmpty, p.Guard.MaxRemovedRatio = true, 1 })
	w.settle("a", all...)
	w.list("a")
	w.down(all...)
	w.expect("allow_empty and a ratio of 1")
}

// What leaves without asking the guard leaves a source emptier all the same:
// nothing else may go with the last of it (contract §6).
func TestGuardEmptyBesideExempt(t *testing.T) {
	all := hosts(2)
	w := newWorld(t, "a")
	w.settle("a", all...)
	w.list("a")
	w.step()
	w.state.Record(key(all[0])).Accepted = "somebody"
	w.down(all[1])
	w.expect("one was accepted, the other is silent", all[1])
	w.is(all[1], Held, RuleGuardEmpty)

	inline := func(targets ...target.Target) testPart {
		p := part("inline", targets...)
		p.Inline = true
		return p
	}
	w = newWorld(t, "a")
	both := []testPart{inline(tgts("a", all[0])...), part("file", tgts("a", all[1])...)}
	w.arrive("a", both...)
	w.up(all...)
	w.step()
	w.wait(time.Hour)
	w.arrive("a", both...)
	w.step()
	w.arrive("a", inline(), part("file"))
	w.down(all...)
	w.expect("one is inline, the other is not", all[1])
}

// Contract §6, Configuration: the first good, non-empty listing after a change
// of the options is free of the ratio, never of the zero rule.
func TestGuardConfiguration(t *testing.T) {
	all := hosts(10)
	change := func(w *world) {
		w.state.Configure([]SourceSetup{{Name: "a", Type: "test", Fingerprint: "2"}})
	}
	w := newWorld(t, "a")
	w.settle("a", all...)
	change(w)
	w.list("a", all[9])
	w.down(all[:9]...)
	w.expect("nine of ten by configuration", all[9])

	w = newWorld(t, "a")
	w.settle("a", all...)
	change(w)
	w.list("a")
	w.down(all...)
	w.expect("a relabelling that drops all", all...)

	w = newWorld(t, "a")
	w.arrive("a", part("us", tgts("a", all[:8]...)...), part("eu", tgts("a", all[8:]...)...))
	w.up(all...)
	w.step()
	change(w)
	w.arrive("a", part("eu", tgts("a", all[8:]...)...))
	w.expect("a region taken out leaves without lingering", all[8:]...)
}

// A label change that alone would empty a file is held until confirm_after.
func TestGuardFile(t *testing.T) {
	w := newWorld(t, "a")
	w.policy.Files = func(t target.Target) []string { return []string{"mcp-" + t.Labels.Get("environment")} }
	w.settle("a", one, two, three)
	lost := part("p", tgt("a", one), tgt("a", two), tgt("a", three))
	w.arrive("a", lost)
	w.expect("the environment is lost fleet-wide", one, two, three)
	w.is(one, Held, RuleGuardFile)
	if got := w.plan.Want[0].Labels.Get("environment"); got != "prod" {
		t.Fatalf("environment is %q, want the old label", got)
	}
	w.wait(3*time.Minute - time.Second)
	w.arrive("a", lost)
	w.step()
	w.is(one, Held, RuleGuardFile)
	w.wait(time.Second)
	w.step()
	if got := w.plan.Want[0].Labels.Get("environment"); got != "" {
		t.Fatalf("environment is %q after confirm_after", got)
	}

	start := func() *world {
		w := newWorld(t, "a")
		w.policy.Files = func(t target.Target) []string { return []string{"mcp-" + t.Labels.Get("environment")} }
		w.settle("a", one, two, three)
		return w
	}
	w = start() // one stays behind, so the file keeps a target
	w.arrive("a", part("p", tgt("a", one), tgt("a", two), tgt("a", three, "environment", "prod")))
	w.step()
	w.is(one, Published, RuleListed)

	w = start() // somebody accepts
	w.arrive("a", lost)
	w.step()
	for _, r := range w.state.Records() {
		r.Accepted = "somebody"
	}
	w.step()
	w.is(one, Published, RuleListed)

	w = start() // the operator's own inline targets say what they mean
	inline := lost
	inline.Inline = true
	w.arrive("a", inline)
	w.step()
	w.is(one, Published, RuleListed)
}

// Contract §8: while the state can't be written nothing is removed, and
// additions go on.
func TestBlindRemovesNothing(t *testing.T) {
	w := newWorld(t, "a")
	w.settle("a", one, two)
	w.policy.Blind = true
	w.list("a", two, three)
	w.down(one)
	w.up(three)
	w.expect("an addition, no removal", one, two, three)
	w.is(one, Lingering, RuleBlind)
}

// The guard's bound is per source: one source's removals don't hold another's.
func TestGuardPerSource(t *testing.T) {
	all := hosts(14)
	w := newWorld(t, "a", "b")
	w.list("b", all[10:]...)
	w.settle("a", all[:10]...)
	w.list("b", all[10:]...)
	w.up(all...)
	w.step()
	w.list("a", all[9])
	w.list("b", all[11:]...)
	w.down(all[:9]...)
	w.down(all[10])
	w.expect("a's are held, b's may go", append(append([]string{}, all[:10]...), all[11:]...)...)
}
