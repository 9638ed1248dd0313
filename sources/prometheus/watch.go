package prometheus

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// Watch implements target.Watcher. Every mechanism runs by itself; this goroutine
// gathers their outcomes.
func (s *source) Watch(ctx context.Context, emit func(target.Listing)) error {
	said := make(chan heard)
	var items sync.WaitGroup
	defer items.Wait()
	for n, i := range s.items {
		items.Go(func() {
			i.follow(ctx, func(r report) {
				select {
				case said <- heard{n, r}:
				case <-ctx.Done():
				}
			})
		})
	}
	b := newBoard(s)
	beat := time.NewTicker(s.interval)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case h := <-said:
			if l, news := b.take(h); news {
				emit(l)
			}
		case <-beat.C:
			if b.complete() {
				emit(b.listing())
			}
		}
	}
}

// heard is an outcome with its item.
type heard struct {
	item int
	report
}

// board has the latest outcome of each item.
type board struct {
	name  string
	items []posted
}

type posted struct {
	part  string
	known bool // there is an outcome
	report
	told bool // the latest listing knows what is listed
}

func newBoard(s *source) *board {
	b := &board{name: s.name}
	for _, i := range s.items {
		b.items = append(b.items, posted{part: i.part})
	}
	return b
}

// complete reports whether every item has an outcome.
func (b *board) complete() bool {
	return !slices.ContainsFunc(b.items, func(p posted) bool { return !p.known })
}

// take notes an outcome, and returns what is to be told of it at once. A change in
// one part is told by itself, since nothing was heard of the others: only the
// heartbeat says of all of them that they still list what they did. What begins or
// ends a failure is told with all the rest, and what changes nothing is left to the
// heartbeat.
func (b *board) take(h heard) (target.Listing, bool) {
	p := &b.items[h.item]
	was, known, begun := p.report, p.known, b.complete()
	p.known, p.report = true, h.report
	turned := (was.err == nil) != (h.err == nil) || h.err != nil && was.err.Error() != h.err.Error()
	changed := h.err == nil && !(p.told && was.listed.equal(h.listed))
	if changed {
		p.told = false
	}
	switch {
	case !b.complete():
		return target.Listing{}, false
	case !begun, !known, turned:
		return b.listing(), true
	case changed:
		return target.Listing{Source: b.name, Parts: []target.Part{p.tell()}, At: time.Now(), Early: true}, true
	}
	return target.Listing{}, false
}

// listing is the complete one.
func (b *board) listing() target.Listing {
	l := target.Listing{Source: b.name, At: time.Now()}
	for i := range b.items {
		l.Parts = append(l.Parts, b.items[i].tell())
	}
	return l
}

// tell says what a part lists, or that it lists what it did.
func (p *posted) tell() target.Part {
	switch {
	case p.err != nil:
		p.told = false
		return target.Part{Name: p.part, Err: p.err}
	case p.told:
		return target.Part{Name: p.part, Unchanged: true}
	}
	p.told = true
	return target.Part{Name: p.part, Raw: p.listed.raws, Rejected: p.listed.rejected}
}
