package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// A bound is how much a metric may be higher in the last third of the run than
// in the first, as a share and in its own unit.
type bound struct {
	metric string
	unit   string
	scale  float64
	share  float64
	slack  float64
}

// The journal of removals is remembered for seven days, and grows meanwhile.
var bounds = []bound{
	{"go_goroutines", "", 1, 0.1, 50},
	{"process_open_fds", "", 1, 0.1, 50},
	{"go_memstats_heap_inuse_bytes", "MiB", 1 << 20, 0.25, 16 << 20},
	{"process_resident_memory_bytes", "MiB", 1 << 20, 0.2, 24 << 20},
}

// report gathers the figures of a run.
type report struct {
	model   *model
	settled time.Duration
	samples map[string][]float64 // after the warm-up
	cpu     float64              // seconds, in all
	writes  float64
}

// sample asks the daemon what it needs.
func (r *report) sample(ctx context.Context, d *daemon, warm bool) error {
	got, err := d.metrics(ctx)
	if err != nil {
		return fmt.Errorf("asking for metrics: %w", err)
	}
	r.cpu = got["process_cpu_seconds_total"]
	r.writes = got[`mcp_sd_writes_total{outcome="success"}`]
	if failures := got[`mcp_sd_writes_total{outcome="failure"}`]; failures > 0 {
		return fmt.Errorf("%g writes have failed", failures)
	}
	if !warm {
		return nil
	}
	if r.samples == nil {
		r.samples = map[string][]float64{}
	}
	for _, b := range bounds {
		value, ok := got[b.metric]
		if !ok {
			return fmt.Errorf("there is no metric %s", b.metric)
		}
		r.samples[b.metric] = append(r.samples[b.metric], value)
	}
	return nil
}

// flat is nil where nothing has grown.
func (r *report) flat() error {
	var errs []error
	for _, b := range bounds {
		errs = append(errs, b.check(r.samples[b.metric]))
	}
	return errors.Join(errs...)
}

func (b bound) check(samples []float64) error {
	if len(samples) < 6 {
		return fmt.Errorf("%d samples of %s say nothing about its growth: let it run longer", len(samples), b.metric)
	}
	first, last := thirds(samples)
	if last > first*(1+b.share)+b.slack {
		return fmt.Errorf("%s grows: from %.1f %s to %.1f %s", b.metric, first/b.scale, b.unit, last/b.scale, b.unit)
	}
	return nil
}

// thirds are the medians of the first and of the last third.
func thirds(samples []float64) (first, last float64) {
	n := len(samples) / 3
	return median(samples[:n]), median(samples[len(samples)-n:])
}

func median(samples []float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[len(sorted)/2]
}

// print says how the run went.
func (r *report) print(w io.Writer, took time.Duration) {
	fmt.Fprintf(w, "%s: %d versions read, %g writes, %.1f s of CPU (%.1f %% of a core)\n",
		took.Round(time.Second), r.model.reads, r.writes, r.cpu, 100*r.cpu/took.Seconds())
	for _, kind := range slices.Sorted(maps.Keys(r.model.took)) {
		all := slices.Sorted(slices.Values(r.model.took[kind]))
		at := func(share float64) time.Duration {
			return all[int(share*float64(len(all)-1))].Round(time.Millisecond)
		}
		fmt.Fprintf(w, "%6d × %-10s seen after p50 %s, p99 %s, at most %s\n", len(all), kind, at(0.5), at(0.99), at(1))
	}
	for _, b := range bounds {
		if samples := r.samples[b.metric]; len(samples) >= 3 {
			first, last := thirds(samples)
			fmt.Fprintf(w, "%-30s %.1f, at the end %.1f, at most %.1f %s\n",
				b.metric, first/b.scale, last/b.scale, slices.Max(samples)/b.scale, b.unit)
		}
	}
}
