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

const (
	rolling    = "rolling" // a service that is being rolled out
	lone       = "lone"    // one of many that hardly ever change
	loneShown  = "one change of a quiet service meanwhile"
	rollShown  = "a change in a rolling update"
	rollsEvery = 4 * time.Second // on average
	theyTick   = 30 * time.Second
)

// sighting is a change, and when each Prometheus showed it.
type sighting struct {
	kind, address, version string
	made                   time.Time
	seen                   map[string]time.Duration
}

// prometheusList measures how long a change in Consul takes to be in
// Prometheus' own list of targets, on both ways there at once.
func prometheusList(ctx context.Context, b *bench, s *stage.Stage) (*figures.Section, error) {
	t, err := newTrack(ctx, s, b.sized(100, 20))
	if err != nil {
		return nil, err
	}
	if t.rolling, err = len(t.instances), t.addLone(ctx, b.sized(9, 2)); err != nil {
		return nil, err
	}
	both, err := bothWays(ctx, b, s, t)
	if err != nil {
		return nil, err
	}
	changes, err := watchBoth(ctx, b, t, both)
	if err != nil {
		return nil, err
	}
	return toldBoth(b, changes), nil
}

// bothWays starts one Prometheus that reads mcp-sd's file, and one that asks
// Consul itself, and waits until both have all targets.
func bothWays(ctx context.Context, b *bench, s *stage.Stage, t *track) (map[string]*stage.Prometheus, error) {
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
	both := map[string]*stage.Prometheus{}
	for name, sd := range map[string]string{
		ours:        fmt.Sprintf("file_sd_configs: [{files: ['%s']}]", file),
		theirConsul: fmt.Sprintf("consul_sd_configs: [{server: '%s', refresh_interval: %s}], relabel_configs: [{source_labels: [__meta_consul_service_metadata_version], target_label: version}]", t.Address, every),
	} {
		if both[name], err = s.Prometheus("- {job_name: mcp, " + sd + "}\n"); err != nil {
			return nil, err
		}
	}
	for name, p := range both {
		err := stage.Await(ctx, 100*time.Millisecond, time.Minute, func() error {
			versions, err := p.Versions(ctx)
			if err == nil && len(versions) < len(t.instances) {
				err = fmt.Errorf("%s has %d targets of %d", name, len(versions), len(t.instances))
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if !b.short {
		stage.Pause(ctx, theyTick+5*time.Second) // the quiet before the first change
	}
	return both, nil
}

// watchBoth makes the changes and looks for them, ten times a second.
func watchBoth(ctx context.Context, b *bench, t *track, both map[string]*stage.Prometheus) ([]*sighting, error) {
	plan := planned(b)
	var changes []*sighting
	start := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := start.Add(4 * time.Minute); time.Now().Before(deadline); {
		for len(plan) > 0 && time.Since(start) >= plan[0].at {
			c, err := t.announce(ctx, plan[0], len(changes))
			if err != nil {
				return nil, err
			}
			changes, plan = append(changes, c), plan[1:]
		}
		missing, err := look(ctx, changes, both)
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
	return nil, fmt.Errorf("not all of %d changes were seen in 4 minutes", len(changes))
}

// look notes which changes have come to be seen, and returns how many have not.
func look(ctx context.Context, changes []*sighting, both map[string]*stage.Prometheus) (missing int, err error) {
	for name, p := range both {
		versions, err := p.Versions(ctx)
		if err != nil {
			return 0, err
		}
		now := time.Now()
		for _, c := range changes {
			if _, seen := c.seen[name]; seen {
				continue
			}
			if versions[c.address] == c.version {
				c.seen[name] = now.Sub(c.made)
			} else {
				missing++
			}
		}
	}
	return missing, nil
}

// A plannedChange is to be made so long after the start. A short run makes few,
// close together.
type plannedChange struct {
	kind string
	at   time.Duration
}

func planned(b *bench) []plannedChange {
	var plan []plannedChange
	rolls, every := b.sized(18, 3), rollsEvery
	if b.short {
		every = time.Second
	}
	at := time.Duration(0)
	for i := range rolls {
		plan = append(plan, plannedChange{rolling, at})
		if i%2 == 0 {
			plan = append(plan, plannedChange{lone, at + every/8})
		}
		at += every/4 + rand.N(every*3/2)
	}
	return plan
}

// announce makes a change. Each hits another instance; a lone one is of a
// service of its own, which has not changed before.
func (t *track) announce(ctx context.Context, p plannedChange, n int) (*sighting, error) {
	i := n % t.rolling
	if p.kind == lone {
		i = t.rolling + t.lones
		t.lones++
	}
	c := &sighting{kind: p.kind, address: t.address(i), made: time.Now(), seen: map[string]time.Duration{}}
	var err error
	c.version, err = t.change(ctx, i)
	return c, err
}

// addLone adds services of one instance each.
func (t *track) addLone(ctx context.Context, n int) error {
	size := len(t.instances)
	for i := size; i < size+n; i++ {
		in := t.instances[0]
		in.Service, in.Version = fmt.Sprintf("%s-%d", lone, i-size), "v1.0.0"
		in.Address, _, _ = strings.Cut(t.address(i), ":")
		t.instances = append(t.instances, in)
	}
	return t.Register(ctx, size, t.instances[size:]...)
}

func toldBoth(b *bench, changes []*sighting) *figures.Section {
	section := &figures.Section{
		Title: "Into Prometheus: from a change to its target list",
		Text: "The metadata of one instance changes in Consul; the clock stops when the list of targets in Prometheus' own API shows it. " +
			"Two Prometheus 3.15 see the same changes: one reads mcp-sd's file, the other asks Consul by `consul_sd_configs`; everything at its defaults. " +
			"Prometheus applies what it heard in steps, which grow to 5 s under a stream of changes. Its `consul_sd` besides waits for its `refresh_interval` (30s) after every answer about a service, " +
			"so what matters is whether that service changed in the last half minute: in a *rolling update*, here a change every 4 s on average, nearly every change waits; " +
			"a service that was quiet for a minute, and changes *once* while the other is rolled out, does not: its answer comes at once. " +
			"In mcp-sd's file it stands beside the rollout, whose stream of changes has made Prometheus' steps long; the Prometheus that asks by itself hears too little for that.",
		Tables: []figures.Table{{Head: []string{"", "", "changes", "median", "95th percentile"}}},
	}
	var groups []plot.Group
	for _, kind := range []struct{ name, shown string }{{rolling, rollShown}, {lone, loneShown}} {
		g := plot.Group{Name: kind.shown}
		medians := map[string]float64{}
		for _, name := range []string{ours, theirConsul} {
			var took figures.Sample
			for _, c := range changes {
				if c.kind == kind.name {
					took.Seconds(c.seen[name])
				}
			}
			medians[name] = took.Median()
			section.Tables[0].Row(kind.shown, name, figures.Count(len(took)), figures.Time(took.Median()), figures.Time(took.P95()))
			g.Bars = append(g.Bars, plot.Bar{Name: name, Value: took.Median(), High: took.P95(), Label: figures.Time(took.Median()), Own: name == ours})
		}
		groups = append(groups, g)
		if kind.name == rolling && !b.short {
			section.Aims = append(section.Aims, figures.Aim{
				What: "Into Prometheus: " + kind.shown + ", times sooner than by consul_sd", Got: medians[theirConsul] / medians[ours], AtLeast: 3, Broken: 1.2, Shown: true,
			})
		}
	}
	section.Plots = []figures.Plot{{
		Name: "prometheus", Alt: "From a change in Consul to Prometheus' target list, by mcp-sd's file and by consul_sd",
		SVG: plot.Bars("From a change in Consul to Prometheus' target list: median, line to the 95th percentile", groups...),
	}}
	return section
}
