package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/mcp-sd/mcp-sd/bench/figures"
	"github.com/mcp-sd/mcp-sd/bench/fleet"
	"github.com/mcp-sd/mcp-sd/bench/plot"
	"github.com/mcp-sd/mcp-sd/bench/stage"
	"github.com/mcp-sd/mcp-sd/house/ports"
)

// race has the contestants take turns at a service of that size, and returns
// how long each took for each change, in seconds.
func race(ctx context.Context, b *bench, s *stage.Stage, size int) (map[string]figures.Sample, error) {
	track, err := newTrack(ctx, s, size)
	if err != nil {
		return nil, err
	}
	defer track.Kill()
	took := map[string]figures.Sample{}
	for range b.sized(2, 1) {
		for _, c := range contestants() {
			block, err := track.turn(ctx, s, c, b.sized(16, 5))
			if err != nil {
				return nil, fmt.Errorf("%s with %d instances: %w", c.name, size, err)
			}
			took[c.name] = append(took[c.name], block...)
		}
	}
	return took, nil
}

// track is a service in a Consul of its own, whose instances really answer.
type track struct {
	*stage.Consul
	instances []stage.Instance
	port      int
	changes   int
	rolling   int // the first so many are of one service, the others have one each
	lones     int // of the others, so many have changed
}

// address is the host:port of an instance.
func (t *track) address(i int) string { return fleet.AddressOf(i, t.port) }

func newTrack(ctx context.Context, s *stage.Stage, size int) (*track, error) {
	port, err := ports.Next()
	if err != nil {
		return nil, err
	}
	if _, err := fleet.Start(ctx, port, fleet.Options{Size: size + 50, Body: 2 << 10}); err != nil {
		return nil, err
	}
	t := &track{instances: instances(service, size, port), port: port}
	if t.Consul, err = s.Consul(); err != nil {
		return nil, err
	}
	return t, t.Register(ctx, 0, t.instances...)
}

func instances(name string, n, port int) []stage.Instance {
	all := make([]stage.Instance, n)
	for i := range all {
		address := fleet.AddressOf(i, port)
		all[i] = stage.Instance{Service: name, Address: address[:len(address)-len(fmt.Sprintf(":%d", port))], Port: port, Version: "v1.0.0"}
	}
	return all
}

// change gives an instance a version that none ever had, and returns it.
func (t *track) change(ctx context.Context, i int) (string, error) {
	t.changes++
	t.instances[i].Version = fmt.Sprintf("v2.%d.0", t.changes)
	return t.instances[i].Version, t.Change(ctx, i, t.instances[i])
}

// turn starts a contestant, measures some changes, and ends it.
func (t *track) turn(ctx context.Context, s *stage.Stage, c contestant, n int) (figures.Sample, error) {
	dir, err := s.Path("out")
	if err != nil {
		return nil, err
	}
	out := filepath.Join(dir, "targets.json")
	watch, err := s.Watch(out)
	if err != nil {
		return nil, err
	}
	p, err := c.start(s, t.Address, out)
	if err != nil {
		return nil, err
	}
	defer p.Kill()
	if err := t.warmUp(ctx, p, watch); err != nil {
		return nil, err
	}
	var took figures.Sample
	for range n {
		stage.Pause(ctx, changesApart+rand.N(changesApart))
		start := time.Now()
		version, err := t.change(ctx, rand.IntN(len(t.instances)))
		if err != nil {
			return nil, err
		}
		at, err := watch.Holds(ctx, version, mostWaited)
		if err != nil {
			return nil, fmt.Errorf("%w\n%s", err, p.Log())
		}
		took.Seconds(at.Sub(start))
	}
	return took, p.Running()
}

// warmUp waits until the file has every instance: the last changes have to
// show, and mcp-sd has to have probed them all.
func (t *track) warmUp(ctx context.Context, p *stage.Process, watch *stage.Watch) error {
	last := t.instances[len(t.instances)-1]
	if _, err := watch.Holds(ctx, last.Address, mostWaited); err != nil {
		return fmt.Errorf("at first: %w\n%s", err, p.Log())
	}
	stage.Pause(ctx, 500*time.Millisecond)
	for range 2 {
		version, err := t.change(ctx, 0)
		if err != nil {
			return err
		}
		if _, err := watch.Holds(ctx, version, mostWaited); err != nil {
			return fmt.Errorf("while warming up: %w\n%s", err, p.Log())
		}
	}
	return nil
}

// addRace writes one race into the section and returns its bars.
func addRace(section *figures.Section, size int, took map[string]figures.Sample) plot.Group {
	name := figures.Count(size) + " instances"
	bare := took[bareLoop].Median()
	g := plot.Group{Name: name}
	for _, c := range contestants() {
		t := took[c.name]
		section.Tables[0].Row(figures.Count(size), c.name, figures.Time(t.Median()), figures.Time(t.P95()), figures.Ratio(t.Median()/bare))
		g.Bars = append(g.Bars, plot.Bar{
			Name: c.name, Value: t.Median(), High: t.P95(), Own: c.name == ours,
			Label: fmt.Sprintf("%s (%s)", figures.Time(t.Median()), figures.Ratio(t.Median()/bare)),
		})
	}
	mine := took[ours].Median()
	section.Aims = append(section.Aims,
		figures.Aim{What: "Consul, " + name + ": a change, against the bare loop", Got: mine / bare, AtMost: 1.25, Broken: 3, Shown: true},
		figures.Aim{What: "Consul, " + name + ": a change, against consul-template", Got: mine / took[theTemplate].Median(), AtMost: 1, Broken: 2, Shown: true},
	)
	return g
}
