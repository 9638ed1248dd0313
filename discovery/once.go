package discovery

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mcp-sd/mcp-sd/health"

	"github.com/mcp-sd/mcp-sd/target"
)

// OnceOptions say how a single pass is made.
type OnceOptions struct {
	// AcceptRemovals lets through what the guard holds.
	AcceptRemovals bool
	// DryRun decides and publishes nothing; the plan is in the report.
	DryRun bool
	// Progress is told what is being done; nil: nobody is.
	Progress func(Progress)
}

// Progress is how far a single pass has come.
type Progress struct {
	Step        string // "listing", "probing", "writing"
	Done, Total int
}

// publishTime is kept free for writing when ctx has a deadline; of a short one
// a fifth.
const publishTime = 2 * time.Second

// Once makes one pass over every source, probes, and publishes. What ctx's
// deadline cuts off keeps its last verdict. The returned error says that the
// pass could not begin.
func (e *Engine) Once(ctx context.Context, s Setup, o OnceOptions) (*Report, error) {
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if err := e.begin(s); err != nil {
		return nil, err
	}
	defer e.release(s)
	e.single = true
	for _, src := range e.state.Sources {
		src.Polling = true // no standing query agrees between two passes
	}
	asking, cancel := context.WithCancel(ctx)
	if end, ok := ctx.Deadline(); ok {
		cancel()
		asking, cancel = context.WithDeadline(ctx, end.Add(-min(publishTime, time.Until(end)/5)))
	}
	defer cancel()
	e.listAll(asking, o.Progress)
	e.probeAll(asking, o.Progress)
	e.askAll(asking)
	if o.AcceptRemovals {
		e.acceptHeld("", "--accept-removals")
	}
	o.Progress(Progress{Step: "writing"})
	return e.finish(ctx, o), nil
}

// listAll asks all sources at the same time, and folds their answers in.
func (e *Engine) listAll(ctx context.Context, progress func(Progress)) {
	answers := make(chan Arrival)
	g := new(errgroup.Group)
	for _, s := range e.setup.Sources {
		g.Go(func() error {
			d := &driver{SourceSetup: s}
			answers <- d.relabel(d.ask(ctx))
			return nil
		})
	}
	total := len(e.setup.Sources)
	progress(Progress{Step: "listing", Total: total})
	for i := range total {
		e.list(<-answers)
		progress(Progress{Step: "listing", Done: i + 1, Total: total})
	}
	_ = g.Wait()
}

// onceApart is the distance between two probes of one target in a single pass.
const onceApart = time.Second

// probeAll probes every target once, a new one that failed a second time, and
// one that is no longer listed until its verdict is reached, a second apart
// (contract §5).
func (e *Engine) probeAll(ctx context.Context, progress func(Progress)) {
	checks := Decide(e.state, e.policy, e.Now()).Checks
	for round := 1; len(checks) > 0; round++ {
		if round == 1 {
			progress(Progress{Step: "probing", Total: len(checks)})
		} else {
			target.Pause(ctx, onceApart)
		}
		if ctx.Err() != nil {
			return
		}
		e.fold(e.Sweeper.Once(ctx, checks))
		checks = again(Decide(e.state, e.policy, e.Now()), e.state.Ledger, round)
	}
}

// askAll asks who they are all targets whose time has come and whose probe was
// answered: after the last verdict, which must not wait for it.
func (e *Engine) askAll(ctx context.Context) {
	asks := func(s SourceSetup) bool { return s.Policy.MCP != nil }
	if !slices.ContainsFunc(e.setup.Sources, asks) {
		return
	}
	now := e.Now()
	var due []health.Check
	for _, c := range Decide(e.state, e.policy, now).Checks {
		if c.Spec.Asks() && c.AskAfter <= now.UnixMilli() && e.state.Ledger.Peek(c.Key).LastProbe().Class.Answered() {
			due = append(due, c)
		}
	}
	if len(due) > 0 {
		e.fold(e.Sweeper.Ask(ctx, due))
	}
}

// again picks the targets that one more probe may decide about.
func again(plan *Plan, l *health.Ledger, round int) []health.Check {
	var more []health.Check
	for i := range plan.Decisions {
		c := &plan.Decisions[i]
		tries := 1
		switch {
		case c.Standing == Pending && (c.Rule == RuleAwaitSuccess || c.Rule == RuleUnproved && c.Verdict != health.Up):
			tries = 2
		case c.Record.Listed == nil && c.Standing == Lingering && c.entry.Passes == 0:
			tries = c.owner.policy.Health.Fall
		}
		if round >= tries {
			continue
		}
		if a := c.asked(); a.spec != nil {
			more = append(more, a.check(c.Record, l))
		}
	}
	return more
}

// finish publishes, or plans only, and reports.
func (e *Engine) finish(ctx context.Context, o OnceOptions) *Report {
	r := &Report{}
	before := e.state.standing()
	if o.DryRun {
		r.Plan = Decide(e.state, e.policy, e.Now())
		e.look(r.Plan)
	} else {
		r.Plan, r.Outcome, r.Err = e.step(ctx)
		e.memory.changed() // when this pass was counts for the next
		e.touched = time.Time{}
		e.touch(e.Now())
		r.Err = errors.Join(r.Err, e.memory.save(e.state, e.Now(), true))
	}
	r.View = e.View()
	r.compare(before, r.Plan)
	r.note(e.state, r.Plan)
	return r
}
