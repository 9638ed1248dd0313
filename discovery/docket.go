package discovery

import (
	"slices"
	"time"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// docket makes the cost of a decision follow what changed. Most records are
// settled: listed, published as they are listed, and waiting for nothing, so
// that Decide would say the same about them at any time, as long as nobody
// touches them. All others are on the docket, and Redecide looks at no more.
//
// Decide stays the definition: after any life, Redecide plans what Decide does.
type docket struct {
	open []*Record // on the docket, and perhaps settled or gone since

	// What was planned the last time, and whether it has to be put together anew.
	want                   []*target.Target
	checks                 []health.Check
	staleWant, staleChecks bool
	pressed                press
}

// docketed is what the docket keeps in a record.
type docketed struct {
	want    *target.Target // what the latest plan published for it
	asked   asked          // how the latest plan probed it
	settled settled
	entered bool // it is in docket.open
}

// asked is a health.Check without what the record says. A zero one is no check.
type asked struct {
	spec    *health.Spec
	cadence health.Cadence
}

// settled says that a record is settled, and with which verdict it counts.
type settled uint8

const (
	open settled = iota
	settledUp
	settledDown
	settledUnknown
)

func settledAs(v health.Verdict) settled {
	switch v {
	case health.Up:
		return settledUp
	case health.Down:
		return settledDown
	default:
		return settledUnknown
	}
}

// census counts settled records of one source; all are listed and published.
type census struct {
	listed, up, down int
	// owned are those that carry the source's labels, by verdict.
	owned [settledUnknown + 1]int
}

func (k *docket) enter(r *Record) {
	if !r.entered {
		r.entered = true
		k.open = append(k.open, r)
	}
}

// forget sees to it that a record which is gone is planned for no longer.
func (k *docket) forget(r *Record) {
	k.staleWant = k.staleWant || r.want != nil
	k.staleChecks = k.staleChecks || r.asked.spec != nil
}

// touch puts a record on the docket: before anything changes that its decision
// rests on, but for its verdict.
func (s *State) touch(r *Record) {
	if r.settled != open {
		r.count(-1)
		r.settled = open
	}
	s.docket.enter(r)
}

// settle takes a record off the docket.
func (s *State) settle(c *Decision) {
	if r := c.Record; r.settled == open {
		s.docket.note(c)
		r.settled = settledAs(c.Verdict)
		r.count(1)
	}
}

// settles reports whether a decision that was carried out would be taken again,
// at any time, while nothing changes that touch is called for.
func (c *Decision) settles() bool {
	r := c.Record
	return r.Listed != nil && r.Published != nil && c.Standing == Published && !c.frozen && !r.awaits() &&
		(c.Verdict != health.Down || c.owner.policy.Health.DropAfter <= 0)
}

// count adds a settled record to, or takes it from, the numbers of the sources
// that list it.
func (r *Record) count(n int) {
	for i, p := range r.By {
		src := p.Source
		if i > 0 && src == r.By[i-1].Source {
			continue
		}
		c := &src.settled
		c.listed += n
		switch r.settled {
		case settledUp:
			c.up += n
		case settledDown:
			c.down += n
		case open, settledUnknown:
		}
		if i == 0 {
			c.owned[r.settled] += n
		}
	}
}

// reopen puts every record on the docket: another configuration, or another
// state, decides anew about all.
func (s *State) reopen() {
	for _, src := range s.Sources {
		src.settled = census{}
	}
	for _, r := range s.records {
		r.settled = open
		s.docket.enter(r)
	}
	s.docket.pressed = press{}
}

// agenda returns the records that are on the docket, by Key.
func (k *docket) agenda() []*Record {
	off := func(r *Record) bool {
		if r.settled == open && !r.gone {
			return false
		}
		r.entered = false
		return true
	}
	k.open = slices.DeleteFunc(k.open, off)
	if !slices.IsSortedFunc(k.open, compareRecords) {
		slices.SortFunc(k.open, compareRecords)
	}
	return k.open
}

// Redecide is Decide for the owner of the state, who decides again and again:
// it plans the same, at a cost that follows what changed since. The plan's
// slices are never written again.
func Redecide(s *State, p Policy, now time.Time) *Plan {
	d := newDecider(s, p, now, &s.docket.pressed)
	for _, o := range d.order {
		o.start(o.source.settled)
	}
	d.decide(s.docket.agenda(), s.order)
	for i := range d.plan.Decisions {
		s.docket.note(&d.plan.Decisions[i])
	}
	d.plan.Want, d.plan.Checks = s.docket.plan(s.order, s.Ledger)
	return &d.plan
}

// start begins with the numbers of the settled records.
func (p *pass) start(c census) {
	p.listed, p.up, p.down = c.listed, c.up, c.down
	p.tally.Published = c.listed
	for _, v := range []health.Verdict{health.Up, health.Down, health.Unknown} {
		if n := c.owned[settledAs(v)]; n > 0 {
			p.tally.Standing[Published] += n
			p.tally.Health[v] += n
		}
	}
}

// note takes over what was decided about a record.
func (k *docket) note(c *Decision) {
	r := c.Record
	if r.want != c.Target {
		r.want, k.staleWant = c.Target, true
	}
	if a := c.asked(); r.asked != a {
		r.asked, k.staleChecks = a, true
	}
}

// plan puts together what is to be published and probed, where it changed.
func (k *docket) plan(order []*Record, l *health.Ledger) ([]*target.Target, []health.Check) {
	if k.staleWant {
		k.want = make([]*target.Target, 0, len(order))
		for _, r := range order {
			if r.want != nil {
				k.want = append(k.want, r.want)
			}
		}
	}
	if k.staleChecks {
		k.checks = make([]health.Check, 0, len(order))
		for _, r := range order {
			if a := r.asked; a.spec != nil {
				k.checks = append(k.checks, a.check(r, l))
			}
		}
	}
	k.staleWant, k.staleChecks = false, false
	return k.want, k.checks
}
