package discovery

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/mcp-sd/mcp-sd/health"
)

// step takes the state one decision further: decide, record what is to leave,
// publish, remember what was written. It is the only place that publishes.
func (e *Engine) step(ctx context.Context) (*Plan, Outcome, error) {
	now := e.Now()
	plan := e.plan(now)
	out, err := e.publish(ctx, plan)
	removals := e.state.Wrote(plan, e.policy, out.Behind, now)
	e.say.step(plan, removals, out, err)
	e.Metrics.step(plan)
	if len(plan.Decisions) > 0 {
		e.memory.changed()
	}
	e.nextAt = sooner(plan.NextAt, out.NextAt)
	e.look(plan)
	return plan, out, err
}

// publish writes what was planned. Where a file was lost and nothing is known
// to put into it before all sources have answered, it is left as it is:
// Prometheus still has what it read from it.
func (e *Engine) publish(ctx context.Context, plan *Plan) (Outcome, error) {
	if e.state.lost && len(plan.Want) == 0 {
		return Outcome{}, nil
	}
	return e.setup.Publisher.Publish(ctx, plan.Want)
}

// plan decides, and makes sure that a removal is on record before the write
// that performs it: where the state can't be written, nothing leaves.
func (e *Engine) plan(now time.Time) *Plan {
	e.policy.Blind = false
	plan := e.decide(now)
	if !plan.removes() {
		return plan
	}
	err := e.memory.intend(e.state, plan, now)
	if err == nil {
		e.blind = false
		return plan
	}
	if !e.blind {
		e.Logger.Error("the state can't be written, so nothing is removed until it can", slog.Any("err", err))
	}
	e.blind = true
	e.policy.Blind = true
	return e.decide(now)
}

// decide looks at all records where there is one pass, which reports about all,
// and else at those that something happened to.
func (e *Engine) decide(now time.Time) *Plan {
	if e.single {
		return Decide(e.state, e.policy, now)
	}
	return Redecide(e.state, e.policy, now)
}

// removes reports whether the plan takes any target away.
func (p *Plan) removes() bool {
	for i := range p.Decisions {
		if c := &p.Decisions[i]; c.Record.Published != nil && c.Target == nil {
			return true
		}
	}
	return false
}

// stepIfDue takes a step where something happened that may change a decision.
// Under a stream of events steps keep a distance of three times what the last
// one took, so that deciding seldom takes more than a quarter of a core.
func (e *Engine) stepIfDue(ctx context.Context) {
	now := e.Now()
	if !e.nextAt.IsZero() && !now.Before(e.nextAt) {
		e.due = true
	}
	if !e.due || now.Before(e.earliest()) || ctx.Err() != nil {
		return
	}
	e.due = false
	start := time.Now()
	plan, _, _ := e.step(ctx)
	e.sweep(plan.Checks)
	e.stepTook = time.Since(start)
	e.lastStep = e.Now()
}

// earliest is when the next step may begin. A long one, such as the first of a
// large fleet, says little about the next: nobody waits for longer than
// mostDistance.
func (e *Engine) earliest() time.Time { return e.lastStep.Add(min(3*e.stepTook, mostDistance)) }

const mostDistance = 2 * time.Second

// sleep is how long the loop may wait if nothing happens.
func (e *Engine) sleep() time.Duration {
	now := e.Now()
	wait := min(inspectEvery, e.touched.Add(touchEvery).Sub(now))
	if wait <= 0 {
		wait = inspectEvery
	}
	if !e.nextAt.IsZero() {
		wait = min(wait, e.nextAt.Sub(now))
	}
	if e.due {
		wait = e.earliest().Sub(now)
	}
	return max(min(wait, inspectEvery), 0) // what waits for a slow step turns, and beats, meanwhile
}

// sweep hands the set of targets to be probed to the sweeper, where it
// changed. Only the newest set counts: one that waits is replaced.
func (e *Engine) sweep(checks []health.Check) {
	if sameChecks(checks, e.lastCheck) {
		return
	}
	e.lastCheck = checks
	select {
	case <-e.checks:
	default:
	}
	e.checks <- checks
}

func sameChecks(a, b []health.Check) bool {
	if len(a) != len(b) {
		return false
	}
	return len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b)
}
