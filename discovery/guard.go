package discovery

import (
	"time"

	"github.com/mcp-sd/mcp-sd/health"
	"github.com/mcp-sd/mcp-sd/target"
)

// Window is what the guard remembers of one source: what left and what came
// within guard.window, and how many targets were published at most.
type Window struct {
	Removed  []time.Time `json:"removed,omitempty"` // oldest first
	Admitted []Admission `json:"admitted,omitempty"`
	Peaks    []Peak      `json:"peaks,omitempty"` // falling counts, oldest first
	// Spent forbids removals by ratio until then: a state that was lost cannot
	// say what already left (contract §8).
	Spent time.Time `json:"spent,omitzero"`
}

// Admission is a target that a successful probe let in.
type Admission struct {
	Key *target.Key `json:"key"` // the record's own
	At  time.Time   `json:"at"`
}

// Peak is a number of published targets and until when it held.
type Peak struct {
	Count int       `json:"count"`
	Until time.Time `json:"until"`
}

// note remembers how many targets are published from now on.
func (w *Window) note(count int, now time.Time) {
	for len(w.Peaks) > 0 && w.Peaks[len(w.Peaks)-1].Count <= count {
		w.Peaks = w.Peaks[:len(w.Peaks)-1]
	}
	w.Peaks = append(w.Peaks, Peak{Count: count, Until: now})
}

// prune forgets what lies before the window.
func (w *Window) prune(start time.Time) {
	w.Removed = after(w.Removed, start, func(t time.Time) time.Time { return t })
	w.Admitted = after(w.Admitted, start, func(a Admission) time.Time { return a.At })
	w.Peaks = after(w.Peaks, start, func(p Peak) time.Time { return p.Until })
}

// after cuts off what is not later than start. Of a list that becomes empty
// the memory goes as well.
func after[T any](s []T, start time.Time, at func(T) time.Time) []T {
	for len(s) > 0 && !at(s[0]).After(start) {
		s = s[1:]
	}
	if len(s) == 0 {
		return nil
	}
	return s
}

// peak is the most targets published within the window.
func (w *Window) peak(start time.Time, current int) int {
	for _, p := range w.Peaks {
		if p.Until.After(start) {
			current = max(current, p.Count)
		}
	}
	return current
}

// guard decides which of those that want to leave may (contract §6).
func (d *decider) guard() {
	for _, p := range d.order {
		if len(p.leaving) > 0 {
			d.guardSource(p)
		}
	}
}

// guardSource judges all that want to leave one source together. Those that
// still linger count as well: a listing that lost most of a fleet is one
// removal, though its endpoints fall silent one after the other. Those that
// leave without asking leave the source emptier all the same.
func (d *decider) guardSource(p *pass) {
	empty := len(p.leaving)+p.exempt >= p.tally.Published && !p.policy.Guard.AllowEmpty
	exceeded := d.exceeded(p)
	for _, c := range p.leaving {
		d.guardOne(c, empty, exceeded && !c.Record.Free)
	}
}

// exceeded reports whether letting all of them go would break the bound: the
// removals of the window, less the targets that probes let in meanwhile and
// that stay.
func (d *decider) exceeded(p *pass) bool {
	g := p.policy.Guard
	start := d.now.Add(-time.Duration(g.Window))
	n, peak := 0, p.tally.Published
	for _, c := range p.leaving {
		if !c.Record.Free {
			n++
		}
	}
	spent := false
	if p.source != nil {
		w := &p.source.Window
		n += d.within(w, start)
		peak = w.peak(start, p.tally.Published)
		spent = d.now.Before(w.Spent)
	}
	return spent || n > max(g.MinRemoved, int(g.MaxRemovedRatio*float64(peak)))
}

// within counts the window's removals less its admissions. A target that was
// admitted and wants to leave again replaces nothing.
func (d *decider) within(w *Window, start time.Time) int {
	n := 0
	for _, at := range w.Removed {
		if at.After(start) {
			n++
		}
	}
	for _, a := range w.Admitted {
		r := d.state.records[*a.Key]
		if a.At.After(start) && r != nil && r.Listed != nil && r.Published != nil {
			n--
		}
	}
	return n
}

// guardOne holds a target back or lets it go.
func (d *decider) guardOne(c *Decision, empty, exceeded bool) {
	r := c.Record
	held := !r.HeldSince.IsZero()
	switch {
	case c.leaver == waits && !held:
		return
	case r.Accepted != "":
		d.release(c, RuleAccepted)
	case empty:
		d.hold(c, RuleGuardEmpty)
	case held && d.confirmed(c):
		d.release(c, RuleConfirmed)
	case held, exceeded:
		d.hold(c, RuleGuardRatio)
	default:
		d.release(c, c.Rule)
	}
}

// hold keeps a target published against its removal.
func (d *decider) hold(c *Decision, why Rule) {
	if c.Record.Listed == nil {
		d.keep(c, Held, why)
	} else {
		c.Standing, c.Rule = Held, why
	}
	if at := d.confirmAt(c); at.After(d.now) {
		c.next = at
	}
}

// release lets a target go. One that is still listed was down for drop_after.
func (d *decider) release(c *Decision, why Rule) {
	c.Standing, c.Rule, c.Target = "", why, nil
	c.leaver = ready
	if c.Record.Listed != nil {
		c.Standing, c.Rule = Dropped, RuleDown
	}
}

// confirmed reports whether a held target's absence is beyond doubt: it is
// down, every listing over confirm_after lacked it, and at least half of what
// the source still lists is up.
func (d *decider) confirmed(c *Decision) bool {
	o := c.owner
	if c.Verdict != health.Down || o.listed == 0 || 2*o.up < o.listed {
		return false
	}
	if c.Record.Listed != nil {
		return false
	}
	_, listings, ok := d.state.lacking(c.Record)
	if !ok || o.source != nil && o.source.Polling && listings < 3 {
		return false
	}
	return !d.now.Before(d.confirmAt(c))
}

// confirmAt is when confirm_after is over, or zero where the time does not run.
func (d *decider) confirmAt(c *Decision) time.Time {
	if c.Record.Listed != nil {
		return time.Time{}
	}
	since, _, ok := d.state.lacking(c.Record)
	if !ok {
		return time.Time{}
	}
	return since.Add(time.Duration(c.owner.policy.Guard.ConfirmAfter))
}

// guardFiles holds label changes that alone would leave an output file without
// a target, such as an environment tag lost fleet-wide (contract §6).
func (d *decider) guardFiles() {
	movers := d.movers()
	if len(movers) == 0 {
		return
	}
	emptied := map[string]bool{}
	for _, c := range movers {
		for _, f := range d.policy.Files(*c.Record.Published) {
			emptied[f] = true
		}
	}
	d.filled(emptied)
	for _, c := range movers {
		for _, f := range d.policy.Files(*c.Record.Published) {
			if emptied[f] && d.holdMove(c) {
				break
			}
		}
	}
}

// filled strikes the files off that have a target all the same.
func (d *decider) filled(emptied map[string]bool) {
	strike := func(t *target.Target) (done bool) {
		if t != nil {
			for _, f := range d.policy.Files(*t) {
				delete(emptied, f)
			}
		}
		return len(emptied) == 0
	}
	for i := range d.plan.Decisions {
		if strike(d.plan.Decisions[i].Target) {
			return
		}
	}
	for _, r := range d.settled {
		if r.settled != open && strike(r.want) {
			return
		}
	}
}

// movers are the targets whose changed labels take them to other files.
func (d *decider) movers() []*Decision {
	if d.policy.Files == nil {
		return nil
	}
	var movers []*Decision
	for i := range d.plan.Decisions {
		c := &d.plan.Decisions[i]
		old := c.Record.Published
		if old == nil || c.Target == nil || c.Target == old || c.Record.Inline {
			continue
		}
		if !sameFiles(d.policy.Files(*old), d.policy.Files(*c.Target)) {
			movers = append(movers, c)
		}
	}
	return movers
}

// sameFiles compares two short lists in the order in which Files gives them.
func sameFiles(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// holdMove keeps the old labels until confirm_after is over or somebody
// accepts the new ones.
func (d *decider) holdMove(c *Decision) bool {
	r := c.Record
	since := r.MoveHeldSince.Time()
	if since.IsZero() {
		since = d.now
	}
	until := since.Add(time.Duration(c.owner.policy.Guard.ConfirmAfter))
	if r.Accepted != "" || !d.now.Before(until) {
		return false
	}
	c.Standing, c.Rule, c.frozen = Held, RuleGuardFile, true
	c.version = r.Version
	c.next = sooner(c.next, until)
	d.compose(c)
	return true
}
