package discovery

import (
	"time"

	"github.com/mcp-sd/mcp-sd/health"
)

// conclude finds what is to be published for each decision, and sums up.
func (d *decider) conclude() {
	plan := &d.plan
	for i := range plan.Decisions {
		d.compose(&plan.Decisions[i])
	}
	d.guardFiles()
	if d.policy.Blind {
		d.keepAll()
	}
	for i := range plan.Decisions {
		c := &plan.Decisions[i]
		plan.NextAt = sooner(plan.NextAt, c.next)
		c.owner.add(c)
	}
	for _, o := range d.order {
		plan.Tallies = append(plan.Tallies, o.tally)
	}
}

// keepAll lets nothing leave while a removal can't be put on record.
func (d *decider) keepAll() {
	for i := range d.plan.Decisions {
		c := &d.plan.Decisions[i]
		if c.Record.Published == nil || c.Target != nil {
			continue
		}
		st := Lingering
		if c.Record.Listed != nil {
			st = Published
		}
		d.keep(c, st, RuleBlind)
		d.compose(c)
	}
}

func (p *pass) add(c *Decision) {
	if c.Standing == "" {
		p.tally.Leaving++
		return
	}
	p.tally.Standing[c.Standing]++
	p.tally.Health[c.Verdict]++
}

// asked says how a target is to be probed from now on, if at all.
func (c *Decision) asked() asked {
	r, pol := c.Record, &c.owner.policy
	if pol.Spec == nil || !pol.Health.Enabled || c.Standing == "" {
		return asked{}
	}
	a := asked{spec: pol.Spec, cadence: health.Steady}
	switch {
	case c.Standing == Pending:
		a.cadence = health.Admit
	case !r.UnlistedSince.IsZero():
		a.cadence = health.Leave
	}
	return a
}

func (a asked) check(r *Record, l *health.Ledger) health.Check {
	c := health.Check{Key: r.Key, Identity: r.identity, Spec: a.spec, Cadence: a.cadence}
	if a.spec.Asks() {
		c.AskAfter = l.MCP(r.Key).AskAfter()
	}
	return c
}

// sooner returns the earlier of two times, of which zero means never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
