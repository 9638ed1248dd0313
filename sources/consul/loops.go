package consul

import (
	"context"
	"errors"
)

// askInstances returns one turn of the loop that follows a service. It reports
// the first answer, every change, every failure and every recovery.
func (s *Source) askInstances(dc *datacenter, service string, report func(news)) func(context.Context) error {
	w := &watched{dc: dc, name: service}
	quiet := false // what there is to report was reported
	return func(ctx context.Context) error {
		before := w.heard.serial
		err := s.instances(ctx, w)
		switch {
		case err != nil:
			s.log.Debug("following a service of consul failed", "datacenter", dc.name, "service", service, "err", err)
			report(news{err: err})
		case !quiet || w.heard.serial != before:
			report(news{raws: w.heard.raws, rejected: w.heard.rejected})
		}
		quiet = err == nil
		return err
	}
}

// askCatalog returns one turn of the loop that follows a catalogue.
func (s *Source) askCatalog(dc *datacenter, report func(news)) func(context.Context) error {
	var at cursor
	return func(ctx context.Context) error {
		sel, err := s.catalog(ctx, dc, &at)
		if errors.Is(err, errNoLine) {
			return s.orLater(ctx, err)
		}
		if err != nil {
			s.log.Debug("following a catalogue of consul failed", "datacenter", dc.name, "err", err)
		}
		report(news{sel: sel, err: err})
		if err == nil && dc.peer != "" {
			s.untilDue(ctx) // Consul tells at once, always
		}
		return err
	}
}
