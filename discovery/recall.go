package discovery

import (
	"slices"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// recall puts what was remembered into a state that already knows its sources
// and what is published. Without a memory the guard's window counts as spent.
func (m *memory) recall(s *State, setup Setup, now time.Time) {
	if m.folder == nil {
		return
	}
	v := m.load(len(s.records) > 0)
	if v == nil {
		s.spend(setup, now)
		return
	}
	v.age(now, setup.Interval)
	s.Ledger, s.Journal = v.Ledger, v.Journal
	for _, in := range setup.Sources {
		m.recallSource(s, in, v.Sources[in.Name])
	}
	for _, r := range v.Records {
		s.recallRecord(r)
	}
	s.attribute()
	s.arrange()
	s.news.everything = true
	s.reopen()
}

// spend forbids removals by ratio for one window: who has forgotten what left
// can't say that little did.
func (s *State) spend(setup Setup, now time.Time) {
	if len(s.records) == 0 {
		return // nothing was published, so nothing was lost
	}
	for _, in := range setup.Sources {
		s.Source(in.Name).Window.Spent = now.Add(time.Duration(in.Policy.Guard.Window))
	}
}

// recallSource restores a source's last good listings and its place in time.
func (m *memory) recallSource(s *State, in SourceSetup, v savedSource) {
	src := s.Source(in.Name)
	if v.Type != in.Type {
		return
	}
	src.Run, src.Window, src.Succeeded = v.Run, v.Window, v.Succeeded
	relabel := in.Relabeler.Recall
	if v.Fingerprint != in.Fingerprint { // rules that have changed may leave out what others did not
		relabel = in.Relabeler.Targets
	}
	for _, l := range m.loadListing(in.Name) {
		p := &Part{Name: l.Name, Source: src, Raw: l.Raw, Own: l.Rejected, Inline: l.Inline, At: l.At, Run: v.Parts[l.Name]}
		p.Targets, p.Rejected = relabel(target.Part{Name: l.Name, Raw: l.Raw, Rejected: l.Rejected, Inline: l.Inline})
		src.Parts = append(src.Parts, p)
	}
	if v.Fingerprint != in.Fingerprint {
		src.reshape()
	}
}

func (s *State) recallRecord(v savedRecord) {
	r := s.records[v.Key]
	if r == nil {
		r = s.add(&Record{Key: v.Key, restored: s.lost && v.PendingSince.IsZero() && v.Dropped.IsZero()})
	}
	if r.Published == nil {
		r.PendingSince, r.Dropped = momentOf(v.PendingSince), momentOf(v.Dropped)
	}
	r.identity = v.Identity
	if v.Version.Value != "" {
		r.Version = v.Version
	}
	r.HeldSince, r.MoveHeldSince = momentOf(v.HeldSince), momentOf(v.MoveHeldSince)
	r.Inline, r.Free, r.TakenOut = v.Inline, v.Free, v.TakenOut
	if r.Published == nil || v.UnlistedSince.IsZero() {
		return
	}
	for _, l := range v.By {
		if src := s.Source(l.Source); src != nil {
			p, _ := src.part(l.Part)
			if p == nil {
				p = &Part{Name: l.Part, Source: src, gone: true}
			}
			r.By = append(r.By, p)
			r.lacks = append(r.lacks, lack{part: p, of: l.Of, source: l.OfSource})
		}
	}
	if len(r.lacks) == len(v.By) { // all that listed it are still configured
		r.UnlistedSince, r.Inherited = momentOf(v.UnlistedSince), false
	}
}

// attribute marks what the recalled listings name: it is known who listed it. The
// files may be newer than the listings, and say that it is published for another
// source: then that one may have listed it, too, or last.
func (s *State) attribute() {
	for _, src := range s.Sources {
		for _, p := range src.Parts {
			for i := range p.Targets {
				if r := s.records[p.Targets[i].Key]; r != nil && (r.Published == nil || r.Published.Source == src.Name) {
					r.Inherited = false
				}
			}
		}
	}
}

// age moves all times to this run's clock: a gap between two passes credits at
// most two intervals, and what lies in the future counts as now (contract §8).
func (v *saved) age(now time.Time, interval time.Duration) {
	skip := max(now.Sub(v.Written)-2*interval, 0)
	move := func(times ...*time.Time) {
		for _, t := range times {
			if t.IsZero() {
				continue
			}
			// now.Add gives it this run's monotonic reading: from here on a step of
			// the wall clock changes no duration.
			*t = now.Add(min(t.Add(skip).Sub(now), 0))
		}
	}
	for i := range v.Records {
		r := &v.Records[i]
		move(&r.PendingSince, &r.UnlistedSince, &r.HeldSince, &r.MoveHeldSince, &r.Dropped)
		for j := range r.By {
			move(&r.By[j].Of.Since, &r.By[j].OfSource.Since)
		}
	}
	for name, src := range v.Sources {
		move(&src.Run.Since)
		for part, run := range src.Parts {
			move(&run.Since)
			src.Parts[part] = run
		}
		src.Window.age(move)
		v.Sources[name] = src
	}
	v.Ledger.Age(move)
}

func (w *Window) age(move func(...*time.Time)) {
	for i := range w.Removed {
		move(&w.Removed[i])
	}
	w.Admitted = slices.DeleteFunc(w.Admitted, func(a Admission) bool { return a.Key == nil }) // somebody wrote null
	for i := range w.Admitted {
		move(&w.Admitted[i].At)
	}
	for i := range w.Peaks {
		move(&w.Peaks[i].Until)
	}
}
