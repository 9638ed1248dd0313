package health

import (
	"container/list"
	"context"
	"time"
)

// askShare is what part of the places those may have that ask who a server is:
// an eighth, and one at least.
const askShare = 8

func asksMost(places int) int { return max(places/askShare, 1) }

// ask queues the target of a probe that has landed, where it is time to ask who
// it is. So the questions follow the probes, and are spread as they are.
func (p *places) ask(f *flight, now time.Time) {
	it := f.item
	if p.asker == nil || it.gone || it.check.Spec.mcp == nil {
		return
	}
	if it.ask == nil {
		it.ask = begins(it.check, now)
	}
	if it.ask.probed(f.result.Class, now) {
		p.lane(it.check.Spec).asks.push(it)
	}
}

// fillAsks starts asking while nobody else wants the places.
func (p *places) fillAsks(now time.Time) {
	for _, l := range p.lanes {
		for p.running < p.limit && p.asks < asksMost(p.limit) && l.running < l.limit && l.asking.Len() < asksMost(l.limit) {
			it, ok := l.asks.first()
			if !ok {
				break
			}
			l.asks.pop()
			if it.gone || it.check.Spec.mcp == nil {
				it.ask = nil
				continue
			}
			p.startAsk(l, it, now)
		}
	}
}

func (p *places) startAsk(l *lane, it *item, now time.Time) {
	f := p.board(l, it, now)
	f.asks = true
	f.place = l.asking.PushBack(f)
	p.asks++
	f.cleared <- struct{}{}
}

// makeWay calls off as many questions as there are probes that wait for the
// places they hold: what a server says of itself can wait, a verdict can't.
func (p *places) makeWay() {
	if p.asks == 0 {
		return
	}
	for _, l := range p.lanes {
		for waiting := p.waiting(l) - p.off; waiting > 0; waiting-- {
			e := p.question(l)
			if e == nil {
				break
			}
			f := e.Value.(*flight)
			f.lane.asking.Remove(e)
			f.off, f.place = true, nil
			p.off++
			f.cancel()
		}
	}
}

// waiting counts the probes of a lane that could begin, had they a place.
func (p *places) waiting(l *lane) int {
	waits := func(it *item) bool { return !it.gone }
	n := l.fast.countUntil(waits, p.limit)
	if p.slow < half(p.limit) && l.slow < half(l.limit) {
		n += l.late.countUntil(waits, 1)
	}
	return n
}

// question is one whose place a lane could use: one of its own where it has no
// more, any where nobody has.
func (p *places) question(l *lane) *list.Element {
	switch {
	case l.running >= l.limit:
		return l.asking.Front()
	case p.running < p.limit:
		return nil
	}
	for _, l := range p.lanes {
		if e := l.asking.Front(); e != nil {
			return e
		}
	}
	return nil
}

// freeAsk gives back the place of a question. It returns false where there is no
// answer: it was called off, and is put again after the next probe.
func (p *places) freeAsk(f *flight) bool {
	p.running--
	p.asks--
	f.lane.running--
	if f.place != nil {
		f.lane.asking.Remove(f.place)
	}
	if f.off {
		p.off--
	}
	it := f.item
	switch o := it.check.Spec.mcp; {
	case it.ask == nil || o == nil || f.check.Spec.mcp == nil:
		it.ask = nil
		return false
	case f.check.Identity != it.check.Identity, *f.check.Spec.mcp != *o: // it is no answer to what is asked now
		*it.ask = asking{due: time.Now(), up: it.ask.up}
		return false
	case f.result.Class == ClassCanceled && f.result.Detail == "":
		it.ask.flying = false
		return false
	default:
		it.ask.asked(&f.result, time.Duration(o.Interval), time.Now())
		return true
	}
}

// Ask asks each of the checks' targets once who it is, where its source asks. It
// is bounded as the questions of Run are, and returns the answers in no order;
// when ctx ends it returns at once, without the unfinished ones.
func (s *Sweeper) Ask(ctx context.Context, checks []Check) []Result {
	p := newPlaces(ctx, s.prober, int(s.concurrency.Load()))
	if p.asker == nil {
		return nil
	}
	left := 0
	for i := range checks {
		if c := &checks[i]; c.Spec.Asks() {
			p.lane(c.Spec).asks.push(&item{check: c, index: -1, ask: &asking{flying: true}})
			left++
		}
	}
	answers := make([]Result, 0, left)
	p.run(left, func(f *flight, answered bool) bool {
		if answered {
			s.count(f)
			answers = append(answers, f.result)
		}
		return true
	})
	return answers
}
