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
// A probe runs in a goroutine that takes it in when it has ended and goes on with
// the next one, so that none waits to be told. So all of this is guarded by mu,
// which whoever calls a method holds, but for land and end.
type places struct {
	ctx    context.Context // of all probes; once it ended, none yields anything
	prober Prober
	// took is told, with mu held, what came of a flight that has landed; verdict is
	// false where nothing did.
	took func(f *flight, verdict bool, now time.Time)

	mu      sync.Mutex
	limit   int
	lanes   []*lane // one per source, in the order of their first item
	byName  map[string]*lane
	parked  []*flight // have landed, the last one on top
	flights sync.WaitGroup
	ended   bool // nothing starts any more
	running int
	slow    int // of the running ones, those that were slow
	leaving int // called off, but still there

	alarm time.Time     // when the owner looks by itself
	call  chan struct{} // it is to look earlier

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

func newPlaces(ctx context.Context, p Prober, limit int) *places {
	asker, _ := p.(Asker)
	return &places{
		ctx: ctx, prober: p, asker: asker, limit: max(limit, 1),
		byName: map[string]*lane{}, call: make(chan struct{}, 1),
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
func (p *places) fill(now time.Time) {
	for p.running < p.limit {
		l, q := p.choose()
		if l == nil {
			p.fillAsks(now)
			break
		}
		it := q.pop()
		if it.gone {
			continue
		}
		p.start(l, it, now)
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

func (p *places) start(l *lane, it *item, now time.Time) {
	f := p.board(l, it, now)
	if f.slow = it.slow; f.slow {
		p.slow++
		l.slow++
	} else {
		f.place = l.flights.PushBack(f)
	}
	f.cleared <- struct{}{}
}

// free gives back the place of a flight that has landed. It returns false where
// there is no result: the item was called off and has queued again.
func (p *places) free(f *flight) bool {
	if f.asks {
		return p.freeAsk(f)
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

// turn gives places back that are held for too long, and has those start for
// which there are places.
func (p *places) turn(now time.Time) {
	p.relieve(now)
	p.fill(now)
}

// relieve calls off probes that have held their place for long, one for each
// that waits.
func (p *places) relieve(now time.Time) {
	for _, l := range p.lanes {
		if f := p.oldest(l); f == nil || now.Sub(f.began) < patience {
			continue
		}
		overdue := func(it *item) bool { return now.Sub(it.due) >= grace }
		waiting := l.fast.countUntil(overdue, p.limit) - p.leaving
		for ; waiting > 0; waiting-- {
			f := p.oldest(l)
			if f == nil || now.Sub(f.began) < patience {
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
		if f := l.oldest(); f != nil && (first == nil || f.began.Before(first.began)) {
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

// wake is when relieve has something to look at again; far off where nobody waits.
func (p *places) wake(now time.Time) time.Time {
	first := now.Add(time.Hour)
	for _, l := range p.lanes {
		it, ok := l.fast.first()
		if !ok {
			continue
		}
		at := it.due.Add(grace)
		if f := p.oldest(l); f != nil {
			at = later(at, f.began.Add(patience))
		}
		if !at.After(now) {
			at = now.Add(grace / 2) // those called off have not left yet
		}
		first = sooner(first, at)
	}
	return first
}

// lookBy has the owner look again at that time, if it would do so only later.
func (p *places) lookBy(at time.Time) {
	if !at.Before(p.alarm) {
		return
	}
	p.alarm = at
	select {
	case p.call <- struct{}{}:
	default:
	}
}

// resize changes how many places there are.
func (p *places) resize(limit int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit = max(limit, 1)
}

// run has what is queued start, until took has said of so many flights that they
// count, or the context ends.
func (p *places) run(left int, took func(f *flight, verdict bool) (counts bool)) {
	p.took = func(f *flight, verdict bool, now time.Time) {
		if took(f, verdict) {
			left--
		}
		if left == 0 {
			p.lookBy(now)
		}
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer p.end()
	for {
		p.mu.Lock()
		now, done := time.Now(), left == 0
		p.turn(now)
		p.alarm = p.wake(now)
		timer.Reset(p.alarm.Sub(now))
		p.mu.Unlock()
		if done {
			return
		}
		select {
		case <-p.call:
		case <-timer.C:
		case <-p.ctx.Done():
			return
		}
	}
}
