package health

import (
	"context"
	"sync/atomic"
	"time"
)

// gather is how long a result may wait for others before they leave together.
// Those of targets to be admitted or let go do not wait.
const gather = 100 * time.Millisecond

// Sweeper probes many targets, spread over time and bounded in number.
type Sweeper struct {
	prober      Prober
	metrics     *Metrics
	concurrency atomic.Int64
	changed     chan struct{} // the concurrency did
	idle        int           // connections that all Specs together may keep open between probes
}

// NewSweeper returns a Sweeper that runs at most concurrency probes at once.
func NewSweeper(p Prober, concurrency int, m *Metrics) *Sweeper {
	s := &Sweeper{prober: p, metrics: m, changed: make(chan struct{}, 1), idle: idleBudget(openFiles(), memoryLimit())}
	s.concurrency.Store(int64(concurrency))
	return s
}

// SetConcurrency changes the bound for the probes that start from now on. It
// may be called at any time by anyone.
func (s *Sweeper) SetConcurrency(n int) {
	s.concurrency.Store(int64(n))
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Run probes the targets of the latest set, each at its own cadence, until ctx
// ends; then it waits for the probes under way and returns nil.
//
// Each set is complete and replaces the one before; what is in both keeps its
// place in time, so that sending an unchanged set changes nothing. The sender
// must not write to it afterwards. Results leave in batches that belong to the
// receiver: within 100 ms, or as soon as out takes them where a target waits
// for admission or leave. None is dropped but those of targets no longer in
// the set, and those not sent when ctx ends. Run neither closes nor needs set
// to be closed, and never closes out. It must not run twice at once.
func (s *Sweeper) Run(ctx context.Context, set <-chan []Check, out chan<- []Result) error {
	r := sweep{s: s, schedule: newSchedule(), places: newPlaces(s.prober, int(s.concurrency.Load()))}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		ready, wake := r.step(ctx, time.Now())
		var to chan<- []Result
		if ready {
			to = out
		}
		timer.Reset(wake)
		select {
		case checks, ok := <-set:
			if !ok {
				set = nil
				continue
			}
			if r.schedule.replace(checks, time.Now()) {
				s.shareIdle(checks)
			}
		case f := <-r.places.done:
			r.land(f)
		case to <- r.batch:
			r.batch, r.urgent = nil, false
		case <-s.changed:
			r.places.limit = max(int(s.concurrency.Load()), 1)
		case <-timer.C:
		case <-ctx.Done():
			r.places.wait()
			return nil
		}
	}
}

// sweep is what one Run owns.
type sweep struct {
	s        *Sweeper
	schedule *schedule
	places   *places
	batch    []Result
	since    time.Time // when the batch got its first result
	urgent   bool      // somebody waits for one of them
}

// step starts what is due; it returns whether the batch should leave, and how
// long nothing else will happen by itself.
func (r *sweep) step(ctx context.Context, now time.Time) (ready bool, wake time.Duration) {
	for it := r.schedule.pop(now); it != nil; it = r.schedule.pop(now) {
		r.places.add(it)
	}
	r.places.relieve(now)
	r.places.fill(ctx, now)

	wake = time.Hour
	soonest := func(at time.Time) { wake = min(wake, at.Sub(now)) }
	if due, ok := r.schedule.next(); ok {
		soonest(due)
	}
	if at := r.places.wake(now); !at.IsZero() {
		soonest(at)
	}
	if len(r.batch) > 0 {
		ready = r.urgent || now.Sub(r.since) >= gather
		if !ready {
			soonest(r.since.Add(gather))
		}
	}
	return ready, wake
}

// land takes in a flight, and all others that have landed meanwhile.
func (r *sweep) land(f *flight) {
	now := time.Now()
	for {
		if r.places.land(f) {
			r.keep(f, now)
		}
		select {
		case f = <-r.places.done:
		default:
			return
		}
	}
}

func (r *sweep) keep(f *flight, now time.Time) {
	if !f.asks {
		r.schedule.probed(f.item, f.result.Class, now)
		r.places.ask(f, now)
	}
	r.s.count(f)
	if f.item.gone {
		return
	}
	if len(r.batch) == 0 {
		r.since = now
	}
	r.batch = append(r.batch, f.result)
	r.urgent = r.urgent || f.item.check.Cadence != Steady
}

func (s *Sweeper) count(f *flight) {
	if f.asks {
		s.metrics.answered(f.check.Spec.source, &f.result)
	} else if f.result.Class != ClassCanceled || f.result.Detail != "" {
		s.metrics.observe(f.check.Spec.source, f.result.Class, f.result.Took)
	}
}

// wait lets the probes under way end; their context has, if there are any.
// Nothing may be started afterwards.
func (p *places) wait() {
	for p.running > 0 {
		p.land(<-p.done)
	}
	close(p.work)
	p.workers.Wait()
}

// Once probes each check exactly once, bounded as in Run, and returns the
// results in the order of the checks. When ctx ends it returns at once,
// without the unfinished ones. It asks nobody who he is: see Ask.
func (s *Sweeper) Once(ctx context.Context, checks []Check) []Result {
	p := newPlaces(s.prober, int(s.concurrency.Load()))
	defer p.wait()
	s.shareIdle(checks)
	began := time.Now()
	for i := range checks {
		p.add(&item{check: &checks[i], pos: i, due: began, index: -1})
	}
	results := make([]*Result, len(checks))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for left := len(checks); left > 0; {
		now := time.Now()
		p.relieve(now)
		p.fill(ctx, now)
		if at := p.wake(now); !at.IsZero() {
			timer.Reset(at.Sub(now))
		}
		select {
		case f := <-p.done:
			if p.land(f) {
				results[f.item.pos] = &f.result
				s.count(f)
				left--
			}
		case <-timer.C:
		case <-ctx.Done():
			return finished(results)
		}
	}
	return finished(results)
}

func finished(results []*Result) []Result {
	out := make([]Result, 0, len(results))
	for _, r := range results {
		if r != nil {
			out = append(out, *r)
		}
	}
	return out
}

// shareIdle divides the connections that may stay open among all endpoints.
func (s *Sweeper) shareIdle(checks []Check) {
	part := 1.0
	if len(checks) > s.idle {
		part = float64(s.idle) / float64(len(checks))
	}
	seen := map[*Spec]bool{}
	var last *Spec
	for _, c := range checks {
		if c.Spec == last || seen[c.Spec] {
			continue
		}
		last, seen[c.Spec] = c.Spec, true
		c.Spec.share(part)
	}
}
