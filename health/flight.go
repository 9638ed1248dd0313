package health

import (
	"container/list"
	"context"
	"time"
)

// flight is one running probe, and then the next one in the same goroutine: a
// new goroutine grows its stack several times on the way through net/http.
type flight struct {
	cleared chan struct{}   // may begin
	ctx     context.Context // of one probe after the other, until one is called off
	cancel  context.CancelFunc

	item   *item
	check  Check // as it was when the probe began
	lane   *lane
	began  time.Time
	slow   bool
	off    bool          // called off to make room
	asks   bool          // who the server is
	place  *list.Element // in the lane's flights, or in its asking
	result Result
}

// board takes a place for an item, in a goroutine that has none or in a new one.
// There are never more of them than places were taken at once.
func (p *places) board(l *lane, it *item, now time.Time) *flight {
	f := p.unpark()
	f.item, f.check, f.lane, f.began = it, *it.check, l, now
	f.slow, f.off, f.asks = false, false, false
	p.running++
	l.running++
	return f
}

func (p *places) unpark() *flight {
	if n := len(p.parked); n > 0 {
		f := p.parked[n-1]
		p.parked = p.parked[:n-1]
		if f.off {
			f.ctx, f.cancel = context.WithCancel(p.ctx)
		}
		return f
	}
	f := &flight{cleared: make(chan struct{}, 1)}
	f.ctx, f.cancel = context.WithCancel(p.ctx)
	p.flights.Go(func() { p.fly(f) })
	return f
}

// fly runs one probe after the other.
func (p *places) fly(f *flight) {
	for range f.cleared {
		if f.asks {
			f.result = p.asker.AskMCP(f.ctx, f.check)
		} else {
			f.result = p.prober.Probe(f.ctx, f.check)
		}
		p.land(f)
	}
	f.cancel()
}

// land takes a flight in and has the next ones start: first that in the same
// goroutine.
func (p *places) land(f *flight) {
	p.mu.Lock()
	defer p.mu.Unlock()
	verdict := p.free(f)
	if p.ended || p.ctx.Err() != nil {
		p.park(f)
		return
	}
	now := time.Now()
	p.took(f, verdict, now)
	p.park(f)
	p.turn(now)
}

// park keeps a goroutine for the next flight, and nothing of the last one.
func (p *places) park(f *flight) {
	if p.ended {
		close(f.cleared)
		return
	}
	f.item, f.check, f.lane, f.place, f.result = nil, Check{}, nil, nil, Result{}
	p.parked = append(p.parked, f)
}

// end lets nothing start any more, waits for what is under way, whose context
// has ended, and takes no more in.
func (p *places) end() {
	p.mu.Lock()
	p.ended = true
	for _, f := range p.parked {
		close(f.cleared)
	}
	p.parked = nil
	p.mu.Unlock()
	p.flights.Wait()
}

// sluggish endpoints are those that timed out, or came near it.
func (f *flight) sluggish() bool {
	return f.result.Class == ClassTimeout || f.result.Took >= f.check.Spec.timeout()/2
}
