package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/mcp-sd/mcp-sd/bench/figures"
	"github.com/mcp-sd/mcp-sd/bench/fleet"
	"github.com/mcp-sd/mcp-sd/bench/plot"
	"github.com/mcp-sd/mcp-sd/bench/stage"
	"github.com/mcp-sd/mcp-sd/house/ports"
)

// grown is what one size of fleet costs.
type grown struct {
	size   int
	sets   int            // of labels
	first  float64        // seconds from the start of the process to the first file
	change figures.Sample // seconds from one changed target to the new file
	same   float64        // seconds of CPU that a file costs in which nothing changed
	memory int64          // resident, at most
	sweep  float64        // seconds to probe each once
}

// relabelled are sources with two rules, as operators have them.
const relabelled = `
sources:
  - name: racks
    static: {files: ['%s']}
    relabel_configs:
      - {source_labels: [rack], regex: 'r(.+)', target_label: rack_number}
      - {source_labels: [environment, region], separator: '-', target_label: cell}
outputs: [{path: '%s', min_write_interval: 0s}]
`

const unprobed = "health: {enabled: false}\n"

// memoryLimit is what an operator gives a daemon of this size; mcp-sd is to
// stay below 300 MB of resident memory with it.
const memoryLimit = "GOMEMLIMIT=230MiB"

// apart are two changes, so that none waits for another: after a long step
// mcp-sd takes no other for two seconds.
const apart = 2500 * time.Millisecond

// growth measures how everything grows with the number of targets.
func growth(ctx context.Context, b *bench, s *stage.Stage) (*figures.Section, error) {
	var all []grown
	sizes := []int{1_000, 10_000, 100_000}[:b.sized(3, 2)]
	for _, size := range sizes {
		g, err := grow(ctx, b, s, size, 100)
		if err != nil {
			return nil, fmt.Errorf("%d targets: %w", size, err)
		}
		if g.sweep, err = sweepOnce(ctx, s, size); err != nil {
			return nil, err
		}
		all = append(all, *g)
	}
	size := sizes[len(sizes)-1]
	each, err := grow(ctx, b, s, size, size)
	if err != nil {
		return nil, fmt.Errorf("%d label sets: %w", size, err)
	}
	heavy, err := probed(ctx, b, s, size)
	if err != nil {
		return nil, fmt.Errorf("%d targets, probed: %w", size, err)
	}
	return toldGrowth(b, all, each, heavy), nil
}

// grow has a daemon read a file of so many targets, and changes one of them
// again and again.
func grow(ctx context.Context, b *bench, s *stage.Stage, size, sets int) (*grown, error) {
	in, out, err := files(s)
	if err != nil {
		return nil, err
	}
	if err := stage.Write(in, racks(elsewhere, size, sets, "v0")); err != nil {
		return nil, err
	}
	watch, err := s.Watch(out)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	d, err := s.MCPSD(unprobed+fmt.Sprintf(relabelled, in, out), memoryLimit)
	if err != nil {
		return nil, err
	}
	defer d.Kill()
	at, err := watch.Holds(ctx, "first-one", time.Minute)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, d.Log())
	}
	g := &grown{size: size, sets: sets, first: at.Sub(began).Seconds()}
	for i := range b.sized(7, 2) {
		version := fmt.Sprintf("v1.%d.0", i)
		content := racks(elsewhere, size, sets, version)
		stage.Pause(ctx, apart)
		start := time.Now()
		if err := stage.Write(in, content); err != nil {
			return nil, err
		}
		at, err := watch.Holds(ctx, version, time.Minute)
		if err != nil {
			return nil, fmt.Errorf("%w\n%s", err, d.Log())
		}
		g.change.Seconds(at.Sub(start))
	}
	if g.same, err = unchanged(ctx, b, d, in); err != nil {
		return nil, err
	}
	_, g.memory, err = d.Memory()
	return g, err
}

// unchanged replaces a file by itself, again and again, and returns what one
// such pass costs.
func unchanged(ctx context.Context, b *bench, d *stage.MCPSD, in string) (float64, error) {
	content, err := os.ReadFile(in)
	if err != nil {
		return 0, err
	}
	before, err := d.CPU()
	if err != nil {
		return 0, err
	}
	times := b.sized(20, 3)
	for range times {
		if err := stage.Write(in, content); err != nil {
			return 0, err
		}
		stage.Pause(ctx, 300*time.Millisecond)
	}
	after, err := d.CPU()
	return (after - before).Seconds() / float64(times), err
}

// sweepOnce probes a fleet once, with a new connection for each endpoint.
func sweepOnce(ctx context.Context, s *stage.Stage, size int) (float64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // a fleet of that size keeps its connections until then
	port, err := ports.Next()
	if err != nil {
		return 0, err
	}
	if _, err := fleet.Start(ctx, port, fleet.Options{Size: size, Body: 2 << 10}); err != nil {
		return 0, err
	}
	p, err := read(s, nil, probes, "-port="+strconv.Itoa(port), "-n="+strconv.Itoa(size))
	if err != nil {
		return 0, err
	}
	return p.cold.Median(), nil
}

func toldGrowth(b *bench, all []grown, each *grown, heavy *weight) *figures.Section {
	section := &figures.Section{
		Title: "Growth",
		Text: "A daemon whose static source watches a JSON file with four labels in 100 label sets; two relabelling rules; no probing; `" + memoryLimit + "`. " +
			"*A change*: the file is replaced by one in which a single target has another version, until the new output is in place, 2.5 s after the one before: it is read, decoded, relabelled, merged, decided, rendered, synced, parsed back and renamed. " +
			"*Unchanged* is the processor time of a pass over a file that was replaced by itself. " +
			"*A sweep* is another process, which probes as many endpoints with pages of 2 KB once, each on a new connection. " +
			"What a pass costs within the process, and what it allocates, is in the benchmarks of the packages: `go test -run '^$' -bench Pass ./discovery`.",
		Tables: []figures.Table{{Head: []string{"targets", "label sets", "start to first file", "a change, median", "unchanged", "resident memory at most", "a sweep"}}},
	}
	chart := plot.Chart{
		Title: "Growth with the number of targets", XName: "targets",
		XLabel: func(v float64) string { return figures.Count(int(v)) }, YLabel: figures.Time,
		Lines: []plot.Line{{Name: "start to first file"}, {Name: "a change"}, {Name: "a sweep"}},
	}
	row := func(g *grown) {
		sweep := "–"
		if g.sweep > 0 {
			sweep = figures.Time(g.sweep)
		}
		section.Tables[0].Row(figures.Count(g.size), figures.Count(g.sets), figures.Time(g.first), figures.Time(g.change.Median()), figures.Time(g.same), figures.Bytes(float64(g.memory)), sweep)
	}
	for i := range all {
		g := &all[i]
		row(g)
		for k, y := range []float64{g.first, g.change.Median(), g.sweep} {
			chart.Lines[k].X, chart.Lines[k].Y = append(chart.Lines[k].X, float64(g.size)), append(chart.Lines[k].Y, y)
		}
	}
	row(each)
	section.Plots = []figures.Plot{{Name: "growth", Alt: "Start, change and sweep at 1,000, 10,000 and 100,000 targets, on logarithmic axes, beside linear growth", SVG: chart.Draw()}}
	section.Notes = []string{fmt.Sprintf("With probing, every 30 s, of %s endpoints with pages of 2 KB, `%s` as well: %s resident once all of them were published, %s at most; %s connections and files open.",
		figures.Count(heavy.size), memoryLimit, figures.Bytes(float64(heavy.now)), figures.Bytes(float64(heavy.peak)), figures.Count(heavy.files))}
	section.Aims = growthAims(b, all, each, heavy)
	return section
}

func growthAims(b *bench, all []grown, each *grown, heavy *weight) []figures.Aim {
	first, last := all[0], all[len(all)-1]
	name := figures.Count(last.size) + " targets"
	times := float64(last.size) / float64(first.size)
	aims := []figures.Aim{
		{What: "Growth: the first file of " + name + ", of linear growth from 1,000", Got: last.first / first.first / times, AtMost: 1, Broken: 3},
		{What: "Growth: a change at " + name + ", of linear growth from 1,000", Got: last.change.Median() / first.change.Median() / times, AtMost: 1, Broken: 3},
		{What: "Growth: a sweep over " + name + ", of linear growth from 1,000", Got: last.sweep / first.sweep / times, AtMost: 1.2, Broken: 4},
	}
	if b.short {
		return aims
	}
	return append(aims,
		figures.Aim{What: "Growth: a change at " + name, Got: last.change.Median(), Format: figures.Time, AtMost: 0.5, Shown: true},
		figures.Aim{What: "Growth: a change at " + name + ", each with labels of its own", Got: each.change.Median(), Format: figures.Time, AtMost: 2},
		figures.Aim{What: "Growth: an unchanged pass over " + name, Got: last.same, Format: figures.Time, AtMost: 0.05, Shown: true},
		figures.Aim{What: "Growth: resident memory at " + name, Got: float64(last.memory), Format: figures.Megabytes, AtMost: 300e6},
		figures.Aim{What: "Growth: resident memory at " + name + ", probed", Got: float64(heavy.now), Format: figures.Megabytes, AtMost: 300e6, Shown: true},
	)
}
