package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcp-sd/mcp-sd/bench/figures"
	"github.com/mcp-sd/mcp-sd/bench/fleet"
	"github.com/mcp-sd/mcp-sd/bench/plot"
	"github.com/mcp-sd/mcp-sd/bench/stage"
	"github.com/mcp-sd/mcp-sd/house/ports"
)

// start measures how long mcp-sd takes to be of use: a single pass as a whole
// process, and the daemon until it is ready.
func start(ctx context.Context, b *bench, s *stage.Stage) (*figures.Section, error) {
	size := b.sized(1000, 200)
	section := &figures.Section{
		Title: "Start",
		Text: fmt.Sprintf("`mcp-sd --once` over %s healthy static targets with pages of 20 KB, with a state and an output directory that are empty: the whole process, from its start to its exit status. "+
			"Beside it a process that only reads the same pages, 256 at a time, with net/http, and one that reads them with mcp-sd's own probes; they take turns. "+
			"The daemon's time is from the last answer of Consul, with as many instances, to the first 200 of `/-/ready`.", figures.Count(size)),
		Tables: []figures.Table{{Head: []string{"", "runs", "median", "95th percentile"}}},
	}
	once, err := onceBesideProbes(ctx, b, s, size)
	if err != nil {
		return nil, err
	}
	ready, err := readyAfterAnswer(ctx, b, s, size)
	if err != nil {
		return nil, err
	}
	g := plot.Group{Name: figures.Count(size) + " targets"}
	for _, name := range []string{bareHTTP, probes, "mcp-sd --once"} {
		t := once[name]
		section.Tables[0].Row(name, figures.Count(len(t)), figures.Time(t.Median()), figures.Time(t.P95()))
		g.Bars = append(g.Bars, plot.Bar{Name: name, Value: t.Median(), High: t.P95(), Label: figures.Time(t.Median()), Own: name == "mcp-sd --once"})
	}
	section.Tables[0].Row("daemon ready after its source answered", figures.Count(len(ready)), figures.Time(ready.Median()), figures.Time(ready.P95()))
	section.Aims = []figures.Aim{
		{What: "Start: `--once` as a whole process, against its probes alone", Got: once["mcp-sd --once"].Median() / once[probes].Median(), AtMost: 1.5, Broken: 6, Shown: true},
		{What: "Start: daemon ready after its source answered", Got: ready.Median(), Format: figures.Time, AtMost: 0.2},
	}
	section.Plots = []figures.Plot{{
		Name: "start", Alt: "mcp-sd --once as a whole process, beside processes that only read the pages",
		SVG: plot.Bars("One pass as a whole process: median, line to the 95th percentile", g),
	}}
	return section, nil
}

func onceBesideProbes(ctx context.Context, b *bench, s *stage.Stage, size int) (map[string]figures.Sample, error) {
	port, err := ports.Next()
	if err != nil {
		return nil, err
	}
	if _, err := fleet.Start(ctx, port, fleet.Options{Size: size, Body: 20 << 10}); err != nil {
		return nil, err
	}
	took := map[string]figures.Sample{}
	note := func(name string, d time.Duration) { took[name] = append(took[name], d.Seconds()) }
	for range b.sized(9, 2) {
		for _, role := range []string{bareHTTP, probes} {
			_, d, err := s.RunRole(role, fmt.Sprintf("-port=%d", port), fmt.Sprintf("-n=%d", size))
			if err != nil {
				return nil, err
			}
			note(role, d)
		}
		dir, err := s.Path("targets")
		if err != nil {
			return nil, err
		}
		d, err := s.Once(inlineConfig(filepath.Join(dir, "targets.json"), size, port))
		if err != nil {
			return nil, err
		}
		note("mcp-sd --once", d)
	}
	return took, nil
}

// inlineConfig has the targets in the configuration itself.
func inlineConfig(out string, size, port int) string {
	addresses := make([]string, size)
	for i := range addresses {
		addresses[i] = "'" + fleet.AddressOf(i, port) + "'"
	}
	return fmt.Sprintf("sources: [{name: racks, static: {targets: [{targets: [%s], labels: {environment: production, region: us-east-1}}]}}]\noutputs: [{path: '%s'}]\n",
		strings.Join(addresses, ", "), out)
}

func readyAfterAnswer(ctx context.Context, b *bench, s *stage.Stage, size int) (figures.Sample, error) {
	t, err := newTrack(ctx, s, size)
	if err != nil {
		return nil, err
	}
	g, err := newGate(s, t.Address)
	if err != nil {
		return nil, err
	}
	var took figures.Sample
	for range b.sized(7, 2) {
		dir, err := s.Path("targets")
		if err != nil {
			return nil, err
		}
		d, err := s.MCPSD(consulConfig(g.Address, filepath.Join(dir, "targets.json")))
		if err != nil {
			return nil, err
		}
		if err := d.Ready(ctx); err != nil {
			return nil, err
		}
		ready := time.Now()
		_, answered := g.counted()
		took.Seconds(ready.Sub(answered))
		d.Kill()
		stage.Pause(ctx, 200*time.Millisecond) // its queries end at the gate
	}
	return took, nil
}
