package discovery

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// history is a random life of two sources and twelve addresses, one event and
// one decision at a time.
type history struct {
	*world
	rt    *rapid.T
	pool  []string
	truth map[string]map[string]bool // what each part listed last, when it worked
	form  map[string]string          // fingerprint of each source's options
}

func newHistory(t *testing.T, rt *rapid.T) *history {
	h := &history{
		world: newWorld(t, "a", "b"), rt: rt, pool: hosts(12),
		truth: map[string]map[string]bool{}, form: map[string]string{"a": "1", "b": "1"},
	}
	h.list("a")
	h.list("b")
	h.truth["a"], h.truth["b"] = map[string]bool{}, map[string]bool{}
	h.step()
	return h
}

// list is a complete listing of a source's two parts: every other address of
// the pool belongs to the second.
func (h *history) list(source string, addresses ...string) {
	h.arrive(source, h.share("p", source, addresses), h.share("q", source, addresses))
}

func (h *history) share(name, source string, addresses []string) testPart {
	return part(name, tgts(source, h.in(name, addresses)...)...)
}

// in picks the addresses that belong to a part.
func (h *history) in(name string, addresses []string) []string {
	var of []string
	for _, a := range addresses {
		if i := slices.Index(h.pool, a); (i%2 == 0) == (name == "p") {
			of = append(of, a)
		}
	}
	return of
}

// heard notes what a part of a source has listed.
func (h *history) heard(name, source string, addresses []string) {
	for _, a := range h.in(name, h.pool) {
		delete(h.truth[source], a)
	}
	for _, a := range h.in(name, addresses) {
		h.truth[source][a] = true
	}
}

// half is a listing of which one part has failed, or is not there yet.
func (h *history) half(source string, addresses []string) {
	names := rapid.Permutation([]string{"p", "q"}).Draw(h.rt, "parts")
	if rapid.Bool().Draw(h.rt, "early") {
		h.early(source, h.share(names[0], source, addresses))
	} else {
		h.arrive(source, h.share(names[0], source, addresses), broken(names[1]))
	}
	h.heard(names[0], source, addresses)
}

// event lets one thing happen, and says whether it is a failure.
func (h *history) event() (failure bool) {
	src := rapid.SampledFrom([]string{"a", "b"}).Draw(h.rt, "source")
	some := h.some("addresses")
	switch rapid.SampledFrom([]string{"list", "fail", "up", "down", "wait", "blip", "half", "reload", "reshape"}).Draw(h.rt, "event") {
	case "list":
		h.list(src, some...)
		h.heard("p", src, some)
		h.heard("q", src, some)
		return false
	case "half":
		h.half(src, some)
		return false
	case "fail":
		h.arrive(src, broken("p"), broken("q"))
		return true
	case "up":
		h.up(some...)
		return false // half of what is listed being up may confirm a held removal
	case "down":
		h.down(some...)
		return false
	case "reload":
		h.reload()
		return true
	case "reshape":
		h.form[src] += "x"
		h.reload()
		return true
	case "blip":
		h.probe(health.ClassTimeout, 1, some...)
		return false
	}
	h.wait(time.Duration(rapid.IntRange(1, 900).Draw(h.rt, "seconds")) * time.Second)
	return false
}

func (h *history) reload() {
	h.state.Configure([]SourceSetup{
		{Name: "a", Type: "test", Fingerprint: h.form["a"]},
		{Name: "b", Type: "test", Fingerprint: h.form["b"]},
	})
	h.state.Merge(h.now)
}

func (h *history) listed(address string) bool { return h.truth["a"][address] || h.truth["b"][address] }

// Random lives keep the promises of contract §1, §5 and §6.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newHistory(t, rt)
		for range rapid.IntRange(1, 60).Draw(rt, "events") {
			before, owned, left := h.published(), h.owned(), len(h.gone)
			failure := h.event()
			now := h.step()
			for _, a := range before {
				if slices.Contains(now, a) {
					continue
				}
				if failure {
					rt.Fatalf("%s left because a source failed", a)
				}
				if h.listed(a) {
					rt.Fatalf("%s left though its source listed it the last time it could", a)
				}
			}
			for _, a := range h.pool { // additions are never delayed
				if h.listed(a) && h.state.Ledger.Peek(key(a)).Verdict == health.Up && !slices.Contains(now, a) {
					rt.Fatalf("%s is listed and up, and not published", a)
				}
			}
			for _, gone := range h.gone[left:] {
				if src := gone.Source; owned[src] > 0 && h.owned()[src] == 0 && !h.adopted(src) {
					rt.Fatalf("source %s was left without a target when %s left by %q", src, gone.Target, gone.Rule)
				}
			}
			h.bound()
			h.pure()
		}
	})
}

// owned counts the published targets of each source.
func (h *history) owned() map[string]int {
	n := map[string]int{}
	for _, t := range h.plan.Want {
		n[t.Source]++
	}
	return n
}

// adopted reports whether another source's labels won all that a source lists.
func (h *history) adopted(src string) bool {
	for a := range h.truth[src] {
		if r := h.state.Record(key(a)); r != nil && r.Published != nil {
			return true
		}
	}
	return false
}

// bound: what left a source by ratio within a window stays within the bound,
// and nothing but a person or the configuration leaves it empty.
func (h *history) bound() {
	if len(h.gone) == 0 || !h.gone[len(h.gone)-1].At.Equal(h.now) {
		return // the rule speaks when something leaves
	}
	for _, src := range h.state.Sources {
		n := 0
		for _, gone := range h.gone {
			ordinary := (gone.Rule == RuleSilent || gone.Rule == RuleLingered) && !gone.Configured
			if gone.Source == src.Name && ordinary && gone.At.After(h.now.Add(-10*time.Minute)) {
				n++
			}
		}
		admitted := 0
		for _, a := range src.Window.Admitted {
			if a.At.After(h.now.Add(-10 * time.Minute)) {
				admitted++
			}
		}
		peak := src.Window.peak(h.now.Add(-10*time.Minute), 0)
		if n-admitted > max(2, int(0.3*float64(peak))) {
			h.rt.Fatalf("%d left source %s within the window, %d came; at most %d were published", n, src.Name, admitted, peak)
		}
	}
}

// pure: deciding again changes nothing and gives the same.
func (h *history) pure() {
	once := Decide(h.state, h.policy, h.now)
	again := Decide(h.state, h.policy, h.now)
	if !reflect.DeepEqual(once.Want, again.Want) || !slices.Equal(once.Checks, again.Checks) || once.NextAt != again.NextAt {
		h.rt.Fatal("two decisions about the same state differ")
	}
	if !once.NextAt.IsZero() && !once.NextAt.After(h.now) {
		h.rt.Fatalf("the timer is set to %v ago: the loop would spin", h.now.Sub(once.NextAt))
	}
}

// What sources and probes agree on is reached: with everything listed up and
// everything else down, three listings and the stated times later, what is
// published is what is listed, unless the guard keeps a source from emptying.
func TestConvergence(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newHistory(t, rt)
		for range rapid.IntRange(1, 30).Draw(rt, "events") {
			h.event()
			h.step()
		}
		var want []string
		for i, a := range h.pool { // an interleaved half for each source, never nothing
			src := []string{"a", "b"}[i%2]
			if rapid.Bool().Draw(rt, "listed") || i < 2 {
				h.truth[src][a] = true
				want = append(want, a)
			} else {
				delete(h.truth["a"], a)
				delete(h.truth["b"], a)
			}
		}
		for range 30 {
			h.wait(time.Minute)
			for _, src := range []string{"a", "b"} {
				var listed []string
				for _, a := range want {
					if h.truth[src][a] {
						listed = append(listed, a)
					}
				}
				h.list(src, listed...)
			}
			h.up(want...)
			for _, a := range h.pool {
				if !slices.Contains(want, a) {
					h.down(a)
				}
			}
			h.step()
		}
		if got := h.published(); !slices.Equal(got, want) {
			rt.Fatalf("published %v, agreed %v\n%s", got, want, h.rules())
		}
	})
}

// Order of arrival doesn't matter: what is published depends on what was
// listed, not on who answered first.
func TestOrderOfArrival(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		pool := hosts(6)
		sets := map[string][]target.Target{}
		for _, src := range []string{"a", "b", "c"} {
			for _, a := range rapid.SliceOfDistinct(rapid.SampledFrom(pool), rapid.ID[string]).Draw(rt, src) {
				in := tgt(src, a, "region", src, "only_"+src, "1")
				in.Identity = rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "identity")
				sets[src] = append(sets[src], in)
			}
		}
		var first []*target.Target
		for _, order := range [][]string{{"a", "b", "c"}, {"c", "b", "a"}, {"b", "a", "c"}} {
			w := newWorld(t, "a", "b", "c")
			for _, src := range order {
				w.arrive(src, part("p", slices.Clone(sets[src])...))
			}
			w.up(pool...)
			w.step()
			if first == nil {
				first = w.plan.Want
			} else if !slices.EqualFunc(first, w.plan.Want, equalTargets) {
				rt.Fatalf("order %v gives\n%v\nwant\n%v", order, w.plan.Want, first)
			}
		}
	})
}

// A restart at any point changes nothing that a reader can see.
func TestRestart(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newHistory(t, rt)
		for range rapid.IntRange(1, 40).Draw(rt, "events") {
			h.event()
			h.step()
			before := slices.Clone(h.plan.Want)
			h.restart()
			h.step()
			if !slices.EqualFunc(before, h.plan.Want, equalTargets) {
				rt.Fatalf("published before the restart\n%v\nafter\n%v\n%s", before, h.plan.Want, h.rules())
			}
			for _, src := range []string{"a", "b"} { // so that life goes on: both answer as before
				var listed []string
				for a := range h.truth[src] {
					listed = append(listed, a)
				}
				h.list(src, listed...)
			}
			left := len(h.gone)
			h.step()
			for _, gone := range h.gone[left:] {
				if gone.Rule != RuleConfirmed { // one more listing may be the third
					rt.Fatalf("%s left by %q after a restart", gone.Target, gone.Rule)
				}
			}
		}
	})
}

// A wall clock that was moved while nothing ran, by years and either way, takes
// no target away and changes no label (contract §8).
func TestClockMovedBetweenRuns(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newHistory(t, rt)
		for range rapid.IntRange(1, 40).Draw(rt, "events") {
			h.event()
			h.step()
			before := slices.Clone(h.plan.Want)
			h.wait(time.Duration(rapid.IntRange(-3*365*24, 3*365*24).Draw(rt, "hours")) * time.Hour)
			h.restart()
			h.step()
			for _, was := range before {
				if !slices.ContainsFunc(h.plan.Want, func(t *target.Target) bool { return t.Equal(*was) }) {
					rt.Fatalf("%v was published before the clock was moved; now\n%v\n%s", was, h.plan.Want, h.rules())
				}
			}
			for _, src := range []string{"a", "b"} {
				h.list(src, slices.Sorted(maps.Keys(h.truth[src]))...)
			}
			h.step()
		}
	})
}

// Single passes write what the daemon writes, for the same listings and probe
// results at the same instants (contract §2): one life that remembers by
// itself, and one that is written out and read back before each pass.
func TestOnceWritesWhatTheDaemonWrites(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		daemon, once := newHistory(t, rt), newHistory(t, rt)
		for range rapid.IntRange(1, 40).Draw(rt, "passes") {
			pause := time.Duration(rapid.IntRange(1, 120).Draw(rt, "seconds")) * time.Second
			listed := map[string][]string{}
			for _, src := range []string{"a", "b"} {
				listed[src] = daemon.some("listed by " + src)
			}
			up, down, blip := daemon.some("up"), daemon.some("down"), daemon.some("blip")
			once.restart()
			for _, h := range []*history{daemon, once} {
				h.wait(pause)
				h.list("a", listed["a"]...)
				h.list("b", listed["b"]...)
				h.up(up...)
				h.down(down...)
				h.probe(health.ClassTimeout, 1, blip...)
				h.step()
			}
			if !slices.EqualFunc(daemon.plan.Want, once.plan.Want, equalTargets) {
				rt.Fatalf("the daemon publishes\n%v\n%s\nsingle passes\n%v\n%s",
					daemon.plan.Want, daemon.rules(), once.plan.Want, once.rules())
			}
		}
	})
}

// some are addresses by chance.
func (h *history) some(of string) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(h.pool), 0, len(h.pool), rapid.ID[string]).Draw(h.rt, of)
}

// restart writes the state out and reads it back into a new one, beside the
// files.
func (h *history) restart() {
	folder := newCabinet()
	m := memory{folder: folder, logger: nil, dirty: true, listings: map[string]bool{"a": true, "b": true}}
	if err := m.save(h.state, h.now, true); err != nil {
		h.rt.Fatal(err)
	}
	files := h.files()
	h.state = NewState()
	var setups []SourceSetup
	for _, name := range []string{"a", "b"} {
		setups = append(setups, SourceSetup{
			Name: name, Type: "test", Fingerprint: h.form[name], Policy: h.policy.Sources[name],
			Relabeler: &plainRelabeler{source: name},
		})
	}
	h.state.Configure(setups)
	h.state.Inherit(files, "version")
	m = memory{folder: folder}
	m.recall(h.state, Setup{Sources: setups, Interval: time.Minute}, h.now)
	h.state.Merge(h.now)
}

// plainRelabeler makes the world's targets of raw labels.
type plainRelabeler struct{ source string }

func (r *plainRelabeler) Targets(p target.Part) ([]*target.Target, []target.Rejection) {
	var addresses []string
	for _, raw := range p.Raw {
		addresses = append(addresses, raw.Labels.Get("__address__"))
	}
	return part("p", tgts(r.source, addresses...)...).targets, nil
}

func (r *plainRelabeler) Recall(p target.Part) ([]*target.Target, []target.Rejection) {
	return r.Targets(p)
}

func (r *plainRelabeler) Forget(string) {}
