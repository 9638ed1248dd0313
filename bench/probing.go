package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"syscall"

	"github.com/mcp-sd/mcp-sd/bench/figures"
	"github.com/mcp-sd/mcp-sd/bench/fleet"
	"github.com/mcp-sd/mcp-sd/bench/plot"
	"github.com/mcp-sd/mcp-sd/bench/stage"
	"github.com/mcp-sd/mcp-sd/house/ports"
)

// pace is how fast a reader reads: pages per second on new connections and on
// kept ones.
type pace struct {
	cold, warm figures.Sample
	last       reading
}

// probing measures mcp-sd's probes against a loop that only reads.
func probing(ctx context.Context, b *bench, s *stage.Stage) (*figures.Section, error) {
	size := b.sized(10_000, 1_000)
	port, err := ports.Next()
	if err != nil {
		return nil, err
	}
	if _, err := fleet.Start(ctx, port, fleet.Options{Size: size, Body: 20 << 10}); err != nil {
		return nil, err
	}
	kept := 0
	paces := map[string]*pace{}
	for range b.sized(6, 1) { // by turns: what else the machine does changes with time
		for _, r := range []struct {
			name, role string
		}{{probes, probes}, {loopAll, bareHTTP}, {loopKept, bareHTTP}} {
			args := []string{"-port=" + strconv.Itoa(port), "-n=" + strconv.Itoa(size), "-passes=5"}
			if r.name == loopKept {
				args = append(args, "-keep="+strconv.Itoa(kept))
			}
			p, err := read(s, paces[r.name], r.role, args...)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.name, err)
			}
			paces[r.name] = p
			kept = max(paces[probes].last.Open-20, 1)
		}
	}
	memory, err := probeMemory(ctx, b, s)
	if err != nil {
		return nil, err
	}
	return toldProbing(size, paces, memory)
}

const (
	loopAll  = "bare loop"
	loopKept = "bare loop, as many connections kept"
)

// read runs a reader as a process of its own.
func read(s *stage.Stage, p *pace, role string, args ...string) (*pace, error) {
	if p == nil {
		p = &pace{}
	}
	out, _, err := s.RunRole(role, args...)
	if err != nil {
		return nil, err
	}
	p.last = reading{}
	if err := json.Unmarshal(out, &p.last); err != nil {
		return nil, err
	}
	if p.last.Bad > 0 {
		return nil, fmt.Errorf("%d pages could not be read: is the limit of open files lower than 12,000?", p.last.Bad)
	}
	p.cold = append(p.cold, p.last.Seconds[0])
	p.warm = append(p.warm, p.last.Seconds[1:]...)
	return p, nil
}

// memories are how much resident memory reading took at most, by number and
// size of pages.
type memories struct {
	table        figures.Table
	small, large float64 // of few pages, by their size
	many, more   float64 // of small ones, by their number
}

func probeMemory(ctx context.Context, b *bench, s *stage.Stage) (*memories, error) {
	m := &memories{table: figures.Table{Head: []string{"endpoints", "bytes of each page", "times", "read in all", "resident memory at most", "connections kept"}}}
	var unused float64
	for _, c := range []struct {
		n, body, passes int
		peak            *float64
	}{
		{1000, 20 << 10, 10, &m.small},
		{1000, 2 << 20, 2, &m.large},
		{1000, 20 << 10, b.sized(100, 20), &m.many},
		{1000, 20 << 10, b.sized(400, 40), &m.more},
		{b.sized(10_000, 1_000), 20 << 10, 2, &unused},
	} {
		port, err := ports.Next()
		if err != nil {
			return nil, err
		}
		if _, err := fleet.Start(ctx, port, fleet.Options{Size: c.n, Body: c.body}); err != nil {
			return nil, err
		}
		p, err := read(s, nil, probes, "-port="+strconv.Itoa(port), "-n="+strconv.Itoa(c.n), "-passes="+strconv.Itoa(c.passes))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("reading %d pages of %d bytes", c.n, c.body), err)
		}
		*c.peak = float64(p.last.Peak)
		m.table.Row(figures.Count(c.n), figures.Bytes(float64(c.body)), figures.Count(c.passes), figures.Bytes(float64(c.passes*c.n*c.body)),
			figures.Bytes(*c.peak), figures.Count(p.last.Open))
	}
	return m, nil
}

func toldProbing(size int, paces map[string]*pace, memory *memories) (*figures.Section, error) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return nil, fmt.Errorf("asking for the limit of open files: %w", err)
	}
	section := &figures.Section{
		Title: "Probing",
		Text: fmt.Sprintf("%s endpoints with pages of 20 KB, all on this machine, so that serving them takes a good part of it. mcp-sd's own sweep and probes, 256 at a time, beside a loop that reads the same bodies with net/http, 256 at a time, and looks at nothing. "+
			"Six rounds by turns, of five passes each. *Cold* is the first pass, with a new connection for each; *warm* those after it. mcp-sd keeps at most half of the limit of open files (%s here) and 10,000 as idle connections, always the same ones; the bare loop all of them: the third row has the loop keep as many as mcp-sd did.",
			figures.Count(size), figures.Count(int(files.Cur))),
		Tables: []figures.Table{{Head: []string{"", "cold, pages/s", "warm, pages/s", "connections kept", "resident memory at most"}}},
	}
	rate := func(s figures.Sample) float64 { return float64(size) / s.Median() }
	cold, warm := plot.Group{Name: "cold: pages a second, longer is better"}, plot.Group{Name: "warm"}
	for _, name := range []string{probes, loopAll, loopKept} {
		p, shown := paces[name], name
		if name == probes {
			shown = ours
		}
		section.Tables[0].Row(shown, figures.Count(int(rate(p.cold))), figures.Count(int(rate(p.warm))), figures.Count(p.last.Open), figures.Bytes(float64(p.last.Peak)))
		bar := func(s figures.Sample) plot.Bar {
			return plot.Bar{Name: shown, Value: rate(s), Label: figures.Count(int(rate(s))), Own: name == probes}
		}
		if name != loopKept {
			cold.Bars = append(cold.Bars, bar(p.cold))
		}
		warm.Bars = append(warm.Bars, bar(p.warm))
	}
	section.Tables = append(section.Tables, memory.table)
	section.Aims = []figures.Aim{
		{What: "Probing, cold: pages a second, against the bare loop", Got: rate(paces[probes].cold) / rate(paces[loopAll].cold), Format: figures.Percent, AtLeast: 0.8, Broken: 0.3, Shown: true},
		{What: "Probing, warm: pages a second, against the bare loop with as many connections", Got: rate(paces[probes].warm) / rate(paces[loopKept].warm), Format: figures.Percent, AtLeast: 0.8, Broken: 0.3, Shown: true},
		{What: "Probing: resident memory with pages of 2 MB, against 20 KB", Got: memory.large / memory.small, AtMost: 1.5, Broken: 3},
		{What: "Probing: resident memory after four times as many passes", Got: memory.more / memory.many, AtMost: 1.25, Broken: 3},
		{What: "Probing: connections kept, of the limit of open files", Got: float64(paces[probes].last.Open) / float64(files.Cur), Format: figures.Percent, AtMost: 0.52, Broken: 0.6, Counted: true},
	}
	section.Plots = []figures.Plot{{
		Name: "probing", Alt: "Pages read a second, by mcp-sd's probes and by a bare loop, on new and on kept connections",
		SVG: plot.Bars("Probing "+figures.Count(size)+" endpoints of 20 KB", cold, warm),
	}}
	return section, nil
}
