package discovery

import (
	"slices"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// Arrival is a listing after relabelling: Targets and Rejected run beside
// Listing.Parts, and are nil for parts that failed or are unchanged.
type Arrival struct {
	target.Listing
	Targets  [][]*target.Target
	Rejected [][]target.Rejection
}

// List folds an arrival into the state and reports whether the set of listed
// targets may have changed; Merge must follow then.
func (s *State) List(a Arrival, now time.Time) (changed bool) {
	src := s.Source(a.Source)
	if src == nil {
		return false
	}
	src.Listed = now
	before := s.Answered()
	failed := a.Failed()
	seen := make(map[string]bool, len(a.Parts))
	for i, in := range a.Parts {
		seen[in.Name] = true
		p, at := src.part(in.Name)
		if p == nil {
			p = &Part{Name: in.Name, Source: src}
			src.Parts = slices.Insert(src.Parts, at, p)
		}
		changed = s.listPart(p, a, i, now) || changed
	}
	if a.Early {
		return changed
	}
	changed = s.absent(src, seen, failed) || changed
	s.outcome(src, failed, now)
	if s.Answered() != before {
		s.news.everything = true
		return true
	}
	return changed
}

func (s *State) outcome(src *Source, failed bool, now time.Time) {
	if failed {
		src.Run = Run{}
		src.Answered = src.Answered || answered(src.Parts)
		return
	}
	src.Run.good(now)
	src.Succeeded = now
	src.Answered = true
	src.Reshaped = false
}

// answered reports whether each part has given a good answer.
func answered(parts []*Part) bool {
	for _, p := range parts {
		if !p.Answered {
			return false
		}
	}
	return len(parts) > 0
}

// listPart folds the answer of one part: a failure leaves its last good
// listing alone (contract §4).
func (s *State) listPart(p *Part, a Arrival, i int, now time.Time) (changed bool) {
	in := a.Parts[i]
	p.Err = in.Err
	if in.Err != nil {
		p.Run = Run{}
		return false
	}
	first := !p.Answered
	p.Answered = true
	p.At = now
	if !a.Early { // the complete listing repeats it: one answer, counted once
		p.Run.good(now)
	}
	if in.Unchanged {
		return false
	}
	p.Source.relisted = p.Source.relisted || first || !slices.Equal(p.Raw, in.Raw) || !slices.Equal(p.Own, in.Rejected)
	targets := a.Targets[i]
	if p.Free && len(targets) > 0 {
		s.free(p, targets)
	}
	if p.Inline != in.Inline {
		s.news.everything = true
	}
	changed = s.news.compare(p.Targets, targets)
	p.Raw, p.Own, p.Rejected, p.Inline, p.Targets = in.Raw, in.Rejected, a.Rejected[i], in.Inline, targets
	return changed
}

// absent deals with parts that the listing does not name any more. They are
// gone, unless some part failed: who could not read the catalogue cannot say
// what is not in it.
func (s *State) absent(src *Source, seen map[string]bool, failed bool) (changed bool) {
	kept := src.Parts[:0:0]
	for _, p := range src.Parts {
		switch {
		case seen[p.Name]:
			kept = append(kept, p)
		case failed:
			p.Run = Run{}
			kept = append(kept, p)
		default:
			if src.Reshaped {
				s.takeOut(p)
			}
			changed = s.news.compare(p.Targets, nil) || changed
			p.gone, src.relisted = true, true
		}
	}
	src.Parts = kept
	return changed
}

// free marks what a change of configuration takes out of a part: it is free of
// the guard's ratio, never of its zero rule (contract §6).
func (s *State) free(p *Part, now []*target.Target) {
	p.Free = false
	listed := make(map[target.Key]bool, len(now))
	for i := range now {
		listed[now[i].Key] = true
	}
	for i := range p.Targets {
		if r := s.records[p.Targets[i].Key]; r != nil && !listed[r.Key] {
			r.Free = true
		}
	}
}

// takeOut marks what goes with a part that a change of configuration removed.
func (s *State) takeOut(p *Part) {
	s.free(p, nil)
	for i := range p.Targets {
		if r := s.records[p.Targets[i].Key]; r != nil {
			r.TakenOut = true
		}
	}
}

// identify notes who lives behind the address. Another instance starts anew
// with health and version; publication does not end (contract §5).
func (s *State) identify(r *Record, identity string) {
	if identity == "" || identity == r.identity {
		return
	}
	s.Ledger.Identify(r.Key, identity)
	if r.identity != "" {
		r.Version = Version{}
	}
	r.identity = identity
	s.docket.staleChecks = true
}

// unlisted notes that nobody lists the record's key. What is neither listed nor
// published is nothing.
func (s *State) unlisted(r *Record, now moment) {
	if r.Published == nil {
		s.drop(r)
		return
	}
	s.touch(r)
	r.Listed = nil
	if r.Inherited || !r.UnlistedSince.IsZero() {
		return
	}
	r.UnlistedSince = now
	r.lacks = r.lacks[:0]
	for _, p := range r.By {
		r.lacks = append(r.lacks, lack{part: p, of: p.Run, source: p.Source.Run})
	}
}

// lack remembers where a part's run of good answers stood when a target was
// first missing from it.
type lack struct {
	part       *Part
	of, source Run
}

// lacking says for how long, and in how many listings in a row, the part has
// lacked the target without a failed answer in between.
func (l lack) lacking(unlisted time.Time) (since time.Time, listings int) {
	then, now := l.of, l.part.Run
	if l.part.gone {
		then, now = l.source, l.part.Source.Run
	}
	if now.Since.Equal(then.Since) && now.Count >= then.Count {
		return unlisted, now.Count - then.Count + 1
	}
	return now.Since, now.Count
}

// lacking is the same over all parts that listed the record: the shortest time
// and the fewest listings. ok is false where some part's run is broken now.
func (s *State) lacking(r *Record) (since time.Time, listings int, ok bool) {
	lacks, unlisted := r.lacks, r.UnlistedSince.Time()
	if len(lacks) == 0 {
		src := s.Source(r.Published.Source)
		if src == nil {
			return unlisted, 0, true
		}
		lacks = []lack{{part: &Part{Source: src, gone: true}}}
	}
	for i, l := range lacks {
		at, n := l.lacking(unlisted)
		if n == 0 {
			return time.Time{}, 0, false
		}
		if i == 0 || at.After(since) {
			since = at
		}
		if i == 0 || n < listings {
			listings = n
		}
	}
	if since.Before(unlisted) {
		since = unlisted
	}
	return since, listings, true
}
