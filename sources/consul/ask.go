package consul

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/mcp-sd/mcp-sd/target"
)

const (
	// waitTime is how long a blocking query stands when nothing changes; Consul
	// adds up to a sixteenth. Prometheus waits as long.
	waitTime = 2 * time.Minute
	// waitLimit leaves time for a large answer after that.
	waitLimit = waitTime + waitTime/16 + 10*time.Second
	// parallel bounds the questions that are answered at once, and so cost
	// Consul something. Blocking queries stand beside them.
	parallel = 64
)

// cursor is the place from which a blocking query waits. The zero cursor asks
// for what is there now.
type cursor struct {
	index  uint64
	server int // that gave the index: another one counts for itself
}

// query is one question.
type query struct {
	what   string // is asked for, in words
	path   string
	filter string
	tags   []string
	dc     *datacenter
	at     cursor
	vital  bool               // waits whatever the number of connections is
	merged bool               // with what Consul's configuration entries say
	local  bool               // an agent's own knowledge, which no leader vouches for
	health bool               // the status of the answer tells of the service's health
	read   func([]byte) error // decodes the answer, whose bytes are not its own; where it can't, the next server is asked
}

// answer is what Consul says about its answer (api.QueryMeta).
type answer struct {
	at       cursor // where the next query waits from
	filtered bool   // ACLs took something out
	// streamed answers come from a view that the agent keeps. They tell nothing
	// of leader, age and ACLs: a plain question has to.
	streamed bool
	open     bool // who has no token may read as well
}

// ask puts a question to the server that answered last, and on failure to the
// others in turn.
func (s *Source) ask(ctx context.Context, q query) (answer, error) {
	token, err := s.token()
	if err != nil {
		return answer{}, fmt.Errorf("token_file: %w", err)
	}
	if q.at.index == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	first := s.current.Load()
	var failed error
	for i := range s.servers {
		k := (int(first) + i) % len(s.servers)
		a, err := s.try(ctx, k, token, q)
		switch {
		case err == nil:
			s.current.CompareAndSwap(first, int32(k))
			return a, nil
		case errors.Is(err, errNoLine):
			return answer{}, err
		}
		failed = also(failed, fmt.Errorf("asking %s for %s: %w", s.servers[k].name, q.what, err))
		if ctx.Err() != nil || !elsewhere(err) {
			break
		}
	}
	return answer{}, failed
}

func also(before, err error) error {
	if before == nil {
		return err
	}
	return fmt.Errorf("%w; %w", before, err)
}

// try asks one server.
func (s *Source) try(ctx context.Context, k int, token string, q query) (answer, error) {
	if q.at.server != k {
		q.at = cursor{server: k}
	}
	ctx, free, err := s.place(ctx, q)
	if err != nil {
		return answer{}, err
	}
	defer free()
	limit := waitLimit
	if q.at.index == 0 {
		limit = s.timeout / time.Duration(len(s.servers)) // so that the last one gets its turn
	}
	asked, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	a, err := s.press(asked, k, token, q)
	switch {
	case err != nil && errors.Is(context.Cause(ctx), errNoLine):
		err = errNoLine
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("no answer in time: %w", err)
	}
	return a, err
}

// place waits for a place among the questions that are under way, or takes a
// line for one that will stand.
func (s *Source) place(ctx context.Context, q query) (_ context.Context, free func(), err error) {
	if q.at.index > 0 {
		return s.lines.take(ctx, q.vital)
	}
	waiting, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.seats.Acquire(waiting, 1); err != nil {
		return ctx, nil, fmt.Errorf("waiting for Consul to answer %d other questions: %w", parallel, err)
	}
	return ctx, func() { s.seats.Release(1) }, nil
}

// press puts the question. Where Consul is crowded it makes room, and puts one
// that does not stand again.
func (s *Source) press(ctx context.Context, k int, token string, q query) (a answer, err error) {
	for range 5 {
		if a, err = s.once(ctx, k, token, q); !crowded(err) {
			break
		}
		s.warnOnce("consul refuses connections: services without one are asked every refresh interval instead of watched; raise limits.http_max_conns_per_client in Consul's agent", "server", s.servers[k].name)
		s.lines.shrink()
		if q.at.index > 0 {
			return answer{}, errNoLine
		}
		target.Pause(ctx, 200*time.Millisecond) // the connections above the limit end
	}
	return a, err
}

// once puts the question once.
func (s *Source) once(ctx context.Context, k int, token string, q query) (answer, error) {
	e := &exchange{tags: q.tags, health: q.health, bodies: &s.bodies}
	defer e.release()
	meta, err := s.servers[k].get(ctx, q.path, e, s.queryOptions(q, token))
	if err == nil && !q.local {
		err = s.checkMeta(meta)
	}
	if err == nil {
		err = q.read(e.bytes())
	}
	if err != nil {
		return answer{}, err
	}
	return answer{
		at:       q.at.next(meta.LastIndex),
		filtered: e.filtered,
		streamed: meta.QueryBackend == api.QueryBackendStreaming,
		open:     meta.DefaultACLPolicy == "allow",
	}, nil
}

func (s *Source) queryOptions(q query, token string) *api.QueryOptions {
	o := &api.QueryOptions{
		Datacenter: q.dc.query(),
		Peer:       q.dc.peer,
		AllowStale: s.opts.AllowStale,
		NodeMeta:   s.opts.NodeMeta,
		Filter:     q.filter,
		WaitIndex:  q.at.index,
		Token:      token,

		MergeCentralConfig: q.merged,
	}
	if q.at.index > 0 {
		o.WaitTime = waitTime
	}
	return o
}

// next is the cursor after an answer with that index, by Consul's rules for
// clients: an index is above 0, and one that goes backwards starts anew.
func (c cursor) next(index uint64) cursor {
	if index < c.index {
		return cursor{server: c.server}
	}
	return cursor{index: max(index, 1), server: c.server}
}

// checkMeta refuses answers that may be out of date (contract §4). A streamed
// one leaves these fields empty.
func (s *Source) checkMeta(m *api.QueryMeta) error {
	limit := time.Duration(s.opts.MaxStale)
	switch {
	case m.QueryBackend == api.QueryBackendStreaming:
		return nil
	case !m.KnownLeader:
		return errors.New("the answering server knows no leader, so its answer may be out of date (or a proxy in between drops the X-Consul headers)")
	case m.LastContact > limit:
		return fmt.Errorf("the answering server last heard from its leader %s ago, and max_stale is %s", m.LastContact, limit)
	}
	return nil
}
