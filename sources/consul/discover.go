package consul

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// Discover asks once for everything: the catalogues side by side, and then
// their services.
func (s *Source) Discover(ctx context.Context) target.Listing {
	defer s.closeIdle()
	began := time.Now()
	asking, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	perDC := make([][]target.Part, len(s.dcs))
	var wg sync.WaitGroup
	for i, dc := range s.dcs {
		wg.Go(func() { perDC[i] = s.discover(asking, dc) })
	}
	wg.Wait()
	l := target.Listing{Source: s.name, Parts: slices.Concat(perDC...), At: time.Now()}
	l.Took = l.At.Sub(began)
	sortParts(l.Parts)
	return l
}

func sortParts(parts []target.Part) {
	slices.SortFunc(parts, func(a, b target.Part) int { return strings.Compare(a.Name, b.Name) })
}

// discover asks for one datacenter.
func (s *Source) discover(ctx context.Context, dc *datacenter) []target.Part {
	names := sorted(s.opts.Services)
	var parts []target.Part
	if s.looksUp(dc) {
		sel, err := s.catalog(ctx, dc, &cursor{})
		parts = append(parts, target.Part{Name: dc.catalogPart(), Err: err})
		for _, name := range sel.gone {
			parts = append(parts, target.Part{Name: dc.servicePart(name)}) // empty, once
			s.remember(dc, name, false)
		}
		names = sorted(slices.Concat(sel.names, s.listed(dc)))
	}
	services := make([]target.Part, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			w := &watched{dc: dc, name: name}
			err := s.instances(ctx, w)
			services[i] = target.Part{Name: dc.servicePart(name), Raw: w.heard.raws, Rejected: w.heard.rejected, Err: err}
		})
	}
	wg.Wait()
	return append(parts, services...)
}

func (s *Source) closeIdle() {
	for _, srv := range s.servers {
		srv.http.CloseIdleConnections()
	}
}
