package discovery

import (
	"slices"
	"time"

	"github.com/mcp-sd/mcp-sd/target"
)

// View is what readers see of the engine: an immutable copy made after each
// step, whose cost does not depend on the number of targets that are well.
type View struct {
	At      time.Time
	Decided bool // a decision was made in which every source had given some answer
	Sources []SourceView
	// Tallies count the targets by source, those of sources that were taken out
	// of the configuration included.
	Tallies []Tally
	// Kept are the lingering and held targets.
	Kept []KeptTarget
}

// SourceView is one source as readers see it.
type SourceView struct {
	Name, Type string
	Up         bool // every part gave a good answer the last time
	Listed     time.Time
	Succeeded  time.Time
	Parts      []PartView
}

// PartView is one part of a source as readers see it.
type PartView struct {
	Name     string
	Targets  int // of the last good answer
	Rejected int // instances and labels that were left out of it
	Err      error
	At       time.Time // of the last good answer
}

// KeptTarget is a target that is published though no source lists it.
type KeptTarget struct {
	Key      target.Key `json:"key"`
	Source   string     `json:"source"`
	Standing Standing   `json:"state"`
	Rule     Rule       `json:"rule"`
	Since    time.Time  `json:"since,omitzero"`
}

// View returns the newest view; nil before the published set was loaded.
func (e *Engine) View() *View { return e.view.Load() }

// look publishes a view of the state, and of a new plan where there is one.
func (e *Engine) look(p *Plan) {
	v := &View{At: e.Now()}
	old := e.view.Load()
	heard := true
	for _, src := range e.state.Sources {
		v.Sources = append(v.Sources, src.view())
		heard = heard && !src.Listed.IsZero()
	}
	v.Decided = p != nil && heard || old != nil && old.Decided
	switch {
	case p != nil:
		v.Tallies, v.Kept = p.Tallies, p.kept()
	case old != nil:
		v.Tallies, v.Kept = old.Tallies, old.Kept
	}
	e.view.Store(v)
	e.roll.age(v.At)
}

func (s *Source) view() SourceView {
	v := SourceView{Name: s.Name, Type: s.Type, Up: !s.Failed(), Listed: s.Listed, Succeeded: s.Succeeded}
	for _, p := range s.Parts {
		v.Parts = append(v.Parts, PartView{Name: p.Name, Targets: len(p.Targets), Rejected: len(p.Rejected), Err: p.Err, At: p.At})
	}
	return v
}

func (p *Plan) kept() []KeptTarget {
	var kept []KeptTarget
	for i := range p.Decisions {
		c := &p.Decisions[i]
		if c.Standing != Lingering && c.Standing != Held {
			continue
		}
		kept = append(kept, KeptTarget{
			Key: c.Record.Key, Source: c.owner.name, Standing: c.Standing,
			Rule: c.Rule, Since: c.Record.UnlistedSince.Time(),
		})
	}
	return kept
}

// acceptHeld lets through what the guard holds now, of one source or of all,
// and returns those targets. by says who did it.
func (e *Engine) acceptHeld(source, by string) []KeptTarget {
	plan := Decide(e.state, e.policy, e.Now())
	held := slices.DeleteFunc(plan.kept(), func(k KeptTarget) bool {
		return k.Standing != Held || source != "" && k.Source != source
	})
	for _, k := range held {
		e.state.Record(k.Key).Accepted = by
	}
	return held
}
