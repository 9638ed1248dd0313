package consul

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
)

// watched is one selected service of one datacenter, and what was last heard
// of it. It belongs to one goroutine.
type watched struct {
	dc    *datacenter
	name  string
	at    cursor
	heard listing
}

// instances asks for the instances of a service, from w.at on, and keeps them
// in w. An error leaves w as it was, but for the next question being plain.
func (s *Source) instances(ctx context.Context, w *watched) error {
	asked := w.at
	next, a, err := s.hear(ctx, w)
	if err == nil && a.streamed && lost(w.heard.raws, next.raws) {
		// The agent's view does not tell what ACLs took out of it.
		w.at = cursor{}
		next, a, err = s.hear(ctx, w)
	}
	if err != nil {
		w.at = cursor{}
		return s.orLater(ctx, err)
	}
	if a.streamed && a.at.index <= asked.index {
		// The wait is over, and nothing vouches for the view: ask plainly, once.
		a.at = cursor{}
	}
	if len(next.raws) == 0 && !s.listedBefore(w.dc, w.name) {
		s.warnIfAnonymous(a)
	}
	w.at, w.heard = a.at, next
	s.remember(w.dc, w.name, len(next.raws) > 0)
	return nil
}

// orLater returns err, unless it says that there is no connection to wait on:
// then it waits until it is time to ask.
func (s *Source) orLater(ctx context.Context, err error) error {
	if !errors.Is(err, errNoLine) {
		return err
	}
	pause(ctx, s.interval-rand.N(s.interval/4)) // not all at once
	return ctx.Err()
}

// hear asks the health endpoint once.
func (s *Source) hear(ctx context.Context, w *watched) (next listing, a answer, err error) {
	what := fmt.Sprintf("the instances of %q", w.name)
	a, err = s.ask(ctx, query{
		what:   what,
		path:   "/v1/health/service/" + w.name,
		filter: s.opts.HealthFilter,
		tags:   s.opts.Tags,
		dc:     w.dc,
		at:     w.at,
		read: func(body []byte) error {
			var err error
			next, err = s.reader(w).read(body, w.heard)
			return err
		},
	})
	if err == nil && a.filtered {
		err = fmt.Errorf("%s are not all there, Consul's ACLs left some out: the token needs service:read on %q and node:read on the nodes that it runs on", what, w.name)
	}
	return next, a, err
}
