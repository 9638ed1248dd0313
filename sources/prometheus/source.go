// Package prometheus lists what Prometheus' own discovery mechanisms find, by
// their own configuration and their own code: a bridge for everything that
// mcp-sd has no mechanism of its own for.
//
// Each item of a list is a part. Prometheus' mechanisms report no failure: one
// that fails or hangs is silent, and Prometheus goes on with what it sent before,
// until the next restart. Here the silence is judged (hearing), from what the
// mechanism counts and logs (ear), so that a part is failed or lists all; its last
// good listing then outlives a restart, too (contract §4).
//
// The caveat: a mechanism is believed to send its whole set when it says that it
// has not failed. What it leaves out without a word nobody can know; where it logs
// or counts that it left something out, the part has failed.
package prometheus

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// source is a target.Watcher.
type source struct {
	name     string
	items    []*item
	interval time.Duration
	timeout  time.Duration
}

// New builds the source. It builds no mechanism yet: some connect at once.
func (o *Options) New(env target.Env) (target.Source, error) {
	o.SetDirectory(env.Dir)
	if env.Logger == nil {
		env.Logger = slog.New(slog.DiscardHandler)
	}
	s := &source{
		name:     env.Source,
		interval: cmp.Or(env.RefreshInterval, time.Minute),
		timeout:  cmp.Or(env.Timeout, 30*time.Second),
	}
	for _, n := range o.numbered() {
		s.items = append(s.items, &item{
			part: n.part(), config: n.config, traits: traitsOf(n.config.Name()).with(n.config), timeout: s.timeout,
			log: env.Logger.With("part", n.part()), running: make(chan struct{}, mostRunning),
		})
	}
	return s, nil
}

// Discover implements target.Source: it runs each mechanism until its first
// answer or failure.
func (s *source) Discover(ctx context.Context) target.Listing {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	l := target.Listing{Source: s.name, Parts: make([]target.Part, len(s.items))}
	var wg sync.WaitGroup
	for n, i := range s.items {
		wg.Go(func() { l.Parts[n] = i.once(ctx) })
	}
	wg.Wait()
	l.At = time.Now()
	l.Took = l.At.Sub(began)
	return l
}
