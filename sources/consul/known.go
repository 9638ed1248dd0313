package consul

import (
	"maps"
	"slices"
	"strings"
)

// Know implements target.Knower: an answer of the catalogue that ACLs filtered
// lacks a service as if there were none, and only who knew it can tell.
func (s *Source) Know(parts []string) {
	for _, dc := range s.dcs {
		dc.mu.Lock()
		for _, part := range parts {
			if name, ok := strings.CutPrefix(part, dc.servicePart("")); ok && name != "" && s.wantsName(name) {
				dc.known[name] = true
			}
		}
		dc.mu.Unlock()
	}
}

// remember keeps whether a service has instances, so that its absence from an
// answer about something else can be told from its end.
func (s *Source) remember(dc *datacenter, service string, listed bool) {
	dc.mu.Lock()
	defer dc.mu.Unlock()
	delete(dc.known, service)
	if listed {
		dc.listed[service] = true
	} else {
		delete(dc.listed, service)
	}
}

// listed are the services of dc that had instances when last heard, sorted.
func (s *Source) listed(dc *datacenter) []string {
	dc.mu.Lock()
	defer dc.mu.Unlock()
	return slices.Sorted(maps.Keys(dc.listed))
}

func (s *Source) listedBefore(dc *datacenter, service string) bool {
	dc.mu.Lock()
	defer dc.mu.Unlock()
	return dc.listed[service]
}

// expected are the services of dc that a catalogue should not lack without a
// reason: those listed before, by this source or by who told it, sorted.
func (s *Source) expected(dc *datacenter) []string {
	dc.mu.Lock()
	defer dc.mu.Unlock()
	return sorted(slices.Concat(slices.Collect(maps.Keys(dc.listed)), slices.Collect(maps.Keys(dc.known))))
}

// letEnd lets go of services that are only known and that the catalogue was
// right to lack. It returns those that were listed: their end is to be told.
func (s *Source) letEnd(dc *datacenter, gone []string) (ended []string) {
	dc.mu.Lock()
	defer dc.mu.Unlock()
	for _, name := range gone {
		delete(dc.known, name)
		if dc.listed[name] {
			ended = append(ended, name)
		}
	}
	return ended
}

// askKnown makes services that are only known count as listed: while the
// catalogue can't speak for them, each is asked for by itself.
func (s *Source) askKnown(dc *datacenter) {
	dc.mu.Lock()
	defer dc.mu.Unlock()
	maps.Copy(dc.listed, dc.known)
	clear(dc.known)
}
