package consul

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// selection is what one answer of the catalogue comes to.
type selection struct {
	names []string // selected, sorted
	gone  []string // listed before by this source, and confirmed to be selected no more
}

// catalog asks which services of dc there are to list, from *at on. Where it
// fails, those that the answer named are there all the same.
func (s *Source) catalog(ctx context.Context, dc *datacenter, at *cursor) (selection, error) {
	if dc.peer != "" {
		return s.importedServices(ctx, dc)
	}
	asked := *at
	*at = cursor{} // unless all goes well
	names, a, err := s.names(ctx, dc, asked)
	sel := selection{names: s.selected(names)}
	if err == nil {
		err = s.account(ctx, dc, &sel, a)
	}
	if err != nil {
		s.askKnown(dc)
		return selection{names: sel.names}, err
	}
	*at = a.at
	return sel, nil
}

// names asks for the names of all services, and the tags of each.
func (s *Source) names(ctx context.Context, dc *datacenter, asked cursor) (names map[string][]string, a answer, err error) {
	a, err = s.ask(ctx, query{
		what:   "the names of services",
		path:   "/v1/catalog/services",
		filter: s.opts.Filter,
		dc:     dc,
		at:     asked,
		vital:  true,
		read:   func(body []byte) error { return decodeWhole(body, &names) },
	})
	if err != nil {
		return nil, answer{}, err
	}
	if len(names) == 0 {
		s.warnIfAnonymous(a)
	}
	return names, a, nil
}

// account accounts for services that were listed before and are not selected
// now: it finds those that are confirmed to be gone, and fails where ACLs may
// have taken one out of the answer (contract §4).
func (s *Source) account(ctx context.Context, dc *datacenter, sel *selection, a answer) error {
	missing := without(s.expected(dc), sel.names)
	if !a.filtered && s.opts.Filter == "" {
		s.letEnd(dc, missing)
		return nil
	}
	gone, err := s.confirm(ctx, dc, missing)
	if err != nil {
		return err
	}
	missing = without(missing, gone)
	sel.gone = s.letEnd(dc, gone)
	switch {
	case !a.filtered: // their own questions found them
		sel.names = sorted(slices.Concat(sel.names, missing))
	case len(missing) > 0:
		return fmt.Errorf("the names of services are not all there, Consul's ACLs left some out, and %s was listed before: the token needs service:read on it", strings.Join(missing, ", "))
	default:
		s.warnOnce("consul's ACLs leave services out of the catalogue for this token; what the token may not read is not discovered", "datacenter", dc.name)
	}
	return nil
}

// selected picks from a catalogue the names of services to list.
func (s *Source) selected(catalog map[string][]string) []string {
	var names []string
	for name, tags := range catalog {
		if s.wants(name, tags) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// wants reports whether a service is worth a watch. Its tags are those of all
// its instances together.
func (s *Source) wants(name string, tags []string) bool {
	if !s.wantsName(name) {
		return false
	}
	return hasTags(tags, s.opts.Tags)
}

func (s *Source) wantsName(name string) bool {
	return (s.pattern == nil || s.pattern.MatchString(name)) &&
		(len(s.opts.Services) == 0 || slices.Contains(s.opts.Services, name))
}

// confirm asks about each service that a filtered catalogue lacks: it is gone
// if its own question says so.
func (s *Source) confirm(ctx context.Context, dc *datacenter, names []string) (gone []string, err error) {
	for _, name := range names {
		ok, err := s.isGone(ctx, dc, name)
		if err != nil {
			return nil, err
		}
		if ok {
			gone = append(gone, name)
		}
	}
	return gone, nil
}

// isGone asks for a service with everything that selects it.
func (s *Source) isGone(ctx context.Context, dc *datacenter, name string) (bool, error) {
	q := query{
		what:   fmt.Sprintf("%q, which the catalogue lacks", name),
		path:   "/v1/health/service/" + name,
		filter: s.opts.HealthFilter,
		tags:   s.opts.Tags,
		dc:     dc,
	}
	if s.opts.Filter != "" { // which the health endpoint does not know
		q.path, q.filter = "/v1/catalog/service/"+name, s.opts.Filter
	}
	var found []json.RawMessage
	q.read = func(body []byte) error { return decodeWhole(body, &found) }
	a, err := s.ask(ctx, q)
	return err == nil && len(found) == 0 && !a.filtered, err
}

// without returns what of a is not in b. Both are sorted.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool {
		_, found := slices.BinarySearch(b, s)
		return found
	})
}
