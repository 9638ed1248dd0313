package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcp-sd/mcp-sd/bench/figures"
	"github.com/mcp-sd/mcp-sd/bench/fleet"
	"github.com/mcp-sd/mcp-sd/bench/stage"
	"github.com/mcp-sd/mcp-sd/house/ports"
)

// Every tenth endpoint does harm.
func harmful(i int) bool { return i%10 == 0 }

func behaviour(i int) fleet.Behaviour {
	if !harmful(i) {
		return fleet.Healthy
	}
	return [...]fleet.Behaviour{fleet.Hanging, fleet.Dripping, fleet.Bombing}[i/10%3]
}

// hostile measures whether endpoints that do harm delay the others.
func hostile(ctx context.Context, b *bench, s *stage.Stage) (*figures.Section, error) {
	size, interval := b.sized(10_000, 500), time.Duration(b.sized(21, 3))*time.Second
	port, err := ports.Next()
	if err != nil {
		return nil, err
	}
	f, err := fleet.Start(ctx, port, fleet.Options{Size: size, Body: 20 << 10, Behaviour: behaviour})
	if err != nil {
		return nil, err
	}
	dir, err := s.Path("targets")
	if err != nil {
		return nil, err
	}
	out := filepath.Join(dir, "targets.json")
	config := fmt.Sprintf("health: {interval: %s, timeout: %s}\n", interval, interval/3)
	began := time.Now()
	d, err := s.MCPSD(config + inlineConfig(out, size, port))
	if err != nil {
		return nil, err
	}
	good := size - size/10
	var admitted time.Duration
	err = stage.Await(ctx, 50*time.Millisecond, 6*interval, func() error {
		n, err := published(ctx, d)
		if err == nil && n < good {
			err = fmt.Errorf("%d of %d good endpoints are published", n, good)
		}
		admitted = time.Since(began)
		return err
	})
	if err != nil {
		return nil, err
	}
	stage.Pause(ctx, 2*interval)
	gap, unasked := f.LongestGap(began, func(i int) bool { return !harmful(i) })
	_, peak, err := d.Memory()
	if err != nil {
		return nil, err
	}
	files, err := d.Files()
	if err != nil {
		return nil, err
	}
	return toldHostile(size, interval, admitted, gap, unasked, peak, files), nil
}

// published is how many targets the daemon says it has published.
func published(ctx context.Context, d *stage.MCPSD) (int, error) {
	if err := d.Running(); err != nil {
		return 0, err
	}
	body, err := stage.Get(ctx, d.URL+"/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(body)) {
		if rest, ok := strings.CutPrefix(line, `mcp_sd_targets{source="racks",state="published"} `); ok {
			var n float64
			_, err := fmt.Sscan(rest, &n)
			return int(n), err
		}
	}
	return 0, nil
}

func toldHostile(size int, interval, admitted, gap time.Duration, unasked int, peak int64, files int) *figures.Section {
	section := &figures.Section{
		Title: "Hostile endpoints",
		Text: fmt.Sprintf("%s endpoints, of which a tenth hang, drip or send compressed bombs, by turns; the others answer with 20 KB. The daemon with `interval: %s` and `timeout: %s`, the proportion of its defaults. "+
			"Bombs are 64 MiB of zeros, of which 10 MiB are unpacked each time. The worst that is known, lines of nothing but `#`, costs 0.1 s of a core; while each line was parsed it was 12 s.", figures.Count(size), interval, interval/3),
		Tables: []figures.Table{{Head: []string{"", ""}}},
		Aims: []figures.Aim{
			{What: "Hostile: last good endpoint judged after, in intervals", Got: admitted.Seconds() / interval.Seconds(), Format: figures.Ratio, AtMost: 2, Broken: 4, Shown: true},
			{What: "Hostile: longest time between two probes of a good one, in intervals", Got: gap.Seconds() / interval.Seconds(), Format: figures.Ratio, AtMost: 2, Broken: 4},
		},
	}
	t := &section.Tables[0]
	t.Row("all good endpoints published, from the start of the process", figures.Time(admitted.Seconds()))
	t.Row("longest time between two probes of a good one", figures.Time(gap.Seconds()))
	t.Row("good ones never asked", figures.Count(unasked))
	t.Row("resident memory at most", figures.Bytes(float64(peak)))
	t.Row("files and connections open", figures.Count(files))
	return section
}
