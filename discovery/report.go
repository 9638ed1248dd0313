package discovery

import (
	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// Report is what a single pass did.
type Report struct {
	View    *View
	Plan    *Plan
	Outcome Outcome
	Err     error // an output or the state could not be written
	Failed  []PartFailure
	Notable []Note
	Changes []Change // what is published now and was not, or not so

	Added, Removed, Changed, Held int
}

// PartFailure is a part of a source that gave no good answer in this pass.
type PartFailure struct {
	Source, Part string
	Err          error
}

// Change is one target that a pass published anew, or with other labels.
type Change struct {
	What   string // "added" or "relabelled"
	Target target.Key
	Labels target.Labels
	Rule   Rule
}

// Note is about one target that is not simply published and up.
type Note struct {
	Target   target.Key
	Source   string
	Standing string // a Standing, or "removed"
	Verdict  health.Verdict
	Rule     Rule
	Probe    string // what the last probe saw, for people; empty after a success
}

// note gathers what is worth telling a person.
func (r *Report) note(s *State, p *Plan) {
	for _, src := range s.Sources {
		for _, part := range src.Parts {
			if part.Err != nil {
				r.Failed = append(r.Failed, PartFailure{Source: src.Name, Part: part.Name, Err: part.Err})
			}
		}
	}
	for i := range p.Decisions {
		c := &p.Decisions[i]
		if c.Standing == Published && c.Verdict != health.Down {
			continue
		}
		n := Note{Target: c.Record.Key, Source: c.owner.name, Standing: string(c.Standing), Verdict: c.Verdict, Rule: c.Rule}
		if n.Standing == "" {
			n.Standing = "removed"
		}
		n.Probe = s.Ledger.LastFailure(c.Record.Key)
		r.Notable = append(r.Notable, n)
	}
}

// standing remembers what is published, to tell afterwards what changed.
func (s *State) standing() map[target.Key]target.Labels {
	m := make(map[target.Key]target.Labels, len(s.order))
	for _, r := range s.order {
		if r.Published != nil {
			m[r.Key] = r.Published.Labels
		}
	}
	return m
}

// compare counts and names what a pass changed.
func (r *Report) compare(before map[target.Key]target.Labels, p *Plan) {
	for i := range p.Decisions {
		c := &p.Decisions[i]
		labels, was := before[c.Record.Key]
		switch {
		case c.Standing == Held:
			r.Held++
		case !was && c.Target != nil:
			r.Added++
			r.Changes = append(r.Changes, Change{"added", c.Record.Key, c.Target.Labels, c.Rule})
		case was && c.Target == nil:
			r.Removed++
		}
		if was && c.Target != nil && !target.SameSeries(labels, c.Target.Labels) {
			r.Changed++
			r.Changes = append(r.Changes, Change{"relabelled", c.Record.Key, c.Target.Labels, c.Rule})
		}
	}
}
