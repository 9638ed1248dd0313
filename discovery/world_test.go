package discovery

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// world is a state with a clock and a disk that always works: Decide without
// an engine around it.
type world struct {
	t      testing.TB
	state  *State
	policy Policy
	now    time.Time
	plan   *Plan
	gone   []Removal
	parts  map[string][]target.Part // latest listing of each source
}

// newWorld has one polling source for each name, with the defaults of the
// contract.
func newWorld(t testing.TB, sources ...string) *world {
	w := &world{
		t: t, state: NewState(), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		policy: Policy{Version: DefaultVersionOptions(), Sources: map[string]SourcePolicy{}},
		parts:  map[string][]target.Part{},
	}
	w.configure(sources...)
	return w
}

func (w *world) configure(sources ...string) {
	var setups []SourceSetup
	for _, name := range sources {
		setups = append(setups, SourceSetup{Name: name, Type: "test", Fingerprint: "1"})
		if _, ok := w.policy.Sources[name]; !ok {
			w.policy.Sources[name] = SourcePolicy{Health: health.DefaultOptions(), Spec: &health.Spec{}, Guard: DefaultGuardOptions()}
		}
	}
	w.policy.Sources[""] = SourcePolicy{Health: health.DefaultOptions(), Spec: &health.Spec{}, Guard: DefaultGuardOptions()}
	w.state.Configure(setups)
	w.state.Merge(w.now)
}

// tune changes the policy of a source, as a reload does.
func (w *world) tune(source string, change func(*SourcePolicy)) {
	p := w.policy.Sources[source]
	change(&p)
	w.policy.Sources[source] = p
	var setups []SourceSetup
	for _, src := range w.state.Sources {
		setups = append(setups, SourceSetup{Name: src.Name, Type: src.Type, Fingerprint: src.Fingerprint})
	}
	w.state.Configure(setups)
	w.state.Merge(w.now)
}

// tgt is a target at an address with labels given as name, value, …
func tgt(source, address string, lbls ...string) target.Target {
	l := labels.FromStrings(lbls...)
	return target.Target{Key: target.Key{Scheme: "http", Address: address, Path: "/metrics"}, Source: source, Labels: l}
}

func tgts(source string, addresses ...string) []target.Target {
	var ts []target.Target
	for _, a := range addresses {
		ts = append(ts, tgt(source, a, "environment", "prod"))
	}
	return ts
}

func key(address string) target.Key {
	return target.Key{Scheme: "http", Address: address, Path: "/metrics"}
}

// hosts are n addresses, sorted.
func hosts(n int) []string {
	var a []string
	for i := range n {
		a = append(a, "10.0."+string(rune('0'+i/100))+"."+string(rune('0'+i/10%10))+string(rune('0'+i%10))+":80")
	}
	return a
}

// list is a complete, good listing of one part.
func (w *world) list(source string, addresses ...string) {
	w.arrive(source, part("p", tgts(source, addresses...)...))
}

type testPart struct {
	target.Part
	targets []*target.Target
}

func part(name string, targets ...target.Target) testPart {
	slices.SortFunc(targets, func(a, b target.Target) int { return a.Key.Compare(b.Key) })
	p := testPart{Part: target.Part{Name: name, Raw: []target.Raw{}}}
	for i, t := range targets {
		p.Raw = append(p.Raw, target.Raw{Identity: t.Identity, Labels: labels.FromStrings("__address__", t.Address)})
		p.targets = append(p.targets, &targets[i])
	}
	return p
}

func broken(name string) testPart {
	return testPart{Part: target.Part{Name: name, Err: errTest}}
}

var errTest = &target.FieldError{Field: "test", Err: errString("broken on purpose")}

type errString string

func (e errString) Error() string { return string(e) }

func (w *world) arrive(source string, parts ...testPart) { w.arriveAs(source, false, parts) }

// early is what some parts said while others are still being asked.
func (w *world) early(source string, parts ...testPart) { w.arriveAs(source, true, parts) }

func (w *world) arriveAs(source string, early bool, parts []testPart) {
	a := Arrival{Listing: target.Listing{Source: source, At: w.now, Early: early}}
	for _, p := range parts {
		a.Parts = append(a.Parts, p.Part)
		a.Targets = append(a.Targets, p.targets)
		a.Rejected = append(a.Rejected, nil)
	}
	if !w.state.List(a, w.now) {
		return
	}
	if !w.state.news.everything { // Merge would not trouble to, with so few targets
		w.state.mergeNews(w.now)
	}
	w.state.Merge(w.now)
}

// fail is a listing in which the part failed.
func (w *world) fail(source string) { w.arrive(source, broken("p")) }

// probe folds n results into the verdicts of the addresses.
func (w *world) probe(class health.Class, n int, addresses ...string) {
	for range n {
		for _, a := range addresses {
			r := w.state.Record(key(a))
			if r == nil {
				continue
			}
			h := w.policy.Sources["a"].Health
			w.state.Fold(r, health.Result{Key: key(a), Identity: r.identity, At: w.now, Class: class}, h, w.now)
		}
	}
}

func (w *world) up(addresses ...string)   { w.probe(health.ClassUp, 2, addresses...) }
func (w *world) down(addresses ...string) { w.probe(health.ClassRefused, 3, addresses...) }

func (w *world) wait(d time.Duration) { w.now = w.now.Add(d) }

// step decides, and writes all of it. Whatever a test does, deciding about the
// docket alone must plan the same as deciding about everything.
func (w *world) step() []string {
	w.t.Helper()
	w.plan = Decide(w.state, w.policy, w.now)
	if err := sameMerge(w.state); err != nil {
		w.t.Fatal(err)
	}
	if err := samePlan(w.plan, Redecide(w.state, w.policy, w.now)); err != nil {
		w.t.Fatal(err)
	}
	w.gone = append(w.gone, w.state.Wrote(w.plan, w.policy, nil, w.now)...)
	return w.published()
}

// settle is a source that has listed all addresses for long, all of them up.
func (w *world) settle(source string, addresses ...string) {
	w.t.Helper()
	w.list(source, addresses...)
	w.up(addresses...)
	w.step()
	w.wait(time.Hour)
	w.list(source, addresses...)
	w.step()
}

// files are what a Publisher would load.
func (w *world) files() map[string][]target.Target {
	var published []target.Target
	for _, t := range w.plan.Want {
		published = append(published, *t)
	}
	return map[string][]target.Target{"f": published}
}

// published are the addresses in the files.
func (w *world) published() []string {
	var a []string
	for _, t := range w.plan.Want {
		a = append(a, t.Address)
	}
	return a
}

func (w *world) decision(address string) Decision {
	w.t.Helper()
	for _, c := range w.plan.Decisions {
		if c.Record.Key.Address == address {
			return c
		}
	}
	w.t.Fatalf("no decision about %s", address)
	return Decision{}
}

// expect checks what is published after a step.
func (w *world) expect(why string, addresses ...string) {
	w.t.Helper()
	got := w.step()
	slices.Sort(addresses)
	if !slices.Equal(got, addresses) {
		w.t.Fatalf("%s:\npublished %s\nwant      %s\n%s", why, strings.Join(got, " "), strings.Join(addresses, " "), w.rules())
	}
}

func (w *world) rules() string {
	var b strings.Builder
	for _, c := range w.plan.Decisions {
		b.WriteString(c.Record.Key.Address + " " + string(c.Standing) + ": " + string(c.Rule) + "\n")
	}
	return b.String()
}

// is checks standing and rule of one target after the latest step.
func (w *world) is(address string, st Standing, rule Rule) {
	w.t.Helper()
	c := w.decision(address)
	if c.Standing != st || c.Rule != rule {
		w.t.Fatalf("%s is %q by %q, want %q by %q", address, c.Standing, c.Rule, st, rule)
	}
}

func duration(d time.Duration) model.Duration { return model.Duration(d) }
