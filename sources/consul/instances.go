package consul

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/mcp-sd/mcp-sd/target"
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
	if err == nil && w.dc.peer != "" && (len(next.raws) == 0 || lost(w.heard.raws, next.raws)) {
		_, err = s.imported(ctx, w.dc) // an unknown or broken peer exports nothing, too
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
	s.untilDue(ctx)
	return ctx.Err()
}

// untilDue waits for about the refresh interval: not all ask at once.
func (s *Source) untilDue(ctx context.Context) { target.Pause(ctx, s.interval-rand.N(s.interval/4)) }

// hear asks the health endpoint once.
func (s *Source) hear(ctx context.Context, w *watched) (next listing, a answer, err error) {
	q := s.about(w.dc, w.name)
	q.at = w.at
	q.read = func(body []byte) error {
		var err error
		next, err = s.reader(w).read(body, w.heard)
		return err
	}
	a, err = s.ask(ctx, q)
	if err == nil && a.filtered {
		err = fmt.Errorf("%s are not all there, Consul's ACLs left some out: the token needs %s", q.what, s.rights(w))
	}
	return next, a, err
}

// about is the question for the instances of a service, or for its proxies.
func (s *Source) about(dc *datacenter, service string) query {
	q := query{
		what:   fmt.Sprintf("the instances of %q", service),
		path:   "/v1/health/service/" + service,
		filter: s.opts.HealthFilter,
		tags:   s.opts.Tags,
		dc:     dc,
	}
	if s.opts.ExposedPath != "" {
		q.what = fmt.Sprintf("the proxies of %q", service)
		q.path = "/v1/health/connect/" + service
		q.tags = nil    // which this endpoint does not look at
		q.merged = true // paths may be exposed by configuration entries
	}
	return q
}

// rights are those that a token needs to be told of all instances.
func (s *Source) rights(w *watched) string {
	switch {
	case w.dc.peer != "":
		return `service:read and node:read on everything (service_prefix "" and node_prefix ""), as Consul demands of whoever reads what a peer exports`
	case s.opts.ExposedPath != "":
		return fmt.Sprintf("service:read on %q and on its proxies (service_prefix), and node:read on the nodes that they run on", w.name)
	}
	return fmt.Sprintf("service:read on %q and node:read on the nodes that it runs on", w.name)
}
