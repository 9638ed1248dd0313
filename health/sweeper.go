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
	r := sweep{s: s, schedule: newSchedule(), places: newPlaces(ctx, s.prober, int(s.concurrency.Load()))}
	r.places.took = r.took
	defer r.places.end()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(r.look())
		var to chan<- []Result
		if len(r.leaving) > 0 {
			to = out
		}
		select {
		case checks, ok := <-set:
			if !ok {
				set = nil
			} else if r.replace(checks) {
				s.shareIdle(checks)
			}
		case to <- r.leaving:
			r.leaving = nil
		case <-s.changed:
			r.places.resize(int(s.concurrency.Load()))
		case <-r.places.call:
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// sweep is what one Run owns, with the goroutines of its probes: under the mutex
// of its places, but for leaving.
type sweep struct {
	s        *Sweeper
	schedule *schedule
	places   *places
	batch    []Result
	since    time.Time // when the batch got its first result
	urgent   bool      // somebody waits for one of them
	leaving  []Result  // batches that out has not taken yet
}

// look starts what is due and has the batch leave when it is time. It returns
// how long nothing else will happen by itself.
func (r *sweep) look() (wake time.Duration) {
	r.places.mu.Lock()
	defer r.places.mu.Unlock()
	now := time.Now()
	for it := r.schedule.pop(now); it != nil; it = r.schedule.pop(now) {
		r.places.add(it)
	}
	r.places.turn(now)
	at := r.places.wake(now)
	if due, ok := r.schedule.next(); ok {
		at = sooner(at, due)
	}
	if len(r.batch) > 0 {
		if leaves := r.leaves(); leaves.After(now) {
			at = sooner(at, leaves)
		} else {
			r.leave()
		}
	}
	r.places.alarm = at
	return at.Sub(now)
}

func (r *sweep) replace(checks []Check) (changed bool) {
	r.places.mu.Lock()
	defer r.places.mu.Unlock()
	return r.schedule.replace(checks, time.Now())
}

// took takes in what came of a probe or of a question.
func (r *sweep) took(f *flight, verdict bool, now time.Time) {
	if !verdict {
		return
	}
	it := f.item
	if !f.asks {
		r.schedule.probed(it, f.result.Class, now)
		r.places.lookBy(it.due)
		r.places.ask(f, now)
	}
	r.s.count(f)
	if it.gone {
		return
	}
	if len(r.batch) == 0 {
		r.since = now
	}
	r.batch = append(r.batch, f.result)
	r.urgent = r.urgent || it.check.Cadence != Steady
	r.places.lookBy(r.leaves())
}

// leaves is when the batch should leave.
func (r *sweep) leaves() time.Time {
	if r.urgent {
		return r.since
	}
	return r.since.Add(gather)
}

func (r *sweep) leave() {
	if r.leaving == nil {
		r.leaving = r.batch
	} else {
		r.leaving = append(r.leaving, r.batch...)
	}
	r.batch, r.urgent = nil, false
}

func (s *Sweeper) count(f *flight) {
	if f.asks {
		s.metrics.answered(f.check.Spec.source, &f.result)
	} else if f.result.Class != ClassCanceled || f.result.Detail != "" {
		s.metrics.observe(f.check.Spec.source, f.result.Class, f.result.Took)
	}
}

// Once probes each check exactly once, bounded as in Run, and returns the
// results in the order of the checks. When ctx ends it returns at once,
// without the unfinished ones. It asks nobody who he is: see Ask.
func (s *Sweeper) Once(ctx context.Context, checks []Check) []Result {
	s.shareIdle(checks)
	p := newPlaces(ctx, s.prober, int(s.concurrency.Load()))
	began := time.Now()
	items := make([]item, len(checks))
	for i := range checks {
		items[i] = item{check: &checks[i], pos: i, due: began, index: -1}
		p.add(&items[i])
	}
	results, has := make([]Result, len(checks)), make([]bool, len(checks))
	p.run(len(checks), func(f *flight, verdict bool) bool {
		if verdict {
			s.count(f)
			results[f.item.pos], has[f.item.pos] = f.result, true
		}
		return verdict
	})
	finished := results[:0]
	for i := range results {
		if has[i] {
			finished = append(finished, results[i])
		}
	}
	return finished
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
