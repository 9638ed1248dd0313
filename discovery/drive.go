package discovery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// driver asks one source again and again and relabels what it says, so that a
// large or slow source costs the engine's loop nothing but the result.
type driver struct {
	SourceSetup
	send  func(Arrival)   // nil: only the complete answer is wanted
	parts map[string]bool // of the latest listing, to notice those that are gone
}

// run drives the source until ctx ends.
func (d *driver) run(ctx context.Context) {
	if w, ok := d.Source.(target.Watcher); ok {
		d.watch(ctx, w)
		return
	}
	d.poll(ctx)
}

// poll asks at the refresh interval, and sooner after a failure.
func (d *driver) poll(ctx context.Context) {
	retry := target.NewBackOff()
	for ctx.Err() == nil {
		l := d.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		d.send(d.relabel(l))
		wait := d.RefreshInterval
		if l.Failed() {
			wait = retry.NextBackOff()
			if answered := slices.ContainsFunc(l.Parts, func(p target.Part) bool { return p.Err == nil }); answered {
				wait = min(wait, d.RefreshInterval) // a part that fails must not slow the others down
			}
		} else {
			retry.Reset()
			wait -= time.Duration(rand.Int64N(int64(wait)/20 + 1)) // spreads replicas that started together
		}
		target.Pause(ctx, wait)
	}
}

// watch hands listings over as they come. A watcher that gives up is started
// again: only the end of ctx ends it for good.
func (d *driver) watch(ctx context.Context, w target.Watcher) {
	retry := target.NewBackOff()
	for ctx.Err() == nil {
		err := w.Watch(ctx, func(l target.Listing) { d.send(d.relabel(l)) })
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("it stopped without a reason")
		}
		d.send(d.relabel(failedListing(d.Name, fmt.Errorf("watching: %w", err))))
		target.Pause(ctx, retry.NextBackOff())
	}
}

// ask puts one question, which ends with the source's timeout at the latest.
func (d *driver) ask(ctx context.Context) target.Listing {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	start := time.Now()
	l := d.discover(ctx)
	l.Source = d.Name
	if l.Took == 0 {
		l.Took = time.Since(start)
	}
	return l
}

func (d *driver) discover(ctx context.Context) target.Listing {
	if s, ok := d.Source.(target.EarlySource); ok && d.send != nil {
		return s.DiscoverEarly(ctx, func(l target.Listing) { d.send(d.relabel(l)) })
	}
	return d.Source.Discover(ctx)
}

func (d *driver) relabel(l target.Listing) Arrival {
	l.Source = d.Name
	if len(l.Parts) == 0 { // a source that lists no part has said nothing
		l = failedListing(d.Name, errors.New("it listed nothing, not even that there is nothing"))
	}
	a := Arrival{
		Listing:  l,
		Targets:  make([][]*target.Target, len(l.Parts)),
		Rejected: make([][]target.Rejection, len(l.Parts)),
	}
	for i, p := range l.Parts {
		if p.Err == nil && !p.Unchanged {
			a.Targets[i], a.Rejected[i] = d.Relabeler.Targets(p)
		}
	}
	if !l.Failed() && !l.Early {
		d.forget(l.Parts)
	}
	return a
}

// forget lets the relabeler drop parts that are listed no longer.
func (d *driver) forget(parts []target.Part) {
	now := make(map[string]bool, len(parts))
	for _, p := range parts {
		now[p.Name] = true
	}
	for name := range d.parts {
		if !now[name] {
			d.Relabeler.Forget(name)
		}
	}
	d.parts = now
}

// failedListing is what a source says that could not say anything.
func failedListing(source string, err error) target.Listing {
	return target.Listing{Source: source, At: time.Now(), Parts: []target.Part{{Name: "source", Err: err}}}
}
