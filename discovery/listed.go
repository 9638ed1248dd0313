package discovery

import (
	"slices"
	"time"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// news is what the listings since the latest Merge changed.
type news struct {
	keys []target.Key
	// everything says that the keys are not all: the sources themselves changed,
	// or all of them have answered now.
	everything bool
}

// compare notes the keys about which two lists of one part, by Key, are not the
// same, and reports whether they differ in what they say.
func (n *news) compare(old, now []*target.Target) (differ bool) {
	for len(old) > 0 || len(now) > 0 {
		switch c := compareFirst(old, now); {
		case c < 0:
			n.keys, differ = append(n.keys, old[0].Key), true
			old = old[1:]
		case c > 0:
			n.keys, differ = append(n.keys, now[0].Key), true
			now = now[1:]
		default:
			if old[0] != now[0] { // even if they are equal: the older copy need not be kept
				n.keys = append(n.keys, old[0].Key)
				differ = differ || !old[0].Equal(*now[0])
			}
			old, now = old[1:], now[1:]
		}
	}
	return differ
}

func compareFirst(a, b []*target.Target) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	case a[0] == b[0]:
		return 0
	}
	return a[0].Key.Compare(b[0].Key)
}

// Merge joins the last good listings and notes on each record whether it is
// listed, by whom, and since when it is not. It looks at no more than what
// changed since the latest time, where that is little.
func (s *State) Merge(now time.Time) {
	if s.news.everything || s.news.many(s.Sources) {
		s.mergeAll(now)
	} else {
		s.mergeNews(now)
	}
	s.news = news{}
	s.arrange()
}

func (s *State) mergeNews(now time.Time) {
	at := momentOf(now)
	for _, k := range s.news.keys {
		s.mergeKey(k, at)
	}
}

// many reports whether looking the changed keys up in each part would take
// longer than joining everything.
func (n *news) many(sources []*Source) bool {
	parts, total := 0, 0
	for _, src := range sources {
		for _, p := range src.Parts {
			parts++
			total += len(p.Targets)
		}
	}
	const lookUp = 16 // times as long as a step of joining
	return len(n.keys)*parts*lookUp > total
}

func (s *State) mergeKey(k target.Key, now moment) {
	r := s.records[k]
	m, listed := mergeOne(s.Sources, k)
	switch {
	case listed:
		s.listed(r, m, now)
	case r != nil:
		s.unlisted(r, now)
	}
}

func (s *State) mergeAll(now time.Time) {
	answered, at := s.Answered(), momentOf(now)
	for _, m := range Merge(s.Sources) {
		s.listed(s.records[m.Target.Key], m, at).met = true
	}
	for _, r := range s.records {
		r.Inherited = r.Inherited && !answered
		if !r.met {
			s.unlisted(r, at)
		}
		r.met = false
	}
	s.lost = s.lost && !answered
}

// listed notes what is listed about a key; r is nil where it is new.
func (s *State) listed(r *Record, m Merged, now moment) *Record {
	if r == nil {
		r = s.add(&Record{Key: m.Target.Key, PendingSince: now, restored: s.lost})
	}
	inline := !slices.ContainsFunc(m.By, func(p *Part) bool { return !p.Inline })
	if r.Listed != nil && r.Inline == inline && slices.Equal(r.By, m.By) && r.same(m.Target) {
		return r
	}
	s.touch(r)
	if r.Listed == nil { // back again: nothing of its leaving counts any more
		r.UnlistedSince, r.lacks = moment{}, nil
		r.Free, r.TakenOut, r.HeldSince, r.Accepted = false, false, moment{}, ""
	}
	r.Listed, r.By, r.Inline = m.Target, m.By, inline
	s.identify(r, m.Target.Identity)
	return r
}

// same reports whether t says what is listed already, and if so goes on with
// that copy.
func (r *Record) same(t *target.Target) bool {
	if r.Listed == t {
		return true
	}
	if !r.Listed.Equal(*t) {
		return false
	}
	if r.made.from == r.Listed {
		r.made.from = t
	}
	r.Listed = t
	return true
}

// Fold takes a probe's result over, judged by the options of the record's
// source, and reports whether it changed a verdict, a version, or what is known
// of the target as an MCP server. When to ask it again is in its check: that of
// an answer as usual the sweep knows by itself.
func (s *State) Fold(r *Record, result health.Result, h health.Options, now time.Time) (changed bool) {
	changed = s.Ledger.Fold(result, h.Rise, h.Fall, now)
	if changed {
		s.touch(r)
		s.docket.staleChecks = s.docket.staleChecks || result.MCP != nil
	}
	return changed
}
