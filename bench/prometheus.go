package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcp-sd/mcp-sd/bench/figures"
	"github.com/mcp-sd/mcp-sd/bench/plot"
	"github.com/mcp-sd/mcp-sd/bench/stage"
)

// A rhythm is how one service changes, and how it is called on the page.
type rhythm struct {
	name  string
	shown string
	every time.Duration // on average; at random between half and one and a half of it
	count int
	lone  bool // a service that was quiet changes along, with every second change
}

const (
	loneName  = "lone"
	loneShown = "one change of a quiet service, beside the hurried one"
	rollShown = "a rolling update, a change every 12 s"
	theyTick  = 30 * time.Second
)

// rhythms are that of a rolling update as Nomad's defaults make it (an instance
// has to be well for 10 s before the next is replaced), and a hurried one.
func rhythms(b *bench) []rhythm {
	slow := rhythm{name: "rolling", shown: rollShown, every: 12 * time.Second, count: b.sized(20, 2)}
	fast := rhythm{name: "hurried", shown: "a hurried one, a change every 4 s", every: 4 * time.Second, count: b.sized(20, 3), lone: true}
	if b.short {
		slow.every, fast.every = time.Second, time.Second
	}
	return []rhythm{slow, fast}
}

// sighting is a change, and when each Prometheus showed it.
type sighting struct {
	kind, address, version string
	made                   time.Time
	seen                   map[*observer]time.Duration
}

// observer is a Prometheus that has one of the two ways to its targets.
type observer struct {
	*stage.Prometheus
	way string
}

// prometheusList measures how long a change in Consul takes to be in
// Prometheus' own list of targets, on both ways there at once.
func prometheusList(ctx context.Context, b *bench, s *stage.Stage) (*figures.Section, error) {
	t, err := newTrack(ctx, s, b.sized(100, 20))
	if err != nil {
		return nil, err
	}
	if t.rolling, err = len(t.instances), t.addLone(ctx, b.sized(10, 2)); err != nil {
		return nil, err
	}
	all, err := bothWays(ctx, b, s, t)
	if err != nil {
		return nil, err
	}
	var changes []*sighting
	for _, r := range rhythms(b) {
		if !b.short {
			stage.Pause(ctx, theyTick+5*time.Second) // the quiet before the first change
		}
		if changes, err = watchAll(ctx, t, planned(r), changes, all); err != nil {
			return nil, err
		}
	}
	return toldBoth(b, changes), nil
}

// bothWays starts Prometheis that read mcp-sd's file, and as many that ask
// Consul themselves, and waits until all have all targets. There are several of
// each, started at different times, because what a change waits for are steps of
// theirs.
func bothWays(ctx context.Context, b *bench, s *stage.Stage, t *track) ([]*observer, error) {
	dir, err := s.Path("targets")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "targets.json")
	// The defaults of both are what is compared; a short run only looks whether
	// both ways work.
	every := theyTick
	if b.short {
		every = 3 * time.Second
	}
	config := fmt.Sprintf("sources: [{name: consul, consul: {server: '%s'}}]\nhealth: {allow_cidrs: [127.0.0.0/8]}\noutputs: [{path: '%s'}]\n", t.Address, file)
	if _, err := s.MCPSD(config); err != nil {
		return nil, err
	}
	ways := map[string]string{
		ours:        fmt.Sprintf("file_sd_configs: [{files: ['%s']}]", file),
		theirConsul: fmt.Sprintf("consul_sd_configs: [{server: '%s', refresh_interval: %s}], relabel_configs: [{source_labels: [__meta_consul_service_metadata_version], target_label: version}]", t.Address, every),
	}
	var all []*observer
	for i := range b.sized(3, 1) {
		if i > 0 {
			stage.Pause(ctx, time.Duration(1+rand.N(10))*time.Second)
		}
		for _, way := range []string{ours, theirConsul} {
			p, err := s.Prometheus("- {job_name: mcp, " + ways[way] + "}\n")
			if err != nil {
				return nil, err
			}
			all = append(all, &observer{p, way})
		}
	}
	for _, o := range all {
		err := stage.Await(ctx, 100*time.Millisecond, time.Minute, func() error {
			versions, err := o.Versions(ctx)
			if err == nil && len(versions) < len(t.instances) {
				err = fmt.Errorf("%s has %d targets of %d", o.way, len(versions), len(t.instances))
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// watchAll makes the changes and looks for them, ten times a second; they come
// after those that were made before.
func watchAll(ctx context.Context, t *track, plan []plannedChange, changes []*sighting, all []*observer) ([]*sighting, error) {
	start := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := start.Add(plan[len(plan)-1].at + 2*time.Minute); time.Now().Before(deadline); {
		for len(plan) > 0 && time.Since(start) >= plan[0].at {
			c, err := t.announce(ctx, plan[0], len(changes))
			if err != nil {
				return nil, err
			}
			changes, plan = append(changes, c), plan[1:]
		}
		missing, err := look(ctx, changes, all)
		if err != nil {
			return nil, err
		}
		if missing == 0 && len(plan) == 0 {
			return changes, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
	return nil, fmt.Errorf("not all of %d changes were seen within 2 minutes of the last", len(changes))
}

// look notes which changes have come to be seen, and returns how many have not.
func look(ctx context.Context, changes []*sighting, all []*observer) (missing int, err error) {
	for _, o := range all {
		versions, err := o.Versions(ctx)
		if err != nil {
			return 0, err
		}
		now := time.Now()
		for _, c := range changes {
			if _, seen := c.seen[o]; seen {
				continue
			}
			if versions[c.address] == c.version {
				c.seen[o] = now.Sub(c.made)
			} else {
				missing++
			}
		}
	}
	return missing, nil
}

// A plannedChange is to be made so long after the start.
type plannedChange struct {
	kind string
	at   time.Duration
}

func planned(r rhythm) []plannedChange {
	var plan []plannedChange
	at := time.Duration(0)
	for i := range r.count {
		plan = append(plan, plannedChange{r.name, at})
		if r.lone && i%2 == 0 {
			plan = append(plan, plannedChange{loneName, at + r.every/8})
		}
		at += r.every/2 + rand.N(r.every)
	}
	return plan
}

// announce makes a change. Each hits another instance; a lone one is of a
// service of its own, which has not changed before.
func (t *track) announce(ctx context.Context, p plannedChange, n int) (*sighting, error) {
	i := n % t.rolling
	if p.kind == loneName {
		i = t.rolling + t.lones
		t.lones++
	}
	c := &sighting{kind: p.kind, address: t.address(i), made: time.Now(), seen: map[*observer]time.Duration{}}
	var err error
	c.version, err = t.change(ctx, i)
	return c, err
}

// addLone adds services of one instance each.
func (t *track) addLone(ctx context.Context, n int) error {
	size := len(t.instances)
	for i := size; i < size+n; i++ {
		in := t.instances[0]
		in.Service, in.Version = fmt.Sprintf("%s-%d", loneName, i-size), "v1.0.0"
		in.Address, _, _ = strings.Cut(t.address(i), ":")
		t.instances = append(t.instances, in)
	}
	return t.Register(ctx, size, t.instances[size:]...)
}

func toldBoth(b *bench, changes []*sighting) *figures.Section {
	section := &figures.Section{
		Title: "Into Prometheus: from a change to its target list",
		Text: "The metadata of one instance changes in Consul; the clock stops when the list of targets in Prometheus' own API shows it. " +
			"Six Prometheus 3.15, started at different times, see the same changes: three read mcp-sd's file, three ask Consul by `consul_sd_configs`; everything at its defaults. " +
			"Prometheus' `consul_sd` waits for its `refresh_interval` (30s) after every answer about a service, so what matters is whether that service changed in the last half minute: in a *rolling update* nearly every change waits. " +
			"Here are one as Nomad's defaults make it, where an instance has to be well for 10 s before the next one is replaced, and a *hurried* one. Under a stream of changes as dense as the latter, Prometheus applies what it hears from a file in steps that grow to 5 s and more, for which everything waits, " +
			"also the *one* change of a service that was quiet for a minute: the Prometheus that asks by itself hears too little to make such steps, and shows that one at once.",
		Tables: []figures.Table{{Head: []string{"", "", "changes seen", "median", "95th percentile"}}},
	}
	kinds := []rhythm{}
	for _, r := range rhythms(b) {
		kinds = append(kinds, r)
		if r.lone {
			kinds = append(kinds, rhythm{name: loneName, shown: loneShown})
		}
	}
	var groups []plot.Group
	for _, kind := range kinds {
		g := plot.Group{Name: kind.shown}
		medians := map[string]float64{}
		for _, way := range []string{ours, theirConsul} {
			took := tookOf(changes, kind.name, way)
			medians[way] = took.Median()
			section.Tables[0].Row(kind.shown, way, figures.Count(len(took)), figures.Time(took.Median()), figures.Time(took.P95()))
			g.Bars = append(g.Bars, plot.Bar{Name: way, Value: took.Median(), High: took.P95(), Label: figures.Time(took.Median()), Own: way == ours})
		}
		groups = append(groups, g)
		if b.short || kind.name == loneName {
			continue
		}
		section.Aims = append(section.Aims, figures.Aim{
			What: "Into Prometheus: " + kind.shown + ", times sooner than by consul_sd", Got: medians[theirConsul] / medians[ours], AtLeast: 3, Broken: 1.2, Shown: true,
		})
	}
	section.Plots = []figures.Plot{{
		Name: "prometheus", Alt: "From a change in Consul to Prometheus' target list, by mcp-sd's file and by consul_sd",
		SVG: plot.Bars("From a change in Consul to Prometheus' target list: median, line to the 95th percentile", groups...),
	}}
	return section
}

// tookOf is how long the changes of one kind took on one way.
func tookOf(changes []*sighting, kind, way string) (took figures.Sample) {
	for _, c := range changes {
		for o, d := range c.seen {
			if c.kind == kind && o.way == way {
				took.Seconds(d)
			}
		}
	}
	return took
}
