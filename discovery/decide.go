package discovery

import (
	"time"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// Decide says what to do about every target. It is pure: it reads the state
// and changes nothing; the same state, policy and time give the same plan.
//
// All rules about admission, retention and removal (contract §5) and about
// what may leave at once (§6) live here and in the files beside this one, and
// nowhere else.
func Decide(s *State, p Policy, now time.Time) *Plan {
	d := newDecider(s, p, now, &press{})
	d.decide(s.order, nil)
	plan := &d.plan
	plan.Want = make([]*target.Target, 0, len(plan.Decisions))
	plan.Checks = make([]health.Check, 0, len(plan.Decisions))
	for i := range plan.Decisions {
		c := &plan.Decisions[i]
		if c.Target != nil {
			plan.Want = append(plan.Want, c.Target)
		}
		if a := c.asked(); a.spec != nil {
			plan.Checks = append(plan.Checks, a.check(c.Record, s.Ledger))
		}
	}
	return plan
}

func newDecider(s *State, p Policy, now time.Time, labels *press) *decider {
	d := &decider{state: s, policy: p, now: now, press: labels, passes: make(map[string]*pass, len(s.Sources))}
	for _, src := range s.Sources {
		d.pass(src.Name, src)
	}
	return d
}

// decide fills in the plan for the given records. Of all records, those that
// are not among them are settled.
func (d *decider) decide(records, all []*Record) {
	d.settled = all
	d.plan.Decisions = make([]Decision, len(records))
	for i, r := range records {
		d.count(&d.plan.Decisions[i], r)
	}
	for i := range d.plan.Decisions {
		d.judge(&d.plan.Decisions[i])
	}
	d.guard()
	d.conclude()
}

// decider is one run of Decide.
type decider struct {
	state   *State
	policy  Policy
	now     time.Time
	press   *press
	passes  map[string]*pass
	order   []*pass
	settled []*Record // among them are those that are settled, with a want of their own
	plan    Plan
}

// pass is what one run knows of one source.
type pass struct {
	name   string
	source *Source // nil: it is not in the configuration (any more)
	policy SourcePolicy

	listed, up, down int         // down: listed ones that are, dropped ones counted
	leaving          []*Decision // all that want to leave and must ask the guard
	exempt           int         // how many leave without asking it
	tally            Tally
}

func (d *decider) pass(name string, src *Source) *pass {
	p := d.passes[name]
	if p == nil {
		p = &pass{name: name, source: src, policy: d.policy.Sources[name]}
		p.tally = Tally{Source: name, Standing: map[Standing]int{}, Health: map[health.Verdict]int{}}
		d.passes[name] = p
		d.order = append(d.order, p)
	}
	return p
}

// count fills in who owns the record and how it fares.
func (d *decider) count(c *Decision, r *Record) {
	c.Record = r
	if r.Listed != nil {
		c.owner = d.pass(r.By[0].Source.Name, r.By[0].Source)
	} else {
		c.owner = d.pass(r.Published.Source, nil)
	}
	c.entry = d.state.Ledger.Peek(r.Key)
	c.Verdict = c.entry.Verdict
	if c.owner.policy.MCP != nil {
		c.known = d.state.Ledger.MCP(r.Key)
	}
	c.owner.count(c)
	if r.Listed == nil {
		return
	}
	for i, p := range r.By[1:] { // whosever labels it carries, it counts for each source that lists it
		if p.Source != r.By[i].Source {
			d.pass(p.Source.Name, p.Source).count(c)
		}
	}
}

// count takes a target into the numbers by which its source is judged.
func (p *pass) count(c *Decision) {
	if c.Record.Published != nil {
		p.tally.Published++
	}
	if c.Record.Listed == nil {
		return
	}
	p.listed++
	switch c.Verdict {
	case health.Up:
		p.up++
	case health.Down:
		p.down++
	}
}

// judge applies contract §5 to one target.
func (d *decider) judge(c *Decision) {
	switch r := c.Record; {
	case r.Listed != nil && r.Published == nil:
		d.admit(c)
	case r.Listed != nil:
		d.retain(c)
	case r.awaits():
		d.await(c)
	default:
		d.remove(c)
	}
}

// await keeps a target that no part lists any more while some part that last
// did has not answered since the start.
func (d *decider) await(c *Decision) {
	st := Published
	switch {
	case !c.Record.HeldSince.IsZero():
		st = Held
	case !c.Record.UnlistedSince.IsZero():
		st = Lingering
	}
	d.keep(c, st, RuleAwaitSources)
}

// admit decides about a listed target that is not published.
func (d *decider) admit(c *Decision) {
	r, h := c.Record, c.owner.policy.Health
	if !r.Dropped.IsZero() {
		d.readmit(c)
		return
	}
	since := d.now.Sub(r.PendingSince.Time())
	switch {
	case d.state.denied(r.Key):
		c.Standing, c.Rule = Pending, RuleDenied
	case c.unproved() && !r.restored:
		c.Standing, c.Rule = Pending, RuleUnproved
	case !h.Enabled || h.Admit == health.AdmitAlways:
		d.publish(c, RuleAlways)
	case c.Verdict == health.Up:
		d.publish(c, RuleProbed)
	case r.restored:
		d.publish(c, RuleRestored)
	case since >= time.Duration(h.AdmitTimeout):
		d.publish(c, RuleAdmitTimeout)
	default:
		c.Standing, c.Rule = Pending, RuleAwaitSuccess
		c.next = r.PendingSince.Time().Add(time.Duration(h.AdmitTimeout))
	}
}

// unproved reports whether a target is not to be admitted yet because it has not
// shown that it is an MCP server: by the protocol, or by its metrics. That its
// source says so is no proof. What is published once is not asked for it again:
// no failure to answer takes a target away (contract §1).
func (c *Decision) unproved() bool {
	o := c.owner.policy.MCP
	return o != nil && o.RequireMCP && (c.known == nil || !c.known.Proved && !c.known.Metrics)
}

// readmit decides about a target that drop_after took out: only an answer
// brings it back.
func (d *decider) readmit(c *Decision) {
	if c.Verdict == health.Up {
		d.publish(c, RuleProbed)
		return
	}
	c.Standing, c.Rule = Dropped, RuleDown
}

// denied reports whether the last probe found that the address resolves to
// where nothing may be probed: such a target never gets in.
func (s *State) denied(k target.Key) bool {
	e := s.Ledger.Peek(k)
	return e.Verdict != health.Up && e.LastProbe().Class == health.ClassDenied
}

// retain decides about a target that is listed and published: it stays while
// it is listed, whether it is up or down, unless drop_after was asked for.
func (d *decider) retain(c *Decision) {
	r, h := c.Record, c.owner.policy.Health
	after := time.Duration(h.DropAfter)
	if r.awaits() {
		d.keep(c, Published, RuleAwaitSources)
		return
	}
	d.publish(c, RuleListed)
	if after <= 0 || c.Verdict != health.Down {
		return
	}
	drop := c.entry.Since.Add(after)
	switch {
	case d.now.Before(drop):
		c.next = drop
	case 2*c.owner.down <= c.owner.listed: // more than half down at once is an outage, not a list of dead targets
		c.leaver = ready
		c.owner.leaving = append(c.owner.leaving, c)
	}
}

// remove decides about a published target that nobody lists (contract §5,
// Removal). The guard has the last word over those that are ready.
func (d *decider) remove(c *Decision) {
	r := c.Record
	switch {
	case r.Accepted != "":
		c.leave(exempted, RuleAccepted)
	case c.owner.source == nil && c.owner.name != "":
		c.leave(exempted, RuleSourceRemoved)
	case r.Inline:
		c.leave(exempted, RuleInline)
	default:
		d.linger(c)
		c.owner.leaving = append(c.owner.leaving, c)
	}
}

// linger waits for the silence of a target's endpoint. Only up counts as
// answering.
func (d *decider) linger(c *Decision) {
	r, h := c.Record, c.owner.policy.Health
	until := r.UnlistedSince.Time().Add(time.Duration(h.Linger))
	switch {
	case r.TakenOut:
		c.leave(ready, RulePartRemoved)
	case !h.Enabled:
		c.leave(ready, RuleUnlisted)
	case c.entry.Fails >= h.Fall:
		c.leave(ready, RuleSilent)
	case !d.now.Before(until):
		c.leave(ready, RuleLingered)
	default:
		rule := RuleSilence
		if c.entry.Passes > 0 {
			rule = RuleStillAnswers
		}
		d.keep(c, Lingering, rule)
		c.leaver, c.next = waits, until
	}
}

func (c *Decision) leave(l leaver, why Rule) {
	c.leaver, c.Rule = l, why
	if l == exempted {
		c.owner.exempt++
	}
}

// publish puts a listed target into the plan as its sources describe it now.
func (d *decider) publish(c *Decision, why Rule) {
	c.Standing, c.Rule = Published, why
	c.version = d.version(c)
}

// keep leaves a published target as it stands in the files.
func (d *decider) keep(c *Decision, st Standing, why Rule) {
	c.Standing, c.Rule, c.frozen = st, why, true
	c.version = c.Record.Version
}
