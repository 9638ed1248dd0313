package discovery

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// errand is a random life in which everything happens that a decision rests on,
// also what a world's own events leave out: several parts that list the same,
// instances that change, writes that fail, a state that can't be written, files
// that targets move between, options that let down targets go, and people.
type errand struct {
	*world
	rt   *rapid.T
	pool []string
}

func newErrand(t *testing.T, rt *rapid.T) *errand {
	e := &errand{world: newWorld(t, "a", "b", "c"), rt: rt, pool: hosts(8)}
	e.policy.Files = func(in target.Target) []string { return []string{in.Labels.Get("environment")} }
	return e
}

func (e *errand) pick(what string, from ...string) string {
	return rapid.SampledFrom(from).Draw(e.rt, what)
}

func (e *errand) some() []string {
	return rapid.SliceOfDistinct(rapid.SampledFrom(e.pool), rapid.ID[string]).Draw(e.rt, "addresses")
}

// source is a listing of one or two parts, whole, failed or unchanged.
func (e *errand) source() {
	src := e.pick("source", "a", "b", "c")
	var parts []testPart
	for _, name := range []string{"p", "q"}[:rapid.IntRange(1, 2).Draw(e.rt, "parts")] {
		switch e.pick("answer", "list", "list", "list", "fail", "same") {
		case "fail":
			parts = append(parts, broken(name))
		case "same":
			if p, _ := e.state.Source(src).part(name); p != nil && p.Answered {
				parts = append(parts, testPart{Part: target.Part{Name: name, Unchanged: true, Inline: p.Inline}})
				continue
			}
			fallthrough
		default:
			var ts []target.Target
			for _, a := range e.some() {
				in := tgt(src, a, "environment", e.pick("environment", "prod", "prod", "test"), "version", e.pick("version", "", "v1", "v2"))
				in.Identity = e.pick("identity", "", "i-1", "i-2")
				ts = append(ts, in)
			}
			p := part(name, ts...)
			p.Inline = src == "c" && rapid.Bool().Draw(e.rt, "inline")
			parts = append(parts, p)
		}
	}
	e.arrive(src, parts...)
}

// probes are results for some targets.
func (e *errand) probes() {
	class := health.Class(e.pick("class", string(health.ClassUp), string(health.ClassRefused), string(health.ClassDenied)))
	version := e.pick("told", "", "1.0", "2.0")
	for range rapid.IntRange(1, 3).Draw(e.rt, "times") {
		for _, a := range e.some() {
			if r := e.state.Record(key(a)); r != nil {
				e.state.Fold(r, health.Result{Key: r.Key, Identity: r.identity, At: e.now, Class: class, Version: version}, health.DefaultOptions(), e.now)
			}
		}
	}
}

func (e *errand) event() {
	switch e.pick("event", "list", "list", "list", "probe", "probe", "wait", "tune", "reload", "accept", "restart") {
	case "list":
		e.source()
	case "probe":
		e.probes()
	case "wait":
		e.wait(time.Duration(rapid.IntRange(1, 900).Draw(e.rt, "seconds")) * time.Second)
	case "tune":
		e.tune(e.pick("source", "a", "b", "c"), func(p *SourcePolicy) {
			p.Health.DropAfter = duration(time.Duration(rapid.IntRange(0, 2).Draw(e.rt, "drop_after")) * time.Minute)
			p.Health.Enabled = rapid.Bool().Draw(e.rt, "enabled")
			p.Guard.AllowEmpty = rapid.Bool().Draw(e.rt, "allow_empty")
		})
	case "reload":
		e.configure([][]string{{"a", "b", "c"}, {"a", "c"}, {"c", "b", "a"}}[rapid.IntRange(0, 2).Draw(e.rt, "configuration")]...)
		e.configure("a", "b", "c")
	case "restart": // as far as a decision can tell
		for _, src := range e.state.Sources {
			src.Answered = false
			for _, p := range src.Parts {
				p.Answered = false
			}
		}
		e.state.news.everything = true
		e.state.reopen()
	case "accept":
		for _, r := range e.state.Records() {
			if r.Listed == nil && !r.HeldSince.IsZero() {
				r.Accepted = "somebody"
			}
		}
	}
}

// carryOut takes a step in which some files may not be written. What deciding
// about the docket alone planned is what is carried out.
func (e *errand) carryOut() {
	e.policy.Blind = rapid.IntRange(0, 9).Draw(e.rt, "blind") == 0
	all := Decide(e.state, e.policy, e.now)
	open := Redecide(e.state, e.policy, e.now)
	if err := sameMerge(e.state); err != nil {
		e.rt.Fatal(err)
	}
	if err := samePlan(all, open); err != nil {
		e.rt.Fatal(err)
	}
	behind := map[target.Key]bool{}
	if rapid.IntRange(0, 4).Draw(e.rt, "broken") == 0 {
		for _, a := range e.some() {
			behind[key(a)] = true
		}
	}
	e.state.Wrote(open, e.policy, behind, e.now)
}

// Deciding about the docket alone plans, at every moment of any life, what
// deciding about everything plans; and joining what changed what joining all
// does.
func TestRedecide(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e := newErrand(t, rt)
		for range rapid.IntRange(1, 60).Draw(rt, "events") {
			e.event()
			if rapid.IntRange(0, 3).Draw(rt, "step") > 0 {
				e.carryOut()
			}
		}
	})
}

// A fleet that is well is not on the docket: else nothing would be saved.
func TestSettled(t *testing.T) {
	w := newWorld(t, "a")
	w.settle("a", hosts(5)...)
	w.down(hosts(5)[0])
	w.step()
	if p := Redecide(w.state, w.policy, w.now); len(p.Decisions) != 0 || len(p.Want) != 5 || len(p.Checks) != 5 {
		t.Fatalf("%d of 5 settled targets are decided about again; %d are published, %d probed", len(p.Decisions), len(p.Want), len(p.Checks))
	}
}

func equalTargets(a, b *target.Target) bool { return a.Equal(*b) }

// samePlan compares what Decide plans about everything with what Redecide plans
// about the docket: all that anybody acts on must be the same.
func samePlan(all, open *Plan) error {
	switch {
	case !slices.EqualFunc(all.Want, open.Want, equalTargets):
		return fmt.Errorf("Decide wants\n%v\nRedecide\n%v", all.Want, open.Want)
	case !slices.Equal(all.Checks, open.Checks):
		return fmt.Errorf("Decide probes\n%v\nRedecide\n%v", all.Checks, open.Checks)
	case !all.NextAt.Equal(open.NextAt):
		return fmt.Errorf("Decide waits until %v, Redecide until %v", all.NextAt, open.NextAt)
	case !reflect.DeepEqual(all.Tallies, open.Tallies):
		return fmt.Errorf("Decide counts\n%+v\nRedecide\n%+v", all.Tallies, open.Tallies)
	}
	rest := open.Decisions
	for i := range all.Decisions {
		c := &all.Decisions[i]
		r := c.Record
		if len(rest) > 0 && rest[0].Record == r {
			if !sameDecision(c, &rest[0]) {
				return fmt.Errorf("Decide says\n%+v\nRedecide\n%+v", *c, rest[0])
			}
			rest = rest[1:]
			continue
		}
		// Not on the docket: the plan leaves it as it stands.
		if c.Standing != Published || c.Rule != RuleListed || c.Target != r.Published || c.version != r.Version || !c.next.IsZero() || c.leaver != stays {
			return fmt.Errorf("it is not on the docket, and Decide says\n%+v", *c)
		}
	}
	if len(rest) > 0 {
		return fmt.Errorf("Redecide is about records that Decide does not know: %+v", rest)
	}
	return nil
}

func sameDecision(a, b *Decision) bool {
	same := (a.Target == nil) == (b.Target == nil) && (a.Target == nil || a.Target.Equal(*b.Target))
	return same && a.Standing == b.Standing && a.Rule == b.Rule && a.Verdict == b.Verdict && a.owner.name == b.owner.name &&
		a.next.Equal(b.next) && a.version == b.version && a.frozen == b.frozen && a.leaver == b.leaver
}

// sameMerge compares what the records say with all listings joined anew.
func sameMerge(s *State) error {
	listed := map[target.Key]bool{}
	for _, m := range Merge(s.Sources) {
		r := s.records[m.Target.Key]
		switch {
		case r == nil || r.Listed == nil:
			return fmt.Errorf("%s is listed, and the state does not know", m.Target.Key)
		case !r.Listed.Equal(*m.Target) || !slices.Equal(r.By, m.By):
			return fmt.Errorf("%s is listed as %+v by %v, the state says %+v by %v", m.Target.Key, *m.Target, m.By, *r.Listed, r.By)
		}
		listed[r.Key] = true
	}
	if !slices.IsSortedFunc(s.order, compareRecords) || len(s.order) != len(s.records) {
		return fmt.Errorf("%d of %d records are in order", len(s.order), len(s.records))
	}
	for _, r := range s.order {
		if r.gone || s.records[r.Key] != r || r.Listed == nil && r.Published == nil {
			return fmt.Errorf("%s is nothing that the state knows: %+v", r.Key, *r)
		}
		if !listed[r.Key] && (r.Listed != nil || r.UnlistedSince.IsZero() && !r.Inherited) {
			return fmt.Errorf("%s is not listed, and the state does not know: %+v", r.Key, *r)
		}
	}
	return nil
}

// A target that was to be published, could not be written, and is listed no
// longer is wanted no longer.
func TestUnwrittenIsForgotten(t *testing.T) {
	w := newWorld(t, "a")
	all := hosts(3)
	w.settle("a", all[:2]...)
	w.list("a", all...)
	w.up(all[2])
	p := Redecide(w.state, w.policy, w.now)
	if len(p.Want) != 3 {
		t.Fatalf("%d of 3 are wanted", len(p.Want))
	}
	w.state.Wrote(p, w.policy, map[target.Key]bool{key(all[2]): true}, w.now)
	w.list("a", all[:2]...)
	w.expect("it never was in a file", all[:2]...)
}
