package discovery

import (
	"time"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// journalFor is how long a removal can be explained (contract §2), and
// journalMax how many of them.
const (
	journalFor = 7 * 24 * time.Hour
	journalMax = 100_000
)

// Wrote remembers a plan as far as it was written: behind holds the keys whose
// wanted state is not on disk yet. It returns the removals that were performed.
func (s *State) Wrote(p *Plan, policy Policy, behind map[target.Key]bool, now time.Time) []Removal {
	var removals []Removal
	for i := range p.Decisions {
		c := &p.Decisions[i]
		if behind[c.Record.Key] {
			c.Record.heldUnwritten(c, now)
			continue
		}
		if gone := s.remember(c, now); gone != nil {
			removals = append(removals, *gone)
		}
		if c.Record.Listed == nil && c.Record.Published == nil {
			s.drop(c.Record)
		} else if c.settles() {
			s.settle(c)
		}
	}
	s.arrange()
	s.windows(p, policy, now)
	s.journal(removals, now)
	return removals
}

// remember takes one decision over into its record.
func (s *State) remember(c *Decision, now time.Time) (gone *Removal) {
	r := c.Record
	if r.Published != nil && c.Target == nil && c.Standing != Pending {
		gone = s.left(c, now)
	}
	if r.Published == nil && c.Target != nil {
		s.admitted(c, now)
	}
	r.Published, r.made = c.Target, c.made
	r.HeldSince = since(r.HeldSince, c.guarded(), now)
	r.MoveHeldSince = since(r.MoveHeldSince, c.Rule == RuleGuardFile, now)
	r.Dropped = since(r.Dropped, c.Standing == Dropped, now)
	if r.Listed != nil {
		r.Accepted = "" // what was accepted is done
	}
	if c.Target != nil {
		r.Version = c.version
		r.PendingSince = moment{}
	}
	return gone
}

// heldUnwritten notes that the guard holds a target although the files do not
// say so yet: a window that moves on until they do must not release it. One that
// was let go stays marked until it has left, so that it is not held anew.
func (r *Record) heldUnwritten(c *Decision, now time.Time) {
	if c.Target != nil {
		r.HeldSince = since(r.HeldSince, c.guarded(), now)
	}
}

// guarded reports whether the guard holds the target's removal.
func (c *Decision) guarded() bool { return c.Standing == Held && c.Rule != RuleGuardFile }

// since keeps the time at which a condition began while it lasts.
func since(m moment, lasts bool, now time.Time) moment {
	switch {
	case !lasts:
		return moment{}
	case m.IsZero():
		return momentOf(now)
	}
	return m
}

func (s *State) admitted(c *Decision, now time.Time) {
	if src := c.owner.source; src != nil && c.Rule == RuleProbed && c.Verdict == health.Up {
		src.Window.Admitted = append(src.Window.Admitted, Admission{Key: &c.Record.Key, At: now})
	}
}

// left notes a removal. What was confirmed, accepted or configured does not
// count against the window.
func (s *State) left(c *Decision, now time.Time) *Removal {
	if src := c.owner.source; src != nil && c.spends() {
		src.Window.Removed = append(src.Window.Removed, now)
	}
	gone := c.removal(now)
	return &gone
}

// spends reports whether a removal counts against the guard's window. What was
// confirmed, accepted or configured does not.
func (c *Decision) spends() bool {
	return c.leaver == ready && c.Rule != RuleConfirmed && !c.Record.Free
}

func (c *Decision) removal(now time.Time) Removal {
	r := c.Record
	return Removal{
		At: now, Target: r.Key, Labels: r.Published.Labels, Source: r.Published.Source,
		Unlisted: r.UnlistedSince.Time(), Rule: c.Rule, By: r.Accepted, Configured: r.Free,
	}
}

// windows notes how many targets each source has published now.
func (s *State) windows(p *Plan, policy Policy, now time.Time) {
	counts := map[string]int{}
	for _, t := range p.Tallies {
		counts[t.Source] = t.Published
	}
	for _, src := range s.Sources {
		w := time.Duration(policy.Sources[src.Name].Guard.Window)
		src.Window.note(counts[src.Name], now)
		src.Window.prune(now.Add(-w))
	}
}

func (s *State) journal(removals []Removal, now time.Time) {
	s.Journal = append(s.Journal, removals...)
	s.Journal = after(s.Journal, now.Add(-journalFor), func(r Removal) time.Time { return r.At })
	if over := len(s.Journal) - journalMax; over > 0 {
		s.Journal = s.Journal[over:]
	}
}
