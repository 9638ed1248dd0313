package consul

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
)

// peering is the part of api.Peering that tells whether what a peer exports is
// all there.
type peering struct {
	Name         string
	State        api.PeeringState
	StreamStatus struct {
		ImportedServices []string
		LastHeartbeat    *time.Time
	}
}

// looksUp reports whether names have to be looked up. Of a peer they always
// are: Consul answers with an empty list for one that it does not know.
func (s *Source) looksUp(dc *datacenter) bool { return dc.peer != "" || s.opts.needsCatalog() }

// importedServices is the catalogue of a peer, which Consul keeps elsewhere.
func (s *Source) importedServices(ctx context.Context, dc *datacenter) (selection, error) {
	all, err := s.imported(ctx, dc)
	if err != nil {
		return selection{}, err
	}
	if len(s.opts.Services) > 0 {
		return selection{names: sorted(s.opts.Services)}, nil
	}
	all = slices.DeleteFunc(all, func(name string) bool { return s.pattern != nil && !s.pattern.MatchString(name) })
	sel := selection{names: sorted(all)}
	missing := without(s.expected(dc), sel.names)
	gone, err := s.confirm(ctx, dc, missing)
	if err != nil {
		return selection{}, err
	}
	sel.names = sorted(slices.Concat(sel.names, without(missing, gone))) // their own questions found them
	sel.gone = s.letEnd(dc, gone)
	return sel, nil
}

// imported are the names of the services that a peer exports to the cluster.
// They are known, and what is imported is up to date, while the peering is
// active and the leader has heard from the peer.
func (s *Source) imported(ctx context.Context, dc *datacenter) ([]string, error) {
	var p peering
	_, err := s.ask(ctx, query{
		what: fmt.Sprintf("the state of the peer %q", dc.peer),
		path: "/v1/peering/" + dc.peer,
		dc:   dc,
		read: func(body []byte) error { return decodeWhole(body, &p) },
	})
	var r *refusal
	switch heard := p.StreamStatus.LastHeartbeat; {
	case errors.As(err, &r) && r.code == 403:
		return nil, fmt.Errorf("%w; with peers, it needs peering:read", err)
	case err != nil:
		return nil, err
	case p.State != api.PeeringStateActive:
		return nil, fmt.Errorf("the peering with %q is %s and not ACTIVE, so what it exports may be out of date: see consul peering read -name %s", dc.peer, first(string(p.State), "in no state"), dc.peer)
	case heard == nil || heard.IsZero():
		return nil, fmt.Errorf("consul has not heard from the peer %q since it has its leader, so what it exports may not be all there: it sends a sign of life every 15 seconds", dc.peer)
	}
	names := p.StreamStatus.ImportedServices
	for i, name := range names {
		names[i] = name[strings.LastIndex(name, "/")+1:] // Consul Enterprise puts its namespace in front
	}
	return names, nil
}
