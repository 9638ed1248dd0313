package health

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// A probe that holds its place for longer than patience, while another waits
// for one since longer than a grace, is called off and asked again among the
// slow ones.
const (
	patience = 500 * time.Millisecond
	grace    = 100 * time.Millisecond
)

// places are where probes run: at most limit at once, for each source at most
// its own concurrency. Endpoints that were slow last time share at most half
// of either, and one that turns out to be slow while others wait gives its
// place back, so that a slow endpoint delays no other's verdict (contract §5).
//
// All methods are for one goroutine; each running probe has another, which
// does nothing but send its flight to done. There are at most twice as many as
// ever ran at once; wait ends them.
type places struct {
	prober  Prober
	limit   int
	lanes   []*lane // one per source, in the order of their first item
	byName  map[string]*lane
	work    chan *flight // to goroutines that wait for one
	workers sync.WaitGroup
	done    chan *flight
	running int
	slow    int // of the running ones, those that were slow
	leaving int // called off, but still there

	asker Asker // nil: it asks nobody
	asks  int   // of the running ones, those that ask who a server is
	off   int   // of these, those that were called off
}

// lane is one source's share of the places.
type lane struct {
	limit   int
	fast    queue[*item]
	late    queue[*item] // were slow last time
	flights list.List    // *flight, the oldest first; without the slow and the called off
	asks    queue[*item]
	running int
	slow    int
	asking  list.List // *flight, the oldest first; without the called off
}

// flight is one running probe.
type flight struct {
	item   *item
	check  Check // as it was when the probe began
	lane   *lane
	start  time.Time
	ctx    context.Context
	cancel context.CancelFunc
	slow   bool
	off    bool          // called off to make room
	asks   bool          // who the server is
	place  *list.Element // in the lane's flights, or in its asking
	result Result
}

func newPlaces(p Prober, limit int) *places {
	asker, _ := p.(Asker)
	return &places{
		prober: p, asker: asker, limit: max(limit, 1), byName: map[string]*lane{},
		work: make(chan *flight), done: make(chan *flight, 64),
	}
}

// add queues an item that is due.
func (p *places) add(it *item) {
	l := p.lane(it.check.Spec)
	if it.slow {
		l.late.push(it)
	} else {
		l.fast.push(it)
	}
}

func (p *places) lane(s *Spec) *lane {
	l := p.byName[s.source]
	if l == nil {
		l = new(lane)
		p.byName[s.source] = l
		p.lanes = append(p.lanes, l)
	}
	l.limit = max(s.opts.Concurrency, 1)
	return l
}

// fill starts probes while there are places for them.
func (p *places) fill(ctx context.Context, now time.Time) {
	for p.running < p.limit {
		l, q := p.choose()
		if l == nil {
			p.fillAsks(ctx, now)
			break
		}
		it := q.pop()
		if it.gone {
			continue
		}
		p.start(ctx, l, it, now)
	}
	p.makeWay()
}

// choose finds who has waited longest of those that may start.
func (p *places) choose() (who *lane, from *queue[*item]) {
	var due time.Time
	consider := func(l *lane, q *queue[*item]) {
		if it, ok := q.first(); ok && (who == nil || it.due.Before(due)) {
			who, from, due = l, q, it.due
		}
	}
	for _, l := range p.lanes {
		if l.running >= l.limit {
			continue
		}
		consider(l, &l.fast)
		if p.slow < half(p.limit) && l.slow < half(l.limit) {
			consider(l, &l.late)
		}
	}
	return who, from
}

func half(n int) int { return max(n/2, 1) }

func (p *places) start(ctx context.Context, l *lane, it *item, now time.Time) {
	ctx, cancel := context.WithCancel(ctx)
	f := &flight{item: it, check: *it.check, lane: l, start: now, cancel: cancel, slow: it.slow}
	p.running++
	l.running++
	if f.slow {
		p.slow++
		l.slow++
	} else {
		f.place = l.flights.PushBack(f)
	}
	f.ctx = ctx
	select {
	case p.work <- f:
	default:
		p.workers.Go(func() { p.probe(f) })
	}
}

// probe runs one flight after the other. Goroutines are kept from one to the
// next: a new one grows its stack several times on the way through net/http.
func (p *places) probe(f *flight) {
	for ok := true; ok; f, ok = <-p.work {
		f.result = p.prober.Probe(f.ctx, f.check)
		p.done <- f
	}
}

// land frees the place of a flight that came out of done. It returns false
// where there is no result: the item was called off and has queued again.
func (p *places) land(f *flight) bool {
	f.cancel()
	if f.asks {
		return p.landAsk(f)
	}
	f.lane.forget(f)
	p.running--
	f.lane.running--
	if f.slow {
		p.slow--
		f.lane.slow--
	}
	if f.off {
		p.leaving--
	}
	calledOff := f.off && f.result.Class == ClassCanceled
	f.item.slow = calledOff || f.sluggish()
	if calledOff && !f.item.gone {
		p.add(f.item)
		return false
	}
	return !calledOff
}

// sluggish endpoints are those that timed out, or came near it.
func (f *flight) sluggish() bool {
	return f.result.Class == ClassTimeout || f.result.Took >= f.check.Spec.timeout()/2
}

// relieve calls off probes that have held their place for long, one for each
// that waits.
func (p *places) relieve(now time.Time) {
	for _, l := range p.lanes {
		if f := p.oldest(l); f == nil || now.Sub(f.start) < patience {
			continue
		}
		overdue := func(it *item) bool { return now.Sub(it.due) >= grace }
		waiting := l.fast.countUntil(overdue, p.limit) - p.leaving
		for ; waiting > 0; waiting-- {
			f := p.oldest(l)
			if f == nil || now.Sub(f.start) < patience {
				break
			}
			f.off = true
			p.leaving++
			f.lane.forget(f)
			f.cancel()
		}
	}
}

// oldest is the flight that has held a place longest which l could use: any
// one's where all are taken, else one of its own.
func (p *places) oldest(l *lane) *flight {
	if p.running < p.limit {
		return l.oldest()
	}
	var first *flight
	for _, l := range p.lanes {
		if f := l.oldest(); f != nil && (first == nil || f.start.Before(first.start)) {
			first = f
		}
	}
	return first
}

func (l *lane) oldest() *flight {
	if e := l.flights.Front(); e != nil {
		return e.Value.(*flight)
	}
	return nil
}

func (l *lane) forget(f *flight) {
	if f.place != nil {
		l.flights.Remove(f.place)
		f.place = nil
	}
}

// wake is when relieve has something to look at again; zero where nobody waits.
func (p *places) wake(now time.Time) time.Time {
	var first time.Time
	for _, l := range p.lanes {
		it, ok := l.fast.first()
		if !ok {
			continue
		}
		at := it.due.Add(grace)
		if f := p.oldest(l); f != nil {
			at = later(at, f.start.Add(patience))
		}
		if !at.After(now) {
			at = now.Add(grace / 2) // those called off have not left yet
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}
