package consul

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// agent lists what is registered with one agent. That needs neither a leader
// nor the catalogue; an agent has no blocking query for it, so it is asked
// again and again.
type agent struct{ source *Source }

// node is that of the agent.
type node struct {
	Config *struct{ NodeName, Datacenter string }
	Member *struct{ Addr string }
	Meta   map[string]string
}

// registered is the part of api.AgentService that selects.
type registered struct {
	Service string
	Tags    []string
}

// Know implements target.Knower.
func (a *agent) Know(parts []string) { a.source.Know(parts) }

// Discover asks the agent who it is, which services it has, and then for each
// of them with its checks.
func (a *agent) Discover(ctx context.Context) target.Listing {
	s := a.source
	defer s.closeIdle()
	began := time.Now()
	asking, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	l := target.Listing{Source: s.name, Parts: a.discover(asking, s.dcs[0]), At: time.Now()}
	l.Took = l.At.Sub(began)
	sortParts(l.Parts)
	return l
}

func (a *agent) discover(ctx context.Context, dc *datacenter) []target.Part {
	s := a.source
	n, err := s.self(ctx, dc)
	var names []string
	var ids map[string]bool
	if err == nil {
		names, ids, err = s.onAgent(ctx, dc)
	}
	parts := []target.Part{{Name: dc.catalogPart(), Err: err}}
	if n == nil {
		return parts // that failed, so that what was listed stands
	}
	names = sorted(slices.Concat(names, s.expected(dc)))
	services := make([]target.Part, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { services[i] = s.localPart(ctx, dc, name, n, ids) })
	}
	wg.Wait()
	return append(parts, services...)
}

// self asks the agent for its node.
func (s *Source) self(ctx context.Context, dc *datacenter) (*node, error) {
	var n node
	_, err := s.ask(ctx, query{
		what: "the agent's name and address", path: "/v1/agent/self", dc: dc, local: true,
		read: func(body []byte) error {
			if err := decodeWhole(body, &n); err != nil {
				return err
			}
			if n.Config == nil || n.Member == nil {
				return errors.New("the answer lacks the agent's Config or Member")
			}
			return nil
		},
	})
	var r *refusal
	if errors.As(err, &r) && r.code == 403 {
		err = fmt.Errorf("%w; with agent, it needs agent:read on its node", err)
	}
	if err != nil {
		return nil, err
	}
	return &n, nil
}

// onAgent are the names of the services to list, and, where a filter selects
// instances, their ids.
func (s *Source) onAgent(ctx context.Context, dc *datacenter) (names []string, ids map[string]bool, err error) {
	if !s.opts.needsCatalog() {
		return s.opts.Services, nil, nil
	}
	var all map[string]registered
	a, err := s.ask(ctx, query{
		what: "the services of the agent", path: "/v1/agent/services", filter: s.opts.Filter, dc: dc, local: true,
		read: func(body []byte) error { return decodeWhole(body, &all) },
	})
	if err != nil {
		return nil, nil, err
	}
	if a.filtered {
		s.warnOnce("consul's ACLs leave services of the agent out for this token; what the token may not read is not discovered")
	}
	if s.opts.Filter != "" {
		ids = map[string]bool{}
	}
	for id, r := range all {
		if s.wants(r.Service, r.Tags) {
			names = append(names, r.Service)
			if ids != nil {
				ids[id] = true
			}
		}
	}
	return slices.Concat(names, s.opts.Services), ids, nil
}

// localPart asks for the instances of a service and their checks, all at once.
// A service that the token may not read is refused, and one that is not there is
// not: what the list of services lacks is found out here.
func (s *Source) localPart(ctx context.Context, dc *datacenter, service string, n *node, ids map[string]bool) target.Part {
	p := target.Part{Name: dc.servicePart(service)}
	var l listing
	_, p.Err = s.ask(ctx, query{
		what: fmt.Sprintf("the instances of %q", service),
		path: "/v1/agent/health/service/name/" + service,
		dc:   dc, local: true, health: true,
		read: func(body []byte) error {
			var err error
			l, err = s.localReader(service, n, ids).read(body, listing{})
			return err
		},
	})
	if p.Err == nil {
		p.Raw, p.Rejected = l.raws, l.rejected
		s.remember(dc, service, len(l.raws) > 0)
	}
	return p
}

// localReader decodes what an agent says about a service, and puts its node
// beside each instance.
func (s *Source) localReader(service string, n *node, ids map[string]bool) reader {
	return reader{seed: s.seed, describe: func(e *entry) (described, error) {
		e.Node = &entryNode{Node: n.Config.NodeName, Address: n.Member.Addr, Datacenter: n.Config.Datacenter, Meta: n.Meta}
		raw, err := e.describe("", service, s.opts.TagSeparator)
		switch {
		case err != nil:
			return described{}, err
		case ids != nil && !ids[e.Service.ID], !hasTags(e.Service.Tags, s.opts.Tags):
			return described{}, nil
		}
		return s.opts.targets(e, raw), nil
	}}
}
