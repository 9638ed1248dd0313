package discovery

import "github.com/mcp-sd/mcp-sd/target"

// Configure takes over the list of sources of a setup. A source that stays
// keeps what is known of it; one that changed keeps its last good listings
// until it has answered anew; one that was taken out leaves its targets behind
// until every source has answered (contract §6).
func (s *State) Configure(setups []SourceSetup) {
	before := s.Sources
	s.Sources = make([]*Source, 0, len(setups))
	for _, in := range setups {
		src := find(before, in)
		if src == nil {
			src = &Source{Name: in.Name, Type: in.Type}
		} else if src.Fingerprint != in.Fingerprint {
			src.reshape()
		}
		_, watches := in.Source.(target.Watcher)
		src.Polling = !watches
		src.Fingerprint = in.Fingerprint
		s.Sources = append(s.Sources, src)
	}
	for _, src := range before {
		if !s.configured(src) {
			s.orphan(src)
		}
	}
	s.news.everything = true
	s.reopen() // the policies are other ones, too
}

// find returns the source that goes on under this name. Another mechanism
// under an old name is another source.
func find(sources []*Source, in SourceSetup) *Source {
	for _, src := range sources {
		if src.Name == in.Name && src.Type == in.Type {
			return src
		}
	}
	return nil
}

// reshape marks a source whose options or relabel rules changed: what its next
// listing takes out was taken out by the operator.
func (s *Source) reshape() {
	s.Reshaped = true
	for _, p := range s.Parts {
		p.Free = true
	}
}

// orphan marks the targets that only a source listed which was taken out.
func (s *State) orphan(src *Source) {
	for _, p := range src.Parts {
		p.gone = true
	}
	for _, r := range s.order {
		if r.Published == nil {
			continue
		}
		lost := len(r.By) > 0
		for _, p := range r.By {
			lost = lost && p.gone
		}
		if lost {
			r.Inherited = true
		}
	}
}
